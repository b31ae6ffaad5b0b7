"""Every group and study composes, its parts can be made, and our composition is Hydra's."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf, open_dict

from clbench.launcher import places
from clbench.launcher.building import build_run, problems_of
from clbench.launcher.hydra_jobs.templates import Composer
from clbench.launcher.schema import PARTS
from clbench.launcher.sweep import Sweep

CONF = Path(places.conf())
GROUPS = (*PARTS, "evaluation")
CHOICES = [(group, file.stem) for group in GROUPS for file in sorted((CONF / group).glob("*.yaml"))]
STUDIES = sorted(file.stem for file in (places.root() / "experiments").glob("*.yaml"))


@pytest.fixture(autouse=True, scope="module")
def loader():
    """Return Hydra's loader of the application's configuration."""
    state = copy.deepcopy(Singleton.get_state())
    places.register()
    with initialize_config_dir(config_dir=places.conf(), version_base="1.3", job_name="clbench"):
        yield GlobalHydra.instance().config_loader()
    Singleton.set_state(state)


def test_there_is_something_to_compose():
    assert {group for group, _ in CHOICES} == set(GROUPS)
    assert {"naive", "l2", "joint", "cumulative"} <= {name for group, name in CHOICES if group == "strategy"}
    assert {"two_task_regression", "split_digits", "permuted_digits"} <= set(STUDIES)


@pytest.mark.parametrize("group, name", CHOICES, ids=[f"{group}={name}" for group, name in CHOICES])
def test_every_choice_composes_and_its_part_can_be_made(group, name):
    config = compose("config", [f"{group}={name}"])
    missing = OmegaConf.missing_keys(config)
    assert missing <= {f"{group}._target_", f"{group}.module", f"{group}.path", f"{group}.file"}, missing
    if not missing:
        plain = OmegaConf.to_container(config, resolve=True)
        run = build_run(plain, {})
        if group != "evaluation":
            assert type(getattr(run, group)).__name__ == config[group]._target_.rpartition(".")[2]


@pytest.mark.parametrize("study", STUDIES)
def test_every_study_says_what_it_is_and_none_of_its_jobs_is_wrong(loader, study):
    text = (places.root() / "experiments" / f"{study}.yaml").read_text(encoding="utf-8")
    assert text.splitlines()[1].startswith(f"# clbench experiments={study}")
    config = loader.load_configuration("config", [f"experiments={study}"], RunMode.MULTIRUN)
    assert config.hydra.mode == RunMode.MULTIRUN
    assert {"question", "claim", "grids"} <= set(config.study)
    jobs = jobs_of(loader, config)
    assert len(jobs) > 10
    composer = Composer(loader, config)
    for job in sample(jobs, 1):
        plain = OmegaConf.to_container(composer.compose(0, job), resolve=False)
        del plain["hydra"]
        found = problems_of(plain)
        if found and all(line.startswith("MNIST needs the folder") for line in found):
            pytest.skip(found[0])
        assert found == []


def sample(jobs, most):
    """Return the last jobs of every choice of groups; the last has other values than the first."""
    chosen = {}
    for job in jobs:
        chosen.setdefault(tuple(line for line in job if "." not in line and "seed" not in line), []).append(
            job
        )
    return [job for group in chosen.values() for job in (group[0], *group[-most:])[-most:]]


def jobs_of(loader, config):
    Plugins.instance()
    return Sweep(loader, config, lambda jobs, first: [], {}).jobs(list(config.hydra.overrides.task))


def test_the_command_line_wins_over_studies_over_streams():
    assert compose("config", ["stream=split_digits"]).training.steps == 200
    assert compose("config", ["stream=split_digits", "training.steps=7"]).training.steps == 7
    assert compose("config", ["experiments=split_digits"]).stream._target_.endswith("SplitImages")
    assert (
        compose("config", ["experiments=split_digits", "strategy=ewc"]).strategy != compose("config").strategy
    )


def test_a_typo_fails_while_composing():
    for line in (
        "training.stepps=1",
        "evaluation.point=1",
        "sed=1",
        "strategy.lamm=1",
        "training.steps=many",
    ):
        with pytest.raises(HydraException):
            compose("config", [line])


@pytest.mark.parametrize("most", [2, pytest.param(4, marks=pytest.mark.slow)], ids=["few", "more"])
@pytest.mark.parametrize("study", STUDIES)
def test_our_composition_of_a_study_is_hydras(loader, study, most):
    master = loader.load_configuration("config", [f"experiments={study}"], RunMode.MULTIRUN)
    jobs = jobs_of(loader, master)
    assert_equal(loader, master, [jobs[0], jobs[-2], jobs[-1]] if most == 2 else sample(jobs, 4))


EACH = [CHOICES[::8], pytest.param(CHOICES, marks=pytest.mark.slow)]


@pytest.mark.parametrize("choices", EACH, ids=["some", "all"])
def test_our_composition_of_every_choice_is_hydras(loader, choices):
    master = loader.load_configuration("config", [], RunMode.MULTIRUN)
    assert_equal(
        loader, master, [[f"{group}={name}", f"seed={seed}"] for group, name in choices for seed in (1, 2)]
    )


KINDS = [
    ["strategy.lam=0.5", "strategy.lam=1", "strategy.lam=null", "strategy.lam=1e-3", "strategy.lam='x y'"],
    ["model.hidden=[8]", "model.hidden=[16,4]", "model.hidden=[]"],
    ["+strategy.note=a", "+strategy.note=b", "~strategy.half", "strategy.importance={_target_: a.B}"],
    ["strategy.lam=${seed}", "study={question: q}", "stream.a.low=-3.0", "stream.a={low: -2}"],
]


def test_our_composition_of_every_kind_of_override_is_hydras(loader):
    overrides = ["hydra.job.config.override_dirname.exclude_keys=[seed]", "hydra.sweep.dir=x"]
    master = loader.load_configuration("config", overrides, RunMode.MULTIRUN)
    jobs = [["strategy=l2", line] for group in KINDS for line in group]
    jobs += [["strategy=l2", "stream.a.low=-3.0", "stream.a={low: -2}"], ["strategy=l2", "seed=1", "seed=2"]]
    assert_equal(loader, master, jobs)


@pytest.mark.slow
def test_our_composition_of_two_kinds_in_any_order_is_hydras(loader):
    master = loader.load_configuration("config", [], RunMode.MULTIRUN)
    jobs = []
    for first, second in itertools.product(
        KINDS[2] + KINDS[3], KINDS[0][:2] + ["training={steps: 3}", "device=meta"]
    ):
        jobs.append(["strategy=l2", first, second, "seed=3"])
        jobs.append(["seed=4", "strategy=l2", second, first])
    assert_equal(loader, master, jobs)


def assert_equal(loader, master, jobs):
    """Compare the YAML of whole configurations, Hydra's own node included."""
    composer = Composer(loader, master)
    for place, job in enumerate(jobs):
        ours, theirs = composer.compose(place, job), loader.load_sweep_config(master, list(job))
        with open_dict(theirs):
            theirs.hydra.job.id = theirs.hydra.job.num = place
        assert OmegaConf.to_yaml(ours) == OmegaConf.to_yaml(theirs), job
    assert jobs


def test_equal_choices_are_composed_by_hydra_once(loader, monkeypatch):
    master = loader.load_configuration("config", [], RunMode.MULTIRUN)
    composer, calls = Composer(loader, master), []
    real = type(loader).load_sweep_config
    monkeypatch.setattr(
        type(loader), "load_sweep_config", lambda self, *given: calls.append(given) or real(self, *given)
    )
    for seed, name in itertools.product(range(20), ("l2", "ewc")):
        composer.compose(0, [f"strategy={name}", f"strategy.lam={seed / 4}", f"seed={seed}"])
    assert len(calls) == 2
