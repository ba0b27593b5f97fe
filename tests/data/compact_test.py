import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlgm_jax import BadInput, Corpus
from dlgm_jax.data import batches, compact
from tests.conftest import as_corpus

RNG = np.random.default_rng(0)
COUNTS = RNG.poisson(0.4, (37, 9))
COUNTS[5] = 0
WORDS = tuple(f"word {column}" for column in range(9))
LABELS = tuple("abc"[row % 3] for row in range(37))
CORPUS = Corpus(COUNTS, WORDS, tuple(f"doc {row}" for row in range(37)), LABELS)


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """Written in uneven parts, in shards of about 20 entries."""
    monkeypatch.setattr(compact, "SHARD", 20)
    with compact.Writer(tmp_path / "out", WORDS, {"input": "x"}) as writer:
        for part in np.split(np.arange(37), [1, 11, 12, 30]):
            writer.add("train", CORPUS.select(part))
        writer.add("test", CORPUS.select([3, 1]))
    return compact.load(tmp_path / "out")[0]


def test_a_corpus_comes_back(stored):
    train = stored["train"]
    assert len(train.shards) > 2
    found = train.in_memory()
    np.testing.assert_array_equal(found.counts.toarray(), COUNTS)
    assert (found.vocabulary, found.ids, found.labels) == (WORDS, CORPUS.ids, LABELS)
    np.testing.assert_array_equal(stored["test"].in_memory().counts.toarray(), COUNTS[[3, 1]])
    np.testing.assert_array_equal(train.lengths, CORPUS.lengths)
    np.testing.assert_array_equal(train.entries(), CORPUS.entries())
    np.testing.assert_array_equal(train.document_frequencies(), CORPUS.document_frequencies())
    np.testing.assert_array_equal(train.word_frequencies(), CORPUS.word_frequencies())


@settings(max_examples=30)
@given(st.lists(st.integers(0, 36), max_size=50), st.lists(st.integers(0, 36), min_size=1, max_size=50))
def test_any_rows_of_any_selection(tmp_path_factory, rows, chosen):
    folder = tmp_path_factory.getbasetemp() / "stored-once"
    if not folder.exists():
        with pytest.MonkeyPatch.context() as patch, compact.Writer(folder, WORDS, {}) as writer:
            patch.setattr(compact, "SHARD", 20)
            for part in np.array_split(np.arange(37), 5):
                writer.add("train", CORPUS.select(part))
    train = compact.load(folder)[0]["train"]
    np.testing.assert_array_equal(train.rows(np.asarray(rows, int)).toarray(), COUNTS[rows])
    view = train.select(chosen)
    places = np.asarray([place % len(chosen) for place in rows], int)
    np.testing.assert_array_equal(view.rows(places).toarray(), COUNTS[chosen][places])
    np.testing.assert_array_equal(
        view.select(places).in_memory().counts.toarray() if rows else [], COUNTS[chosen][places] if rows else []
    )
    assert list(view.ids) == [CORPUS.ids[row] for row in chosen]
    assert list(view.labels) == [LABELS[row] for row in chosen]


def test_batches_are_those_of_the_corpus_in_memory(stored):
    sizes = batches.padded_sizes(8, CORPUS)
    assert batches.padded_sizes(8, stored["train"]) == sizes
    ours, theirs = (
        list(batches.ahead(batches.epoch_batches(corpus, 8, seed=3, epoch=2, sizes=sizes)))
        for corpus in (stored["train"], CORPUS)
    )
    assert len(ours) == len(theirs) == 5
    for one, other in zip(ours, theirs):
        for array, expected in zip((*one.counts, *one[1:]), (*other.counts, *other[1:])):
            np.testing.assert_array_equal(array, expected)


def test_a_fingerprint_is_of_counts_words_and_selection(stored, tmp_path):
    same = compact.load(stored["train"].folder)[0]["train"]
    assert same.fingerprint() == stored["train"].fingerprint()
    assert same.select(np.arange(37)[::-1]).fingerprint() != same.fingerprint()
    other = COUNTS.copy()
    other[36, 8] += 1
    for name, corpus in (("counts", as_corpus(other)), ("words", as_corpus(COUNTS))):
        with compact.Writer(tmp_path / name, corpus.vocabulary, {}) as writer:
            writer.add("train", corpus)
    found = [compact.load(tmp_path / name)[0]["train"].fingerprint() for name in ("counts", "words")]
    assert len({same.fingerprint(), *found}) == 3


def test_what_fails_on_the_way_leaves_nothing(tmp_path):
    def fail():
        with compact.Writer(tmp_path / "out", WORDS, {}) as writer:
            writer.add("train", CORPUS)
            assert not (tmp_path / "out").exists()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_build_leaves_nothing_that_looks_whole(tmp_path):
    code = (
        "import os, sys\nfrom dlgm_jax import Corpus\nfrom dlgm_jax.data import compact\n"
        "with compact.Writer(sys.argv[1], ('a',), {}) as writer:\n"
        "    writer.add('train', Corpus([[1], [2]], ('a',), ('x', 'y')))\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], check=False)
    left = list(tmp_path.iterdir())
    assert killed.returncode == -9
    assert left
    assert not (tmp_path / "out").exists()
    assert not any(compact.holds(folder) for folder in left)


def damage(stored, name, change):
    path = stored["train"].folder / name
    path.write_bytes(change(path.read_bytes()))


def facts(split="train", shards=None, **sizes):
    """A change of corpus.json."""

    def change(content):
        found = json.loads(content)
        held = found["splits"].pop("train")
        held["shards"][0] |= sizes
        found["splits"][split] = held if shards is None else held | {"shards": shards}
        return json.dumps(found).encode()

    return change


OVERFLOWING = np.array([2**63 - 1, -(2**63)]).astype("<i8").tobytes()  # the second less the first is 1


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("train-00001.words", lambda b: b[:-4], r"train-00001\.words: expected a file of \d+ bytes, found one of"),
        ("train-00000.starts", lambda b: b[:8] + b[16:] + b[:8], r"starts of \d+ documents in train"),
        ("train-00000.labels", lambda b: b"\xff\xff\xff\x7f" + b[4:], r"labels from -1 to 2 in train"),
        ("corpus.json", lambda b: b[:-20], r"corpus\.json: expected a corpus that prepare wrote"),
        ("corpus.json", lambda b: b.replace(b"corpus 1", b"corpus 9"), r"corpus\.json: expected a corpus that prepare"),
        ("corpus.json", lambda b: b'{"form": "dlgm-jax corpus 1", "splits": [1]}', r"corpus\.json: expected a corpus"),
        ("vocab.txt", lambda b: b"one\none\n", r"vocab\.txt: expected distinct words"),
        ("train-00000.ids", lambda b: b[:-2], r"train-00000\.ids: expected \d+ names, one a line"),
        ("train-00000.ids", lambda b: b"\xff" + b, r"train-00000\.ids: expected a name a line"),
        ("train-00000.starts", lambda b: b[:8] + OVERFLOWING + b[24:], r"starts of \d+ documents in train"),
        ("corpus.json", facts(documents=-1), r"corpus\.json: .* -1 documents and"),
        ("corpus.json", facts(entries=float("inf")), r"corpus\.json: expected a corpus that prepare wrote"),
        ("corpus.json", facts(split="../train"), r"corpus\.json: .* a split '\.\./train'"),
        ("corpus.json", lambda b: b'{"form": "a\\n"}', r"corpus\.json: .*the form 'a"),
    ],
)
def test_damage_is_one_line(stored, name, change, message):
    damage(stored, name, change)
    with pytest.raises(BadInput, match=message) as caught:
        compact.load(stored["train"].folder)[0]["train"].in_memory()
    assert "\n" not in str(caught.value)


def test_a_split_without_documents_is_refused(stored):
    damage(stored, "corpus.json", facts(shards=[]))
    with pytest.raises(BadInput, match="no documents in 'train'"):
        compact.load(stored["train"].folder)


def test_words_beyond_the_vocabulary_are_refused_when_they_are_read(stored):
    damage(stored, "train-00000.words", lambda b: b"\x09\x00\x00\x00" + b[4:])
    train = compact.load(stored["train"].folder)[0]["train"]
    with pytest.raises(BadInput, match="expected counts from 1 of words that it has"):
        train.rows(np.arange(37))


def test_documents_without_a_label_stay_among_those_that_have_one(tmp_path):
    with compact.Writer(tmp_path / "out", WORDS, {}) as writer:
        writer.add("train", CORPUS)
        writer.add("train", as_corpus(COUNTS))
        writer.add("test", CORPUS)
    splits, _ = compact.load(tmp_path / "out")
    assert list(splits["train"].labels) == [*LABELS, *[""] * len(COUNTS)]
    assert list(splits["test"].labels) == list(LABELS)
    assert json.loads((tmp_path / "out" / "corpus.json").read_text())["labels"] == ["a", "b", "c"]


def test_folders_that_are_there_and_odd_words_are_refused(tmp_path):
    with pytest.raises(BadInput, match="expected a new folder"):
        compact.Writer(tmp_path, WORDS, {})
    for word in ("", " a", "a\n", "a\nb"):
        with pytest.raises(BadInput, match="expected words without white space around them"):
            compact.Writer(tmp_path / "out", ("fine", word), {})


def test_pages_that_were_read_are_let_go(tmp_path):
    if not Path("/proc/self/smaps").exists():
        pytest.skip("needs /proc")
    wide = as_corpus(np.ones((4000, 500), int))
    with compact.Writer(tmp_path / "out", wide.vocabulary, {}) as writer:
        writer.add("train", wide)
    train = compact.load(tmp_path / "out")[0]["train"]

    def mapped():
        """Of the files of the corpus, pages in memory, kB."""
        text = Path("/proc/self/smaps").read_text().split(str(tmp_path))[1:]
        return sum(int(part.split("Rss:")[1].split()[0]) for part in text)

    train.rows(np.arange(4000))
    assert mapped() > 10_000
    assert train.word_frequencies().sum() == 2_000_000
    assert mapped() < 1_000
