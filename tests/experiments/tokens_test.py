"""RCV1-v2's token files from `prepare` to `transform`, beside a count of their own."""

import gzip
from collections import Counter

import numpy as np
import pytest

from dlgm_jax.data import datasets

STEMS = ["recov", "excit", "interest", "bill", "1997", "x", "u.s", "mexic"]  # two are of scikit-learn's stop words


def drawn(number=60):
    """Tokens by the numbers of their documents; one has none."""
    rng = np.random.default_rng(3)
    chances = np.arange(len(STEMS), 0, -1) / sum(range(len(STEMS) + 1))
    found = {
        2286 + 3 * place: list(map(str, rng.choice(STEMS, rng.integers(1, 9), p=chances))) for place in range(number)
    }
    return found | {5: [], 7: ["zymurgi"]}


def written(documents):
    return "".join(
        f".I {number}\n.W\n" + "".join(f"{' '.join(tokens[i : i + 4])}\n" for i in range(0, len(tokens), 4)) + "\n"
        for number, tokens in documents.items()
    )


@pytest.fixture
def folder(tmp_path):
    path, documents = tmp_path / "in", list(drawn().items())
    path.mkdir()
    (path / "lyrl2004_tokens_train.dat").write_text(written(dict(documents[:20])))
    (path / "lyrl2004_tokens_test_pt0.dat.gz").write_bytes(gzip.compress(written(dict(documents[20:50])).encode()))
    (path / "lyrl2004_tokens_test_pt1.dat").write_text(written(dict(documents[50:])))
    return path


def prepared(command, source, output, *flags):
    code, out, err = command("prepare", f"--input={source}", f"--output={output}", *flags)
    assert code == 0, err
    return datasets.load(str(output)), out


def check_counts(dataset, documents):
    """Each document holds what a plain count of it says, and only documents without a known word are missing."""
    words, numbers = dataset.train.vocabulary, []
    for stored in (dataset.train, dataset.test):
        corpus = stored.in_memory()
        for number, row in zip(map(int, corpus.ids), corpus.counts.toarray()):
            counts = Counter(documents[number])
            assert row.tolist() == [counts[word] for word in words]
            numbers.append(number)
    assert sorted(numbers) == sorted(number for number, tokens in documents.items() if set(tokens) & set(words))


def test_tokens_become_a_corpus(command, folder, tmp_path):
    documents = drawn()
    flags = ["--vocab_size=4", "--min_count=2", "--test_size=6", "--seed=1"]
    dataset, out = prepared(command, folder, tmp_path / "out", *flags)
    assert "as lyrl2004; the corpus goes" in out
    check_counts(dataset, documents)
    test = set(dataset.test.in_memory().ids)
    frequencies = Counter(token for number, found in documents.items() if str(number) not in test for token in found)
    assert dataset.train.vocabulary == tuple(sorted(frequencies, key=lambda word: (-frequencies[word], word))[:4])
    assert {"interest", "bill"} <= set(dataset.train.vocabulary)
    assert dataset.origin["format"] == "LYRL2004"
    assert "token_pattern" not in dataset.origin


def test_a_file_is_read_as_a_folder_is(command, folder, tmp_path):
    for name in ("one.dat", "one.dat.gz"):
        text = written(drawn()).encode()
        (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
        dataset, _ = prepared(command, tmp_path / name, tmp_path / f"out-{name}", "--min_count=1", "--test_size=6")
        assert set(dataset.train.vocabulary) >= set(STEMS)
        check_counts(dataset, drawn())


def test_given_words_and_test_documents(command, folder, tmp_path):
    (tmp_path / "words.txt").write_text("zymurgi\nunseen\nbill\n")
    dataset, out = prepared(command, folder, tmp_path / "out", f"--vocab={tmp_path / 'words.txt'}", "--test_size=6")
    assert dataset.train.vocabulary == ("zymurgi", "unseen", "bill")
    check_counts(dataset, drawn())
    assert "documents without a word of the vocabulary" in out
    train, test = folder / "lyrl2004_tokens_train.dat", folder / "lyrl2004_tokens_test_pt0.dat.gz"
    (tmp_path / "pairs.txt").write_text("Bill\tunseen\t7.0\n")
    flags = [f"--test={test}", "--vocab_size=1", f"--keep={tmp_path / 'pairs.txt'}"]
    dataset, _ = prepared(command, train, tmp_path / "own", *flags)
    assert dataset.train.vocabulary == ("recov", "bill")
    check_counts(dataset, dict(list(drawn().items())[:50]))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--token_pattern=[a-z]+"],
            "--token_pattern: expected to go with texts, found an input that is read as lyrl2004",
        ),
        (["--drop_headers"], "--drop_headers: expected to go with texts, found an input that is read as lyrl2004"),
        (["--label=topic"], "--label: expected to go with hdf5, text, found an input that is read as lyrl2004"),
        (
            ["--transposed"],
            "--transposed: expected to go with dense, mtx, npz, found an input that is read as lyrl2004",
        ),
        (
            ["--vocab=WORDS", "--vocab_size=9"],
            "--vocab: expected to go without --vocab_size, --min_count, --keep and --stop_words",
        ),
        (["--test=WORDS"], "words.txt:1: expected .I and the number of a document"),
    ],
)
def test_flags_that_nothing_reads_are_refused(command, folder, tmp_path, flags, message):
    words = tmp_path / "words.txt"
    words.write_text("recov\n")
    flags = [flag.replace("WORDS", str(words)) for flag in flags]
    code, _, err = command("prepare", f"--input={folder}", f"--output={tmp_path / 'out'}", *flags)
    assert code == 2
    assert message in err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_run_takes_new_tokens(command, folder, tmp_path):
    prepared(command, folder, tmp_path / "out", "--min_count=1", "--test_size=6")
    run = [f"--dataset={tmp_path / 'out'}", f"--workdir={tmp_path / 'run'}", "--epochs=1", "--M=1"]
    code, _, err = command("train", *run, "--K=3", "--generative_widths=4", "--eval_M=1", "--valid_size=5")
    assert code == 0, err
    (tmp_path / "new").write_text(".I 1\n.W\ninterest bill bill\nthe 1997\n\n.I 2\n.W\nthe\n")
    new = [f"--workdir={tmp_path / 'run'}", f"--input={tmp_path / 'new'}", f"--output={tmp_path / 'new.npz'}"]
    code, _, err = command("transform", *new)
    assert code == 0, err
    with np.load(tmp_path / "new.npz") as found:
        assert found["id"].tolist() == ["1", "2"]
        assert found["length"].tolist() == [4, 0]
        np.testing.assert_allclose(found["unknown"], [0.2, 1])  # `the` is a token as others are
    code, _, err = command("transform", *new[:2], f"--output={tmp_path / 'b.csv'}", f"--vocab={folder / 'x'}")
    assert code == 2
    assert "--vocab: expected to go with counts" in err.splitlines()[-1]
