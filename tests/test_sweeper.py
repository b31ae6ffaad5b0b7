"""Which jobs a study or a command line stands for, counted and written out by hand."""

from __future__ import annotations

import itertools

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import RunMode

from clbench.errors import ConfigurationError
from clbench.launcher import places
from clbench.launcher.grids import expand
from clbench.launcher.sweep import Sweep

STUDY = [
    {"strategy": ["naive"], "seed": ["0", "1", "2"]},
    {"strategy": ["l2"], "strategy.lam": ["1", "10"], "seed": ["0", "1", "2"]},
    {"strategy": ["joint"], "seed": ["0", "1", "2"]},
]


def jobs(**given):
    """Return the jobs of STUDY as sets of overrides; `__` stands for a dot."""
    axes = {key.replace("__", "."): value for key, value in given.items()}
    return [set(job) for job in expand(STUDY, axes, lambda key: key in ("strategy", "stream", "experiments"))]


def product(**axes):
    lines = [[f"{key.replace('__', '.')}={value}" for value in values] for key, values in axes.items()]
    return [set(job) for job in itertools.product(*lines)]


def test_a_study_is_the_union_of_its_grids_in_order():
    seeds = ["0", "1", "2"]
    expected = product(strategy=["naive"], seed=seeds)
    expected += product(strategy=["l2"], strategy__lam=["1", "10"], seed=seeds)
    expected += product(strategy=["joint"], seed=seeds)
    assert jobs() == expected
    assert len(jobs()) == 12


def test_a_named_key_takes_the_given_values_everywhere():
    found = jobs(seed=["7", "8"])
    assert len(found) == 8
    assert all("seed=7" in job or "seed=8" in job for job in found)


BY_SCENARIO = [
    {"strategy": ["naive"], "stream.scenario": ["task", "domain"], "seed": ["0", "1"]},
    {"strategy": ["ewc"], "strategy.lam": ["500"], "stream.scenario": ["task"], "seed": ["0", "1"]},
    {"strategy": ["ewc"], "strategy.lam": ["1"], "stream.scenario": ["domain"], "seed": ["0", "1"]},
]


def test_a_value_narrows_to_the_grids_that_have_it():
    def found(**given):
        axes = {key.replace("__", "."): value for key, value in given.items()}
        return [set(job) for job in expand(BY_SCENARIO, axes, lambda key: key == "strategy")]

    assert found(stream__scenario=["domain"], seed=["1"]) == [
        {"strategy=naive", "stream.scenario=domain", "seed=1"},
        {"strategy=ewc", "strategy.lam=1", "stream.scenario=domain", "seed=1"},
    ]
    assert found(strategy=["ewc"], strategy__lam=["500"], seed=["0"]) == [
        {"strategy=ewc", "strategy.lam=500", "stream.scenario=task", "seed=0"},
    ]
    assert found(strategy=["ewc"], strategy__lam=["1", "7"], seed=["0"]) == [
        {"strategy=ewc", "strategy.lam=7", "stream.scenario=task", "seed=0"},
        {"strategy=ewc", "strategy.lam=1", "stream.scenario=domain", "seed=0"},
        {"strategy=ewc", "strategy.lam=7", "stream.scenario=domain", "seed=0"},
    ]
    assert found(stream__scenario=["domain"], strategy__lam=["500"], seed=["0"]) == [
        {"strategy=naive", "stream.scenario=domain", "seed=0"},
        {"strategy=ewc", "strategy.lam=500", "stream.scenario=domain", "seed=0"},
    ]
    assert len(found(stream__scenario=["class"])) == 6


def test_a_field_of_a_part_is_left_out_where_the_grid_does_not_name_it():
    found = jobs(strategy__lam=["5"], seed=["0"])
    assert found == [
        {"strategy=naive", "seed=0"},
        {"strategy=l2", "strategy.lam=5", "seed=0"},
        {"strategy=joint", "seed=0"},
    ]


def test_a_choice_narrows_to_the_grids_that_have_it():
    assert jobs(strategy=["joint", "naive"], seed=["0"]) == [
        {"strategy=naive", "seed=0"},
        {"strategy=joint", "seed=0"},
    ]


def test_a_new_choice_gets_what_all_grids_share():
    assert jobs(strategy=["ewc"]) == product(strategy=["ewc"], seed=["0", "1", "2"])
    found = jobs(strategy=["l2", "ewc"], strategy__lam=["3"], seed=["0"])
    assert found == [
        {"strategy=l2", "strategy.lam=3", "seed=0"},
        {"strategy=ewc", "strategy.lam=3", "seed=0"},
    ]


def test_another_choice_leaves_the_fields_of_the_only_one_behind():
    grids = [{"strategy": ["l2"], "strategy.lam": ["1", "10"], "seed": ["0", "1"]}]
    found = expand(grids, {"strategy": ["naive"]}, lambda key: key == "strategy")
    assert found == [["strategy=naive", "seed=0"], ["strategy=naive", "seed=1"]]


def test_a_key_that_no_grid_names_multiplies_all():
    found = jobs(model__hidden=["[8]", "[9]"], seed=["0"])
    assert len(found) == 8
    assert sum("model.hidden=[9]" in job for job in found) == 4
    assert all("stream=split_digits" in job for job in jobs(stream=["split_digits"]))


def test_doubles_are_dropped_and_the_order_stays():
    grids = [{"strategy": ["a", "b"], "seed": ["0"]}, {"seed": ["0", "1"], "strategy": ["b"]}]
    found = expand(grids, {}, lambda key: key == "strategy")
    assert found == [["strategy=a", "seed=0"], ["strategy=b", "seed=0"], ["seed=1", "strategy=b"]]


def test_without_grids_it_is_the_product_of_the_basic_sweeper():
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    line = ["strategy=a,b", "+x=range(3)", "z=choice([1,2],[3])", "q='1,2'", "~y", "w=1"]
    (expected,) = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(line), None)
    assert swept(line) == expected
    assert len(expected) == 12


@pytest.fixture(autouse=True)
def singletons(hydra_restore_singletons):
    places.register()
    yield
    GlobalHydra.instance().clear()


def swept(arguments, base=(), ask=Sweep.jobs):
    """Return the jobs that the sweeper makes of arguments, in the application's configuration."""
    with initialize_config_dir(config_dir=places.conf(), version_base="1.3", job_name="clbench"):
        loader = GlobalHydra.instance().config_loader()
        config = loader.load_configuration("config", list(base), RunMode.MULTIRUN)
        Plugins.instance()
        sweep = Sweep(loader, config, lambda jobs, first: [], {})
        return ask(sweep, list(arguments))


def test_every_study_of_the_house_names_its_jobs_once():
    for name in ("two_task_regression", "split_digits", "permuted_digits"):
        found = swept([f"experiments={name}"], [f"experiments={name}"])
        assert len({frozenset(job) for job in found}) == len(found) >= 50
        assert all(job[0] == f"experiments={name}" for job in found)


def test_the_command_line_narrows_a_study():
    line = ["experiments=two_task_regression", "seed=0,1"]
    assert len(swept(line, ["experiments=two_task_regression"])) == (1 + 4 + 1) * 2
    line = ["experiments=two_task_regression", "strategy=naive", "seed=range(4)"]
    assert len(swept(line, ["experiments=two_task_regression"])) == 4


def test_a_published_table_is_narrowed_to_a_scenario_with_its_own_strengths():
    for name, rows in (("hsu2018_split_mnist", 12), ("vandeven2018_permuted_mnist", 6)):
        base = [f"experiments={name}"]
        found = swept([*base, "stream.scenario=domain", "seed=3"], base)
        whole = [job for job in swept(base, base) if {"stream.scenario=domain", "seed=3"} <= set(job)]
        assert {frozenset(job) for job in found} == {frozenset(job) for job in whole}
        assert len(found) == rows


def test_several_studies_at_once_have_each_their_own_grids():
    found = swept(["experiments=two_task_regression,permuted_digits", "seed=0"])
    of_one = [job for job in found if "experiments=two_task_regression" in job]
    of_other = [job for job in found if "experiments=permuted_digits" in job]
    assert len(of_one) == 6 and len(of_other) == 7 and len(found) == 13


def test_glob_takes_every_choice_of_the_group():
    found = swept(["optimizer=glob(*)", "seed=0"])
    assert [job[0] for job in found] == [f"optimizer={name}" for name in ("adagrad", "adam", "adamw", "sgd")]


def test_glob_leaves_out_what_does_not_fit_and_says_why(caplog):
    with caplog.at_level("INFO"):
        found = swept(["stream=split_digits", "strategy=glob(*)", "seed=0"])
    names = {job[1].removeprefix("strategy=") for job in found}
    assert len(names) == len(found) >= 21 and {"naive", "joint", "ewc", "gem", "gdumb"} <= names
    left_out = {record.args[1]: record.args[2] for record in caplog.records if "leaves out" in record.msg}
    assert set(left_out) == {"adapter", "embedding_l2_init", "own", "weight_decay_rest"}
    assert left_out["adapter"].startswith("A group must match a parameter")


def test_glob_leaves_a_problem_of_all_choices_to_be_found(caplog):
    with caplog.at_level("INFO"):
        found = swept(["optimizer=glob(ada*)", "training.batch_size=0"])
    assert [job[0] for job in found] == ["optimizer=adagrad", "optimizer=adam", "optimizer=adamw"]
    assert "leaves out" not in caplog.text


def test_grids_are_written_as_lists_or_as_on_the_command_line():
    base = ["study={grids: [{seed: 'range(2)', model.hidden: [[8],[16,16]], cache: [true]}]}"]
    found = swept([], base)
    assert found == [
        ["seed=0", "model.hidden=[8]", "cache=true"],
        ["seed=0", "model.hidden=[16,16]", "cache=true"],
        ["seed=1", "model.hidden=[8]", "cache=true"],
        ["seed=1", "model.hidden=[16,16]", "cache=true"],
    ]


def test_grids_of_another_shape_are_refused():
    with pytest.raises(ConfigurationError, match=r"study\.grids must be a list of mappings"):
        swept([], ["study={grids: {seed: 1}}"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("seed=0,1 threads=1 device=cpu cache=off", []),
        ("strategy=naive,joint seed=range(3)", []),  # fewer of the same runs
        ("training.steps=400 model.hidden=[64,64] strategy.lam=1e-2,0.1,1,10", []),  # as it is
        ("training.steps=20", ["training.steps=400 → 20"]),
        ("model.hidden=[8,8],[64,64]", ["model.hidden=[64, 64] → [8,8],[64,64]"]),
        ("optimizer=sgd", ["optimizer=adam → sgd"]),
        ("strategy=l2,ewc", ["strategy=naive,l2,joint → l2,ewc"]),
        ("strategy.lam=1", ["strategy.lam=0.01,0.1,1,10 → 1"]),  # the best of fewer may be another
        ("+stream.phase=2 seed=7", ["stream.phase=nothing → 2"]),
    ],
)
def test_what_a_command_line_changes_of_a_study_is_known(words, told):
    line = ["experiments=two_task_regression", *words.split()]
    assert swept(line, ["experiments=two_task_regression"], Sweep.changes) == told


def test_nothing_is_changed_without_a_study():
    assert swept(["strategy=naive", "training.steps=5"], ask=Sweep.changes) == []
