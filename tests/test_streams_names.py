"""Names in files: what is one name, the order of classes, and rows that have none."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
import torch

from clbench.streams import TabularFile, TextFile
from clbench.streams.names import in_order, spelled


def write(path, frame, names=("target", "subject")):
    """Write a table in the kind that the name ends in; None becomes a blank cell or a missing key."""
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".jsonl":
        rows = [
            {key: value for key, value in row.items() if value is not None}
            for row in frame.to_dict("records")
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    else:
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return str(path)


KINDS = ("csv", "tsv", "jsonl", "parquet")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("1", "1"), ("1.0", "1"), (" 1.00 ", "1"), ("+1", "1"), (1, "1"), (1.0, "1"),
        (np.float32(0.1), "0.1"), ("0.10", "0.1"), ("-0.0", "0"),
        (-2.0, "-2"), (2**53 + 1, "9007199254740993"),
        ("01", "01"),
        ("A ", "A"),
        ("1.0.0", "1.0.0"), ("nan", "nan"), (True, "True"), ("1e5", "1e5"), ("٣", "٣"),
    ],
)  # fmt: skip
def test_one_spelling_for_what_means_the_same(value, name):
    assert spelled(value) == name


def test_classes_have_one_order_whatever_the_order_of_a_set():
    expected = ["-3", "1", "2", "1e1", "10.5", "inf", "nan", "b", "bb"]
    expected = [*expected[:5], "b", "bb", "inf", "nan"]
    for names in itertools.islice(itertools.permutations(expected), 0, None, 997):
        assert in_order(names) == expected


def test_a_label_that_reads_as_nan_is_a_class_in_its_place(tmp_path):
    labels = ["1", "nan", "2", "10"] * 20
    path = write(tmp_path / "t.csv", pd.DataFrame({"a": np.arange(80.0), "target": labels}))
    assert TabularFile(path=path).build(0).targets.tolist() == [0, 3, 1, 2] * 20


@pytest.mark.parametrize("kind", KINDS)
def test_whole_numbers_and_their_floats_are_one_class(tmp_path, kind):
    def stream(form):
        paths = []
        for name, cast in (("a", int), ("b", form)):
            frame = pd.DataFrame({"x": np.cos(np.arange(60)), "target": [cast(k % 3) for k in range(60)]})
            paths.append(write(tmp_path / f"{name}.{kind}", frame))
        source = TabularFile(path=paths)
        assert source.problems() == []
        return source.build(0)

    whole, mixed = stream(int), stream(float)
    assert mixed.outputs == 3 and torch.equal(mixed.targets, whole.targets)
    assert all(torch.equal(a.train, b.train) for a, b in zip(whole.tasks, mixed.tasks, strict=True))


def test_kinds_of_file_agree_on_labels(tmp_path):
    labels = [0.5, 1.0, 10.0] * 20
    frames = {kind: pd.DataFrame({"x": np.arange(60.0), "target": labels}) for kind in KINDS}
    frames["parquet"] = frames["parquet"].astype({"target": "float32"})
    paths = [write(tmp_path / f"t.{kind}", frame) for kind, frame in frames.items()]
    stream = TabularFile(path=paths).build(0)
    assert stream.outputs == 3 and stream.targets.tolist() == [0, 1, 2] * 80


@pytest.mark.parametrize(("one", "other"), [("7", "007"), ("10000", "1e4"), ("0.5", ".5")])
def test_numbers_in_two_spellings_that_stay_apart_are_told(tmp_path, one, other):
    path = write(tmp_path / "t.csv", pd.DataFrame({"x": np.arange(60.0), "target": [one, other, "x"] * 20}))
    (line,) = TabularFile(path=path).problems()
    assert f"got the labels {one} and {other} in the column target" in line


def test_blanks_at_the_ends_make_no_task_and_are_told(tmp_path, caplog):
    frame = pd.DataFrame(
        {"x": np.arange(80.0), "target": [0, 1] * 40, "subject": ["A", "A ", "B", " B"] * 20}
    )
    source = TabularFile(path=write(tmp_path / "t.csv", frame), task="subject")
    with caplog.at_level("INFO"):
        assert source.problems() == []
    stream = source.build(0)
    assert [len(task.train) + len(task.val) + len(task.test) for task in stream.tasks] == [40, 40]
    (line,) = [line for line in caplog.messages if "spellings" in line]
    assert "subject has several spellings of one task, which count as the same: 'A', 'A ' (and of 1" in line


@pytest.mark.parametrize("source", [TabularFile, TextFile])
@pytest.mark.parametrize("column", ["task", "label"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_row_without_a_task_or_label_is_told(tmp_path, kind, column, source):
    names = {"task": ["s1"] * 40 + ["s2"] * 40 + [None] * 40, "label": ["u", "v"] * 40 + [None] * 40}
    names[{"task": "label", "label": "task"}[column]] = ["u", "v"] * 60
    frame = pd.DataFrame({"x": np.arange(120.0), "text": "word", **names})
    path = write(tmp_path / f"t.{kind}", frame)
    fields = {"target": "label", "features": ("x",)} if source is TabularFile else {"label": "label"}
    (line,) = source(path=path, task="task", **fields).problems()
    assert f"Every row must have a {column}; got none in the column {column} ({path}, row 81)" in line


@pytest.mark.parametrize("blank", ['""', '" "', "null", "NaN"])
def test_a_blank_task_is_none(tmp_path, blank):
    rows = [f'{{"x": {k}, "target": {k % 2}, "subject": {blank if k == 2 else 1}}}' for k in range(40)]
    (tmp_path / "t.jsonl").write_text("\n".join(rows))
    (line,) = TabularFile(path=str(tmp_path / "t.jsonl"), task="subject").problems()
    assert "must have a task; got none in the column subject" in line and "row 3)" in line


@pytest.mark.parametrize("value", ["[1]", '{"a": 1}', "Infinity"])
@pytest.mark.parametrize("column", ["target", "subject"])
def test_a_name_is_a_text_or_a_number(tmp_path, column, value):
    names = {"target": "0", "subject": "0", column: value}
    row = ", ".join(f'"{key}": {text}' for key, text in {"x": "1", **names}.items())
    (tmp_path / "t.jsonl").write_text(f"{{{row}}}\n" * 40)
    (line,) = TabularFile(path=str(tmp_path / "t.jsonl"), task="subject").problems()
    assert "must be a text or a finite number; got " in line and "row 1)" in line


def test_bytes_are_no_label(tmp_path):
    frame = pd.DataFrame({"x": [1.0] * 40, "target": [b"a", b"b"] * 20})
    (line,) = TabularFile(path=write(tmp_path / "t.parquet", frame)).problems()
    assert "A label must be a text or a finite number; got b'a'" in line
