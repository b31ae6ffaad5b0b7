"""Streams from the user's files, against files written by hand and scikit-learn's scaler and splitter."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import StandardScaler

from clbench.engine.plan import plan_phases
from clbench.errors import ConfigurationError
from clbench.runs import Run
from clbench.strategies import Naive
from clbench.streams import TabularFile, TextFile, read_vectors
from clbench.streams.text import encode, make_vocabulary, words_of

ROWS = [
    # text, label, task, split
    ("The cat sat; the CAT ran.", "pos", "news", "train"),
    ("Don't run, cat!", "neg", "news", "train"),
    ("...", "neg", "news", "val"),
    ("the unseen dog", "pos", "news", "test"),
    ("A dog, a dog — naïve", "pos", "blogs", "train"),
    ("cat", "odd", "blogs", "test"),
]
COLUMNS = ("text", "label", "task", "split")


def write(path, rows=ROWS):
    """Write rows in the kind that the name ends in."""
    frame = pd.DataFrame(rows, columns=COLUMNS)
    if path.suffix == ".jsonl":
        path.write_text(
            "".join(json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n" for row in rows), "utf-8"
        )
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".tsv":
        path.write_text("".join("\t".join(row) + "\n" for row in (COLUMNS, *rows)), "utf-8")
    else:
        frame.to_csv(path, index=False)
    return str(path)


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_texts_by_hand(tmp_path, kind):
    source = TextFile(path=write(tmp_path / f"texts.{kind}"), task="task", split="split")
    assert source.problems() == []
    stream = source.build(0)
    # A's training words by count and alphabet: cat 3, the 2, don't 1, ran 1, run 1, sat 1
    assert stream.vocabulary == ("<pad>", "<unk>", "cat", "the", "don't", "ran", "run", "sat")
    assert stream.tokens == 8 and stream.inputs.dtype == torch.int64
    assert stream.inputs.tolist() == [
        [3, 2, 7, 3, 2, 5],
        [4, 6, 2, 0, 0, 0],
        [1, 0, 0, 0, 0, 0],
        [3, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 1, 0],
        [2, 0, 0, 0, 0, 0],
    ]
    assert stream.targets.tolist() == [2, 0, 0, 2, 2, 1]  # neg, odd, pos
    a, b = stream.tasks
    assert (a.name, b.name, a.outputs, b.outputs, stream.outputs) == ("A", "B", (0, 3), (0, 3), 3)
    assert [part.tolist() for part in (a.train, a.val, a.test, b.train, b.val, b.test)] == [
        [0, 1],
        [2],
        [3],
        [4],
        [],
        [5],
    ]
    assert stream.scores == ("accuracy", "f1_micro", "f1_macro") and stream.scenario == "domain"


def test_a_file_per_task_and_limits_of_length_and_vocabulary(tmp_path):
    paths = [write(tmp_path / "a.csv", ROWS[:4]), write(tmp_path / "b.jsonl", ROWS[4:])]
    stream = TextFile(path=paths, split="split", longest=2, words=2, least_count=2).build(0)
    assert stream.vocabulary == ("<pad>", "<unk>", "cat", "the")
    assert stream.inputs.tolist() == [[3, 2], [1, 1], [1, 0], [3, 1], [1, 1], [2, 0]]


def test_counts_of_tokens_are_scikit_learns():
    texts = ["one two two three", "Two ONE four's", "five, five; five"]
    words = [words_of(text) for text in texts]
    vocabulary = make_vocabulary(words)
    vectorizer = CountVectorizer(token_pattern=r"[^\W_]+(?:'[^\W_]+)*", vocabulary=vocabulary[2:])
    tokens = encode(words, vocabulary, 10)
    counts = torch.stack([torch.bincount(row, minlength=len(vocabulary)) for row in tokens])[:, 2:]
    assert np.array_equal(counts.numpy(), vectorizer.fit_transform(texts).toarray())


def many(count=200):
    """Return rows of two tasks with three unequal classes."""
    random = np.random.default_rng(0)
    labels = random.choice(["x", "y", "z"], p=[0.6, 0.3, 0.1], size=2 * count)
    return [(f"word{i} common", labels[i], "first" if i < count else "second", "") for i in range(2 * count)]


def test_drawn_splits_keep_shares_and_do_not_touch(tmp_path):
    path = write(tmp_path / "t.csv", many())
    stream = TextFile(path=path, task="task", val=0.15, test=0.25).build(0)
    for first, task in zip((0, 200), stream.tasks, strict=True):
        assert [len(task.split(split)) for split in ("train", "val", "test")] == [120, 30, 50]
        assert sorted(torch.cat([task.train, task.val, task.test]).tolist()) == list(
            range(first, first + 200)
        )
        counts = torch.bincount(stream.targets[first : first + 200], minlength=3)
        for split, share in (("train", 0.6), ("val", 0.15), ("test", 0.25)):
            assert (
                torch.bincount(stream.targets[task.split(split)], minlength=3) - share * counts
            ).abs().max() < 1.5
    seen = {f"word{i}" for i in stream.tasks[0].train.tolist()} | {"common", "<pad>", "<unk>"}
    assert set(stream.vocabulary) == seen  # nothing from val, test or B


def test_seeds_share_the_splits_unless_they_draw_them(tmp_path):
    path = write(tmp_path / "t.csv", many())
    shared, drawn = TextFile(path=path, task="task"), TextFile(path=path, task="task", split_seed=None)
    assert shared.build(0).inputs is shared.build(1).inputs
    assert not torch.equal(drawn.build(0).tasks[0].test, drawn.build(1).tasks[0].test)
    assert torch.equal(drawn.build(1).tasks[0].test, drawn.build(1).tasks[0].test)


def test_changed_contents_are_read_again_and_are_another_version(tmp_path):
    path = tmp_path / "t.csv"
    source = TextFile(path=write(path), task="task", split="split")
    before, words = source.data_version(), source.build(0).vocabulary
    write(path, [("entirely other", *row[1:]) for row in ROWS])
    assert source.data_version() != before
    assert source.build(0).vocabulary == ("<pad>", "<unk>", "entirely", "other") != words


def table(path, kind="class"):
    """Write a table of two tasks with three features, the last one constant in A, and return it."""
    random = np.random.default_rng(1)
    frame = pd.DataFrame(random.normal(3.0, 2.0, (120, 2)), columns=["f", "g"])
    frame["h"] = [5.0] * 60 + [6.0] * 60
    frame["y"] = frame["f"] * 10 + 100 if kind == "number" else random.choice([10, 9, 2], size=120)
    frame["part"] = ["p"] * 60 + ["q"] * 60
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    return frame


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_features_are_standardised_as_scikit_learn_does_on_as_train_split(tmp_path, kind):
    frame = table(tmp_path / f"t.{kind}")
    source = TabularFile(path=str(tmp_path / f"t.{kind}"), target="y", task="part")
    assert source.problems() == []
    stream = source.build(0)
    values = frame[["f", "g", "h"]].to_numpy()
    scaler = StandardScaler().fit(values[stream.tasks[0].train.numpy()])
    assert np.abs(stream.inputs.numpy() - scaler.transform(values)).max() < 1e-5
    assert stream.targets.tolist() == [{2: 0, 9: 1, 10: 2}[label] for label in frame["y"]]
    assert (stream.outputs, stream.scenario, [task.name for task in stream.tasks]) == (
        3,
        "domain",
        ["A", "B"],
    )


@pytest.mark.parametrize("standardise", [False, True])
def test_tabular_regression(tmp_path, standardise):
    frame = table(tmp_path / "t.csv", "number")
    source = TabularFile(
        path=str(tmp_path / "t.csv"),
        target="y",
        task="part",
        features=["g", "f"],
        kind="regression",
        standardise_target=standardise,
    )
    stream = source.build(0)
    expected = frame[["y"]].to_numpy()
    if standardise:
        expected = StandardScaler().fit(expected[stream.tasks[0].train.numpy()]).transform(expected)
    assert stream.inputs.shape == (120, 2) and stream.targets.shape == (120, 1)
    assert np.allclose(stream.targets.numpy(), expected, rtol=1e-5)
    assert (stream.scenario, stream.outputs, stream.scores) == ("regression", 1, ("rmse", "r2"))


def problems_of(tmp_path, content, name="t.csv", source=TextFile, **fields):
    """Return the problems of a source whose file has this content."""
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return source(path=str(path), **fields).problems()


GOOD = "text,label\n" + "hello,a\nworld,b\n" * 5


@pytest.mark.parametrize(
    ("content", "name", "fields", "words"),
    [
        (GOOD, "t.csv", {}, []),
        (GOOD, "t.txt", {}, ["must end in a known kind", "Known: .csv, .jsonl, .parquet, .tsv."]),
        ("text,label\nhello,a,b\nworld,b,c\n", "t.csv", {}, ["Expected 2 fields in line 2, saw 3"]),
        (GOOD + "a,b,c\n", "t.csv", {}, ["Expected 2 fields in line 12, saw 3"]),
        (GOOD, "t.csv", {"text": "body"}, ["column body; got none", "Known: label, text."]),
        ("", "t.csv", {}, ["readable as one; got No columns"]),
        ("text,label\n", "t.csv", {}, ["must have rows"]),
        ('text,label\n"a,b\n', "t.csv", {}, ["readable as one; got", "t.csv"]),
        (b"text,label\n\xff\xfe,a\n", "t.csv", {}, ["readable as one; got"]),
        ('{"text": "a"\n', "t.jsonl", {}, ["A .jsonl file must be readable as one; got line 1, Expecting"]),
        ("\n[1]\n", "t.jsonl", {}, ["got line 2, which is no object"]),
        ('{"text": "a", "label": "b"}\n{"label": "c"}\n', "t.jsonl", {}, ["hold texts; got nan", "row 2"]),
        (b"hello", "t.parquet", {}, ["A .parquet file must be readable"]),
        (GOOD + "text,\n", "t.csv", {}, ["must have a label; got none in the column label", "row 11"]),
        ("text,label\nhello,a\nworld,a\n", "t.csv", {}, ["at least 2 classes; got only a"]),
        (
            '{"text": 3, "label": "a"}\n{"text": "b", "label": "b"}\n',
            "t.jsonl",
            {},
            ["hold texts; got 3", "row 1"],
        ),
        ("text,label\nhello,a\nworld,b\n", "t.csv", {}, ["got no test rows among the 2 of task 0"]),
        ("text,label,s\nhello,a,train\nworld,b,exam\n", "t.csv", {"split": "s"}, ["got exam", "row 2"]),
        ("text,label,s\nhello,a,test\nworld,b,test\n", "t.csv", {"split": "s"}, ["got no train rows"]),
        (GOOD, "t.csv", {"val": 0.5, "test": 0.5}, ["stream.val=0.5 and stream.test=0.5"]),
        (GOOD, "t.csv", {"longest": 0}, ["stream.longest=0"]),
        (GOOD, "t.csv", {"test": math.nan}, ["stream.test=nan"]),
    ],
)
def test_every_fault_of_a_text_file_is_one_line(tmp_path, content, name, fields, words):
    problems = problems_of(tmp_path, content, name, **fields)
    assert len(problems) == bool(words), problems
    assert all(word in problems[0] and "\n" not in problems[0] for word in words)


NUMBERS = "f,g,y\n" + "1,2,a\n3,4,b\n" * 10


@pytest.mark.parametrize(
    ("content", "fields", "words"),
    [
        (NUMBERS, {}, []),
        (NUMBERS + "5,,a\n", {}, ["column g must hold finite numbers; got ''", "row 21"]),
        (NUMBERS + "5,six,a\n", {}, ["column g must hold finite numbers; got 'six'"]),
        (NUMBERS + "5,inf,a\n", {}, ["column g must hold finite numbers; got 'inf'"]),
        (NUMBERS, {"kind": "regression"}, ["column y must hold finite numbers; got 'a'"]),
        (NUMBERS, {"kind": "ranking"}, ["stream.kind=ranking. Known: classification, regression."]),
        (NUMBERS, {"features": ()}, ["stream.features=[]"]),
        (NUMBERS, {"features": ("f", "y")}, ["must not be among the features"]),
        (NUMBERS, {"features": ("f", "z")}, ["column z; got none"]),
        ("y\na\nb\n", {}, ["a column besides its target"]),
    ],
)
def test_every_fault_of_a_table_is_one_line(tmp_path, content, fields, words):
    problems = problems_of(tmp_path, content, source=TabularFile, target="y", **fields)
    assert len(problems) == bool(words), problems
    assert all(word in problems[0] and "\n" not in problems[0] for word in words)


@pytest.mark.parametrize("source", [TextFile, TabularFile])
@pytest.mark.parametrize("path", [None, "", (), ("a.csv", "")])
def test_no_file_named(source, path):
    (line,) = source(path=path).problems()
    assert "must name a file" in line and f"got stream.path={path}" in line


def test_a_missing_file(tmp_path):
    paths = (str(tmp_path / "a.csv"), str(tmp_path / "b.csv"))
    problems = TextFile(path=paths).problems()
    assert len(problems) == 2 and all("must exist; got stream.path=" in line for line in problems)


def test_word_vectors(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("4 3\ncat 1 2 3\ndog -1 0.5 2e-1\nnew york 7 8 9\ncat 0 0 0\n", "utf-8")
    vectors, known = read_vectors(path, ("<pad>", "<unk>", "dog", "bird", "cat", "new york"), 3)
    assert known.tolist() == [False, False, True, False, True, True]
    expected = [[0, 0, 0], [0, 0, 0], [-1, 0.5, 0.2], [0, 0, 0], [1, 2, 3], [7, 8, 9]]
    assert torch.equal(vectors, torch.tensor(expected, dtype=torch.float32))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("cat 1 2\n", "got 2 in"),
        ("9 4\ncat 1 2 3 4\n", "got 4 in the first line"),
        ("cat 1 two 3\n", "line 1"),
        ("ant 1 2 3\ncat 1 nan 3\n", "must be finite; got"),
        ("ant 1 2 3\n", "got none of 2 in"),
    ],
)
def test_faults_of_word_vectors(tmp_path, content, word):
    path = tmp_path / "vectors.txt"
    path.write_text(content, "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_vectors(path, ("<pad>", "cat"), 3)
    assert len(caught.value.problems) == 1 and word in str(caught.value)
    with pytest.raises(ConfigurationError, match="must be readable; got FileNotFoundError"):
        read_vectors(tmp_path / "none.txt", ("<pad>", "cat"), 3)


def test_other_contents_of_a_file_are_other_phases(tmp_path):
    """A stage stored for the old contents must not be taken for the new ones."""
    path = tmp_path / "t.csv"

    def keys(rows):
        run = Run(TextFile(path=write(path, rows), task="task", split="split"), None, Naive(), None)
        return {phase.key for phase in plan_phases([run], [run.stream.build(0)])}

    assert keys(ROWS) == keys(ROWS)
    assert not keys(ROWS) & keys([*ROWS[:5], ("dog", *ROWS[5][1:])])
