"""Parts from their configuration: types, copies of like parts, and mistakes."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from clbench.errors import ConfigurationError
from clbench.launcher.building import Builder
from clbench.launcher.parts import locate, make_part
from clbench.strategies.base import Strategy

HERE = f"{__name__}."


@dataclass(frozen=True)
class Inner:
    width: float = 1.0
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outer(Strategy):
    rate: float
    count: int = 1
    flag: bool = False
    sizes: tuple[int, ...] = (1,)
    word: str | None = None
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self):
        if self.count == 13:
            raise ValueError("thirteen is not a count")


@dataclass(frozen=True)
class Several:
    inners: tuple[Inner, ...] = ()


def node(**fields):
    return {"_target_": HERE + "Outer", "rate": 1, **fields}


def test_lists_become_tuples_and_whole_numbers_floats_at_every_depth():
    part = make_part(
        "strategy", node(sizes=[3, 4], inner={"_target_": HERE + "Inner", "width": 2, "names": ["a"]})
    )
    assert part == Outer(1.0, 1, False, (3, 4), None, Inner(2.0, ("a",)))
    assert type(part.rate) is float and type(part.inner.width) is float and type(part.count) is int


@pytest.mark.parametrize(
    "second", [node(rate=2.5), node(rate=3, count=7, word="x"), node(flag=True), node(sizes=[5])]
)
def test_a_copy_of_a_like_part_is_what_hydra_makes(second):
    build = Builder()
    build._make("strategy", node())
    copied, made = build._make("strategy", second), make_part("strategy", second)
    assert copied == made and [type(v) for v in vars(copied).values()] == [
        type(v) for v in vars(made).values()
    ]


def problems(fields, like=None):
    with pytest.raises(ConfigurationError) as caught:
        make_part("strategy", fields, like)
    return list(caught.value.problems)


def test_every_mistake_in_a_part_is_told_at_once_with_its_place():
    found = problems(
        node(
            rate="fast",
            count=1.5,
            flag=1,
            sizes=3,
            word=4,
            wordd="x",
            inner={"_target_": HERE + "Inner", "widht": 1},
        )
    )
    places = ["rate=fast", "count=1.5", "flag=1", "sizes=3", "word=4", "wordd=x", "inner.widht=1"]
    assert sorted(line.partition("got strategy.")[2].partition(". ")[0] for line in found) == sorted(places)
    assert "strategy.rate must be a number;" in found[0]
    assert any("Known: names, width." in line for line in found)


def test_what_a_class_refuses_is_told_also_for_a_copy():
    for like in (None, Outer(1.0)):
        (line,) = problems(node(count=13), like)
        assert "thirteen is not a count" in line and f"strategy._target_={HERE}Outer" in line


def test_a_missing_field_and_a_missing_class_are_told():
    (line,) = problems({"_target_": HERE + "Outer"})
    assert line == "Outer must be given strategy.rate; got nothing. Set strategy.rate=…."
    assert "strategy=null" in problems(None)[0]


def test_a_name_is_found_below_modules_and_classes(tmp_path, monkeypatch):
    assert locate("collections.OrderedDict.fromkeys") is not None
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "module_with_a_missing_import.py").write_text("import not_installed_at_all\n")
    with pytest.raises(ModuleNotFoundError, match="not_installed_at_all"):
        locate("module_with_a_missing_import.Part")
    with pytest.raises(AttributeError):
        locate("collections.Nothing")


def test_a_mapping_names_no_class_where_there_is_but_one():
    assert make_part("part", node(inner={"width": 2})).inner == Inner(2.0)
    several = {"_target_": HERE + "Several", "inners": [{"names": ["a"]}, {"_target_": HERE + "Inner"}]}
    assert make_part("part", several) == Several((Inner(names=("a",)), Inner()))


def test_what_is_no_part_is_told():
    several = {"_target_": HERE + "Several", "inners": [3, {"wide": 1}]}
    for broken, expected in (
        (node(inner=3), ["part.inner must be a part {_target_: class, …}; got part.inner=3. Name a class."]),
        (
            several,
            [
                "part.inners must be a list of {field: value, …}; got part.inners.0=3. Fields: width, names. "
                "Put the whole argument into quotes, which keep the shell from its braces.",
                "Inner must be given fields that it has; got part.inners.1.wide=1. Known: names, width.",
            ],
        ),
    ):
        with pytest.raises(ConfigurationError) as error:
            make_part("part", broken)
        assert list(error.value.problems) == expected
