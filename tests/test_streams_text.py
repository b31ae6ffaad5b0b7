"""Words that the network can't read: their share is told, and two fields answer it."""

import pandas as pd
import pytest

from clbench.streams import TextFile
from clbench.streams.text import unknown_shares

CHINESE = ("我喜欢这部电影", "这本书很无聊", "她今天不高兴", "天气真好啊")


@pytest.fixture
def paths(tmp_path):
    """Two files in which the same labels have other words, and one whose texts have no spaces."""
    words = {"a": ("good film", "bad film"), "b": ("gut buch", "schlecht film")}
    for name, texts in words.items():
        frame = pd.DataFrame({"text": list(texts) * 20, "label": ["u", "v"] * 20})
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    texts = ["".join(CHINESE[(k * 3 + i) % 4] for i in range(1 + k % 3)) + chr(0x4E00 + k) for k in range(40)]
    pd.DataFrame({"text": texts, "label": ["u", "v"] * 20}).to_csv(tmp_path / "c.csv", index=False)
    return {name: str(tmp_path / f"{name}.csv") for name in "abc"}


def told(caplog, source):
    """Return what is told of unknown words when a source is checked."""
    with caplog.at_level("INFO"):
        assert source.problems() == []
    (line,) = [line for line in caplog.messages if line.startswith("Unknown")]
    return line


def test_words_that_only_b_has_are_told(paths, caplog):
    source = TextFile(path=(paths["a"], paths["b"]))
    assert unknown_shares(source.build(0)) == [0.0, 0.75]  # of gut, buch, schlecht, film the last is known
    line = told(caplog, source)
    assert line.startswith("Unknown words in the test texts: 0% in task A, 75% in task B.")
    assert "stream.vocabulary=all takes every task's" in line and "character" not in line


def test_all_tasks_words_can_have_tokens(paths, caplog):
    first, every = (TextFile(path=(paths["a"], paths["b"]), vocabulary=name) for name in ("first", "all"))
    assert first.build(0).vocabulary[2:] == ("film", "bad", "good")
    assert every.build(0).vocabulary[2:] == ("film", "bad", "buch", "good", "gut", "schlecht")
    assert unknown_shares(every.build(0)) == [0.0, 0.0]
    assert told(caplog, every) == "Unknown words in the test texts: 0% in task A, 0% in task B."


def test_only_training_words_have_tokens(tmp_path):
    rows = [(f"word{k} common", k % 2) for k in range(80)]
    path = tmp_path / "t.csv"
    pd.DataFrame(rows, columns=["text", "label"]).assign(task=["u"] * 40 + ["v"] * 40).to_csv(
        path, index=False
    )
    stream = TextFile(path=str(path), task="task", vocabulary="all").build(0)
    train = {f"word{k}" for task in stream.tasks for k in task.train.tolist()}
    assert set(stream.vocabulary[2:]) == train | {"common"}


def test_texts_without_spaces_are_told_and_can_be_cut_by_characters(paths, caplog):
    words, characters = (TextFile(path=paths["c"], unit=unit) for unit in ("word", "character"))
    assert unknown_shares(words.build(0)) == [1.0]
    assert unknown_shares(characters.build(0))[0] < 0.2
    assert told(caplog, words).endswith(
        "For texts without spaces between words there is stream.unit=character."
    )
    stream = characters.build(0)
    row = stream.tasks[0].train[0]
    text = pd.read_csv(paths["c"])["text"][int(row)]
    assert "".join(stream.vocabulary[token] for token in stream.inputs[row] if token) == text


def test_of_many_tasks_the_worst_is_told(paths, caplog):
    line = told(caplog, TextFile(path=(paths["a"], paths["a"], paths["b"], paths["a"])))
    assert line.startswith("Unknown words in the test texts: 0% in task 0, at most 75% in task 2.")


@pytest.mark.parametrize("field", ["vocabulary", "unit"])
def test_an_unknown_choice_is_one_line(paths, field):
    (line,) = TextFile(path=paths["a"], **{field: "other"}).problems()
    assert f"stream.{field}=other. Known: " in line
