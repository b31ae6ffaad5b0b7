"""Files as they come: marks at the beginning, line ends inside texts, indexes, and what is no table."""

import json
import os

import numpy as np
import pandas as pd
import pytest
from test_streams_files import problems_of

from clbench.errors import ConfigurationError
from clbench.streams import TabularFile, TextFile, read_vectors
from clbench.streams.readers import read_table

BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c"])
@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv"])
def test_lines_end_at_line_feeds_alone(tmp_path, character, kind):
    rows = [(f"good{character}day", "u"), ("bad", "v")] * 20
    if kind == "jsonl":
        escaped = "\u2028\u2029\u0085"  # control characters must be escaped in JSON
        lines = [json.dumps({"text": t, "label": n}, ensure_ascii=character not in escaped) for t, n in rows]
    else:
        lines = [("," if kind == "csv" else "\t").join(row) for row in [("text", "label"), *rows]]
    (tmp_path / f"t.{kind}").write_bytes("\r\n".join(lines).encode())
    source = TextFile(path=str(tmp_path / f"t.{kind}"))
    assert source.problems() == []
    stream = source.build(0)
    assert len(stream.inputs) == 40 and stream.vocabulary[2:] == ("bad", "day", "good")


@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv"])
def test_a_byte_order_mark_is_no_content(tmp_path, kind):
    frame = pd.DataFrame({"x": np.arange(40.0), "target": [0, 1] * 20})
    path = tmp_path / f"t.{kind}"
    if kind == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",", quoting=0)
    path.write_bytes(BOM + path.read_bytes())
    source = TabularFile(path=str(path))
    assert source.problems() == [] and source.build(0).features == (1,)


def test_a_byte_order_mark_is_no_part_of_a_word(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_bytes(BOM + b"cat 1 2\n")
    assert read_vectors(path, ("<pad>", "cat"), 2)[1].tolist() == [False, True]


def test_row_numbers_count_rows_not_characters(tmp_path):
    lines = [json.dumps({"text": "a\u2028b", "label": "u"}, ensure_ascii=False)] * 5 + [
        '{"text": 3, "label": "v"}'
    ]
    (line,) = problems_of(tmp_path, "\n".join(lines), "t.jsonl")
    assert "got 3" in line and "row 6)" in line
    (line,) = problems_of(tmp_path, "\n".join([*lines[:5], "{"]), "t2.jsonl")
    assert "got line 6, " in line


@pytest.mark.parametrize("saved", [1, 2])
def test_an_index_is_no_feature_and_is_told(tmp_path, caplog, saved):
    frame = pd.DataFrame({"task": ["u"] * 40 + ["v"] * 40, "a": np.arange(80.0), "target": [0, 1] * 40})
    path = str(tmp_path / "t.csv")
    frame.to_csv(path)
    if saved == 2:
        pd.read_csv(path).to_csv(path)  # and an index of the index
    source = TabularFile(path=path, task="task")
    with caplog.at_level("INFO"):
        assert source.problems() == []
    assert source.build(0).features == (1,)
    names = ", ".join(["Unnamed: 0.1", "Unnamed: 0"][-saved:])
    assert any(f"left out {names}. Name them in stream.features" in line for line in caplog.messages)
    assert TabularFile(path=path, task="task", features=("Unnamed: 0", "a")).build(0).features == (2,)


def test_a_plain_table_is_told_nothing(tmp_path, caplog):
    pd.DataFrame({"a": np.arange(40.0), "target": [0, 1] * 20}).to_csv(tmp_path / "t.csv", index=False)
    with caplog.at_level("INFO"):
        assert TabularFile(path=str(tmp_path / "t.csv")).problems() == []
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        ("a,target,target\n" + "1,0,1\n" * 9, "t.csv", ["different names", "got target in"]),
        ("a,__row__,target\n" + "1,0,1\n" * 9, "t.csv", ["different names", "got __row__ in"]),
        ("[" * 100_000, "t.jsonl", ["got line 1, which is nested too deep"]),
        ('{"a": "\\ud800", "target": 1}', "t.jsonl", ["got line 1, which has half of a pair of surrogates"]),
        (
            '{"a": 1' + "0" * 5000 + "}",
            "t.jsonl",
            ["got line 1, which has a number of more than 4,300 digits"],
        ),
        ('{"a": 1, "target": 0}\n{"a": 1' + "0" * 400 + ', "target": 1}\n', "t.jsonl", ["finite", "row 2)"]),
        ('{"a": [1], "target": 0}\n', "t.jsonl", ["finite numbers; got [1]"]),
        ("a,target\n1e300,0\n1,1\n", "t.csv", ["finite numbers; got '1e300'", "float32 ends at 3.40e+38"]),
    ],
)
def test_what_is_no_table_of_numbers_is_one_line(tmp_path, content, name, words):
    (line,) = problems_of(tmp_path, content, name, TabularFile)
    assert all(word in line for word in words) and len(line) < 400


def test_dates_are_no_numbers(tmp_path):
    frame = pd.DataFrame({"a": pd.to_datetime(["2020-01-01"] * 40), "target": [0, 1] * 20})
    frame.to_parquet(tmp_path / "t.parquet")
    (line,) = TabularFile(path=str(tmp_path / "t.parquet")).problems()
    assert "must hold finite numbers; got Timestamp" in line


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_only_regular_files_are_read(tmp_path, kind):
    path = tmp_path / "t.csv"
    {"link": lambda: path.symlink_to(path), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[kind]()
    (line,) = TextFile(path=str(path)).problems()
    assert "A stream's file must exist; got stream.path=" in line
    if kind != "link":
        with pytest.raises(ConfigurationError, match="no regular file"):
            read_vectors(path, ("<pad>", "cat"), 3)


def test_a_file_is_read_again_when_its_size_changes(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n")
    os.utime(path, ns=(1, 1))
    assert len(read_table(path)) == 1
    path.write_text("a\n1\n2\n")
    os.utime(path, ns=(1, 1))
    assert len(read_table(path)) == 2
