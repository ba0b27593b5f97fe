import csv
import json
import os
from pathlib import Path

import jax
import numpy as np
import pytest

from dlgm_jax import Corpus, load_run
from dlgm_jax.data import compact, source
from dlgm_jax.data.formats import nvdm
from dlgm_jax.introspection.jacobian import jacobian_mean
from dlgm_jax.introspection.spectrum import directions
from experiments.transform import nearest_directions
from tests.experiments.conftest import SMALL


def documents(counts, order, words):
    """Rows of counts as OCTIS would write them, with their words in another order."""
    names = np.array(words)[order]
    return "".join(" ".join(np.repeat(names, row[order])) + "\n" for row in counts)


def write(folder, counts, words, order, others=()):
    folder.mkdir()
    (folder / "vocabulary.txt").write_text("".join(f"{word}\n" for word in [*np.array(words)[order], *others]))
    (folder / "corpus.tsv").write_text(documents(counts, order, words))
    return folder


def transformed(command, workdir, given, output, *flags):
    code, out, err = command("transform", f"--workdir={workdir}", f"--input={given}", f"--output={output}", *flags)
    assert code == 0, err
    return out


def test_documents_are_aligned_by_word_and_stand_alone(command, finished, nvdm_folder, tmp_path):
    workdir, run = finished[0], load_run(finished[0])
    test = nvdm.read(nvdm_folder)[1]
    counts, words = test.counts.toarray()[:9], test.vocabulary
    counts[4] = 0
    own = write(tmp_path / "own", counts, words, np.arange(len(words)))
    order = np.random.default_rng(0).permutation(len(words))
    other = write(tmp_path / "other", counts[[8, 4, 2]], words, order, others=("zebra", "quagga"))
    with (other / "corpus.tsv").open("a") as file:
        file.write("zebra quagga zebra\n" + words[0] + " zebra\n")
    first = transformed(command, workdir, own, tmp_path / "own.npz", "--eval_M=5")
    transformed(command, workdir, other, tmp_path / "other.npz", "--eval_M=5")
    with np.load(tmp_path / "own.npz") as ours, np.load(tmp_path / "other.npz") as theirs:
        for name in ("mean", "log_var", "perplexity", "length"):
            np.testing.assert_array_equal(ours[name][[8, 4, 2]], theirs[name][:3])
        assert ours["is_prior"].tolist() == [row == 4 for row in range(9)]
        assert theirs["is_prior"].tolist() == [False, True, False, True, False]
        np.testing.assert_allclose(theirs["unknown"], [0, 0, 0, 1, 0.5])
        assert not ours["mean"][4].any()
        assert not ours["log_var"][4].any()
        assert np.isnan(ours["perplexity"][4])
        assert (ours["perplexity"][ours["length"] > 0] > 1).all()
        assert ours["mean"].shape == (9, run.config["K"])
        mean = np.delete(ours["mean"], 4, axis=0)
        assert np.abs(mean).max() > 0
    assert "of 1 document no word is known, so that the posterior is the prior" in first
    assert "9 documents, perplexity" in first


def test_csv_and_parquet_hold_the_same(command, finished, nvdm_folder, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    test = nvdm.read(nvdm_folder)[1]
    source = write(tmp_path / "own", test.counts.toarray()[:5], test.vocabulary, np.arange(test.vocab_size))
    for end in ("csv", "parquet"):
        transformed(command, finished[0], source, tmp_path / f"out.{end}", "--eval_M=5")
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    table = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["id"] for row in rows] == [row["id"] for row in table] == [f"corpus/{n}" for n in range(1, 6)]
    for row, other in zip(rows, table):
        assert float(row["mean_2"]) == other["mean_2"]
        assert row["directions"] == other["directions"]
        assert row["is_prior"] == "False"


def test_texts_are_read_as_those_of_the_run(command, tmp_path):
    rng = np.random.default_rng(0)
    words = ["River1", "Bank2", "Water3", "the"]
    lines = [json.dumps({"text": f"From: x\n\n{' '.join(rng.choice(words, 12))}"}) for _ in range(60)]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines))
    arguments = [f"--input={tmp_path / 'texts.jsonl'}", f"--output={tmp_path / 'corpus'}", "--min_count=2"]
    code, _, err = command("prepare", *arguments, r"--token_pattern=[a-z]+\d", "--drop_headers", "--test_size=10")
    assert code == 0, err
    run = [*SMALL[:3], "--batch_size=20", "--valid_size=10", "--eval_M=1", "--M=1", "--epochs=1"]
    code, _, err = command("train", f"--dataset={tmp_path / 'corpus'}", f"--workdir={tmp_path / 'run'}", *run)
    assert code == 0, err
    (tmp_path / "new.jsonl").write_text(json.dumps({"text": "river1 bank2\n\nRIVER1 zebra4 the the", "id": "n"}))
    transformed(command, tmp_path / "run", tmp_path / "new.jsonl", tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as found:
        assert (found["id"].tolist(), found["length"].tolist(), found["unknown"].tolist()) == (["n"], [1], [0.5])


def outputs(folder):
    """Of every written form, {name: column} of the first four columns."""
    parquet = pytest.importorskip("pyarrow.parquet")
    names = ("id", "label", "split", "length")
    with np.load(folder / "out.npz") as found:
        yield {name: found[name].tolist() for name in names}
    with (folder / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0])[:4] == names
    yield {name: [int(row[name]) if name == "length" else row[name] for row in rows] for name in names}
    table = parquet.read_table(folder / "out.parquet")
    assert tuple(table.column_names[:4]) == names
    yield {name: table[name].to_pylist() for name in names}


def test_labels_and_splits_of_texts_stand_in_every_output(command, finished, tmp_path):
    rows = [
        {"text": "w1 w2", "id": "a", "label": "sport", "split": "test"},
        {"text": "w3", "id": "b"},
        {"text": "w1 w1 w4", "id": "c", "label": "news", "split": "train"},
        {"text": "zebra", "id": "d", "split": "test"},
    ]
    source = tmp_path / "new.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)))
    for end in ("npz", "csv", "parquet"):
        transformed(command, finished[0], source, tmp_path / f"out.{end}", "--eval_M=5")
    for found in outputs(tmp_path):
        assert found["id"] == ["a", "b", "c", "d"]
        assert found["label"] == ["sport", "", "news", ""]
        assert found["split"] == ["test", "", "train", "test"]


def test_splits_stay_with_their_texts_over_several_parts(command, finished, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "BLOCK", 2)
    splits = ["test", "train", "", "train", "test"]
    rows = [{"text": "w1 w2", "id": str(n)} | ({"split": split} if split else {}) for n, split in enumerate(splits)]
    (tmp_path / "new.jsonl").write_text("\n".join(map(json.dumps, rows)))
    transformed(command, finished[0], tmp_path / "new.jsonl", tmp_path / "out.csv", "--eval_M=1")
    with open(tmp_path / "out.csv", newline="") as file:
        assert [(row["id"], row["split"]) for row in csv.DictReader(file)] == list(zip("01234", splits))


def test_a_parquet_file_may_have_any_name(command, finished, tmp_path):
    (tmp_path / "new.jsonl").write_text(json.dumps({"text": "w1 w2", "id": "a"}))
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    transformed(command, finished[0], tmp_path / "new.jsonl", folder / "out.parquet", "--eval_M=1")
    with (folder / "out.parquet").open("rb") as file:
        assert pytest.importorskip("pyarrow.parquet").read_table(file)["id"].to_pylist() == ["a"]


def test_what_is_refused_leaves_nothing_behind(command, finished, tmp_path):
    for workdir, given in ((tmp_path / "none", tmp_path), (finished[0], tmp_path / "none.jsonl")):
        output = tmp_path / "new" / "folder" / "out.csv"
        code, _, err = command("transform", f"--workdir={workdir}", f"--input={given}", f"--output={output}")
        assert (code, len(err.splitlines())) == (2, 1)
        assert not (tmp_path / "new").exists()
    (tmp_path / "link.csv").symlink_to(tmp_path / "nowhere")
    flags = [f"--workdir={finished[0]}", f"--input={tmp_path}", f"--output={tmp_path / 'link.csv'}"]
    code, _, err = command("transform", *flags)
    assert code == 2
    assert "link.csv, which is there already" in err


def test_labels_and_splits_of_counts_stand_in_every_output(command, finished, nvdm_folder, tmp_path):
    train, test = (nvdm.read(nvdm_folder)[place].counts.toarray()[:3] for place in (0, 1))
    words = tuple(f"w{v}" for v in range(30))
    with compact.Writer(tmp_path / "corpus", words, {}) as writer:
        writer.add("train", Corpus(train, words, ("a", "b", "c"), ("x", "", "y")))
        writer.add("test", Corpus(test, words, ("d", "e", "f")))
    for end in ("npz", "csv", "parquet"):
        transformed(command, finished[0], tmp_path / "corpus", tmp_path / f"out.{end}", "--eval_M=5")
    for found in outputs(tmp_path):
        assert found["label"] == ["x", "", "y", "", "", ""]
        assert found["split"] == ["train"] * 3 + ["test"] * 3
        assert found["length"] == [*train.sum(1), *test.sum(1)]


def test_labels_of_a_file_of_their_own(command, finished, tmp_path):
    (tmp_path / "new.txt").write_text("w1 w2\nw3\nw4\n")
    (tmp_path / "labels.txt").write_text("sport\nnews\nsport\n")
    flag = f"--labels={tmp_path / 'labels.txt'}"
    transformed(command, finished[0], tmp_path / "new.txt", tmp_path / "out.csv", "--eval_M=5", flag)
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["label"], row["split"]) for row in rows] == [("sport", ""), ("news", ""), ("sport", "")]
    (tmp_path / "labels.txt").write_text("sport\n")
    arguments = [f"--workdir={finished[0]}", f"--input={tmp_path / 'new.txt'}", f"--output={tmp_path / 'two.csv'}"]
    code, _, err = command("transform", *arguments, "--eval_M=5", flag)
    assert code == 2
    assert "expected 3 labels, one a line for each document, found 1" in err
    assert not (tmp_path / "two.csv").exists()


def test_directions_are_named_by_the_end_that_a_document_lies_at(finished):
    run = load_run(finished[0])
    jacobian = np.asarray(jacobian_mean(run.params, jax.random.key(0)))
    named = directions(jacobian, num_directions=3, num_words=2)
    means = np.stack([2 * named[1].latent, -named[0].latent, np.zeros(len(named[0].latent))])
    found = nearest_directions(means, named, run.vocabulary)
    words = [run.vocabulary[word] for word in named[1].top]
    assert found[0].startswith(f"+2 {' '.join(words)}")
    assert found[1].startswith(f"-1 {' '.join(run.vocabulary[word] for word in named[0].bottom)}")
    assert found[2] == ""
    along = jacobian @ named[1].latent  # what moving along the direction does to the words
    assert set(named[1].top) == set(np.argsort(-along)[:2])


BAD = [
    (["--output=OUT.txt"], "--output: expected a file .npz, .csv, .parquet, found"),
    (["--output=OUT.csv", "--input=nowhere"], "--input: expected a file or a folder, found no nowhere"),
    (["--output=OUT.csv", "--workdir=nowhere"], "nowhere: expected the workdir of a run"),
    (["--output=OUT.csv", "--eval_M=4", "--eval_refiner=fisher"], "--eval_M: expected an odd number"),
    (["--output=THERE.csv"], "--output: expected a new file, found"),
    (["--output=OUT.csv", "--vocab=x"], "--vocab: expected to go with counts"),
    (["--output=OUT.csv", "--columns=a,b,c,d"], "--columns: expected document,word or document,word,count"),
    (["--output=OUT.csv", "--labels=nowhere"], "--labels: expected a file, found no nowhere"),
    (["--output=OUT.csv", "--index_base=2"], "--index_base: expected 0 or 1, found '2'"),
]


def test_bad_input_is_one_line(command, finished, tmp_path):
    (tmp_path / "THERE.csv").write_text("")
    (tmp_path / "in.txt").write_text("w1 w2\n")
    for flags, message in BAD:
        given = {"--workdir": str(finished[0]), "--input": str(tmp_path / "in.txt")}
        given |= dict(flag.split("=", 1) for flag in flags)
        given["--output"] = str(tmp_path / given["--output"])
        code, _, err = command("transform", *(f"{name}={value}" for name, value in given.items()))
        assert (code, len(err.splitlines())) == (2, 1)
        assert message in err
