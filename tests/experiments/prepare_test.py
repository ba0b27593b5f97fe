import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from dlgm_jax.data import datasets
from dlgm_jax.data.formats import nvdm
from experiments.flags.command import parse
from experiments.flags.config import FAST
from experiments.workdir.locks import held
from tests.conftest import as_corpus
from tests.data.tables_test import movielens


def texts(path, number=40):
    rng = np.random.default_rng(0)
    words = ["river", "bank", "water", "money", "loan", "fish"]
    with path.open("w") as file:
        for place in range(number):
            text = " ".join(rng.choice(words, 12)) + (" jaguar" if place == 3 else "")
            file.write(json.dumps({"text": text, "label": "ab"[place % 2]}) + "\n")
    return path


def stored(folder):
    dataset = datasets.load(str(folder))
    return dataset.train, dataset.test


def test_texts_become_a_corpus_that_trains(command, tmp_path):
    source = texts(tmp_path / "docs.jsonl")
    (tmp_path / "pairs.txt").write_text("Jaguar\tcat\t7.0\n")
    arguments = [f"--input={source}", f"--output={tmp_path / 'out'}", f"--keep={tmp_path / 'pairs.txt'}"]
    code, out, err = command("prepare", *arguments, "--vocab_size=5", "--min_count=3", "--test_size=6", "--seed=2")
    assert code == 0, err
    train, test = stored(tmp_path / "out")
    assert set(train.vocabulary) <= {"river", "bank", "water", "money", "loan", "fish", "jaguar"}
    assert len(train.vocabulary) == 5 + ("jaguar" in train.vocabulary)
    assert (train.num_documents, test.num_documents) == (34, 6)
    assert set(train.labels) == {"a", "b"}
    assert "34 documents" in out
    assert "Left out:" in out
    run = ["--K=3", "--generative_widths=4", "--epochs=1", "--M=1", "--eval_M=1", "--valid_size=5"]
    code, _, err = command("train", f"--dataset={tmp_path / 'out'}", f"--workdir={tmp_path / 'run'}", *run)
    assert code == 0, err


def test_a_test_file_of_its_own(command, tmp_path):
    source, other = texts(tmp_path / "docs.jsonl"), tmp_path / "test.txt"
    other.write_text("river bank\nmoney zebra\n")
    code, _, err = command("prepare", f"--input={source}", f"--output={tmp_path / 'out'}", f"--test={other}")
    assert code == 0, err
    train, test = stored(tmp_path / "out")
    assert (train.num_documents, test.lengths.tolist()) == (40, [2, 1])


def test_a_table_becomes_a_corpus(command, tmp_path):
    folder = movielens(tmp_path / "ml")
    code, _, err = command("prepare", f"--input={folder}", f"--output={tmp_path / 'out'}")
    assert code == 0, err
    train, test = stored(tmp_path / "out")
    assert "Heat, The (1995)" in train.vocabulary
    assert (train.num_documents, test.num_documents) == (1, 1)


def test_words_that_few_training_documents_hold_are_left_out(command, tmp_path):
    rows = [(user, word) for user in range(10) for word in ("often", "sometimes", "rarely")]
    rows = [(user, word) for user, word in rows if word == "often" or user < {"sometimes": 6, "rarely": 1}[word]]
    table = tmp_path / "table.csv"
    table.write_text("document,word\n" + "".join(f"{user},{word}\n" for user, word in rows))
    arguments = [f"--input={table}", f"--output={tmp_path / 'out'}", "--min_count=3", "--test_size=2"]
    code, out, err = command("prepare", *arguments)
    assert code == 0, err
    train, test = stored(tmp_path / "out")
    assert train.vocabulary == ("often", "sometimes")
    assert (train.num_documents, test.num_documents) == (8, 2)
    assert "Left out: 1 word of training documents" in out


def test_what_is_written_is_read_back(tmp_path):
    counts = np.random.default_rng(0).poisson(0.3, (9, 5))
    counts[4] = 0
    corpus = as_corpus(counts)
    nvdm.write(tmp_path / "deep" / "out", corpus, corpus.select([1, 2]))
    train, test = nvdm.read(tmp_path / "deep" / "out")
    assert train.fingerprint() == corpus.fingerprint()
    assert test.counts.toarray().tolist() == counts[1:3].tolist()
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["out"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output=OUT"], "--input: expected a folder, found nothing"),
        (["--input=nowhere.txt", "--output=OUT"], "--input: expected a file or a folder, found no nowhere.txt"),
        (["--input=DOCS", "--output=TMP"], "--output: expected a new folder, found "),
        (["--input=DOCS", "--output=OUT", "--min_count=-1"], "--min_count: expected a whole number from 0, found -1"),
        (["--input=DOCS", "--output=OUT", "--min_count=999"], "expected words seen 999 times"),
        (["--input=DOCS", "--output=OUT", "--keep=DOCS"], "docs.jsonl:1: expected two words and a rating"),
        (["--input=EMPTY", "--output=OUT"], "expected a folder of NVDM (train.feat), TopMost"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(command, tmp_path, arguments, message):
    docs = texts(tmp_path / "docs.jsonl")
    places = {"DOCS": str(docs), "OUT": str(tmp_path / "out"), "TMP": str(tmp_path), "EMPTY": str(tmp_path / "empty")}
    (tmp_path / "empty").mkdir()
    for name, path in places.items():
        arguments = [argument.replace(f"={name}", f"={path}") for argument in arguments]
    code, _, err = command("prepare", *arguments)
    assert code == 2
    assert message in err
    assert err.splitlines()[-1].startswith("error: ")
    assert not (tmp_path / "out").exists()


def test_a_test_file_of_counts_is_aligned_by_word(command, tmp_path):
    (tmp_path / "train.csv").write_text("document,word,count\n1,a,2\n1,b,1\n2,b,4\n")
    (tmp_path / "test.csv").write_text("document,word,count\n7,c,5\n7,b,3\n")
    arguments = [f"--input={tmp_path / 'train.csv'}", f"--test={tmp_path / 'test.csv'}", f"--output={tmp_path / 'out'}"]
    code, out, err = command("prepare", *arguments)
    assert code == 0, err
    train, test = stored(tmp_path / "out")
    assert train.vocabulary == ("b", "a")
    assert test.in_memory().counts.toarray().tolist() == [[3, 0]]
    assert "Left out: 5 tokens of test documents" in out


def test_given_words_are_counted_and_no_others(command, tmp_path):
    source = texts(tmp_path / "docs.jsonl")
    (tmp_path / "words.txt").write_text("loan\nzebra\nthe\n")
    arguments = [f"--input={source}", f"--output={tmp_path / 'out'}", f"--vocab={tmp_path / 'words.txt'}"]
    code, out, err = command("prepare", *arguments, "--test_size=5")
    assert code == 0, err
    train, test = stored(tmp_path / "out")
    assert train.vocabulary == test.vocabulary == ("loan", "zebra", "the")
    assert " without a word of the vocabulary" in out
    assert train.num_documents + test.num_documents < 40
    words = " ".join(json.loads(line)["text"] for line in source.open()).split()
    outside = sum(word != "loan" for word in words)
    assert f"Left out: {outside:,} of {len(words):,} tokens, whose words are not in --vocab." in out


def test_flags_that_nothing_reads_and_labels_that_nobody_has_are_refused(command, tmp_path):
    source = texts(tmp_path / "docs.jsonl")
    (tmp_path / "t.csv").write_text("document,word\n1,a\n2,b\n3,a\n")
    table = f"--input={tmp_path / 't.csv'}"
    cases = [
        ([f"--input={source}", "--label=nosuch", "--min_count=1"], "--label: expected a field that documents have"),
        ([f"--input={source}", "--seed=-1"], "--seed: expected a whole number from 0"),
        (
            [table, "--transposed"],
            "--transposed: expected to go with dense, mtx, npz, found an input that is read as triplets",
        ),
        ([table, "--label=x"], "--label: expected to go with hdf5, text, found an input that is read as triplets"),
    ]
    (tmp_path / "split.jsonl").write_text('{"text": "a", "split": "train"}\n{"text": "b", "split": "test"}\n')
    divided = [f"--input={tmp_path / 'split.jsonl'}", f"--test={source}"]
    for arguments, message in [*cases, (divided, "--test: expected an input that is not divided")]:
        code, _, err = command("prepare", *arguments, f"--output={tmp_path / 'out'}")
        assert code == 2
        assert message in err.splitlines()[-1]
        assert not (tmp_path / "out").exists()


def test_a_split_says_when_only_some_documents_have_a_label(command, tmp_path):
    source = texts(tmp_path / "docs.jsonl")
    with source.open("a") as file:
        file.write(json.dumps({"text": "river bank water"}) + "\n")
    arguments = [f"--input={source}", f"--output={tmp_path / 'out'}", "--min_count=1", "--test_size=2", "--seed=1"]
    code, out, err = command("prepare", *arguments)
    assert code == 0, err
    assert re.search("labels of [0-9]+ of them", out)


def test_what_a_killed_build_left_is_cleared_away_and_nothing_else(command, tmp_path):
    source, output = texts(tmp_path / "docs.jsonl"), tmp_path / "out"
    for name in (".out-abcd1234", ".out-2-abcd1234", ".out-abcd12345"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vocab.txt").write_text("a")
    (tmp_path / ".out-0f0f0f0f").mkdir()
    (tmp_path / ".out-0f0f0f0f" / "notes.txt").write_text("not a builder's")
    code, _, err = command("prepare", f"--input={source}", f"--output={output}", "--min_count=1")
    assert code == 0, err
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".out-0f0f0f0f",
        ".out-2-abcd1234",
        ".out-abcd12345",
        "docs.jsonl",
        "out",
    ]


def test_two_builds_of_one_folder_are_refused(command, tmp_path):
    source, output = texts(tmp_path / "docs.jsonl"), tmp_path / "out"
    with held(tmp_path / ".out.lock", "out"):
        code, _, err = command("prepare", f"--input={source}", f"--output={output}", "--min_count=1")
    assert code == 2
    assert f"{output}: expected that no one writes to it, found process {os.getpid()} of" in err
    assert not output.exists()


def test_labels_of_a_file_do_not_ask_the_input_for_the_same_column(command, tmp_path):
    rows = [{"text": "river bank", "id": number, "kind": "its own"} for number in range(40)]
    (tmp_path / "docs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "kinds.csv").write_text("id,kind\n" + "".join(f"{n},{'xy'[n % 2]}\n" for n in range(40)))
    flags = [f"--labels={tmp_path / 'kinds.csv'}", "--label=kind", "--min_count=1", "--test_size=5"]
    code, _, err = command("prepare", f"--input={tmp_path / 'docs.jsonl'}", f"--output={tmp_path / 'out'}", *flags)
    assert code == 0, err
    train, _ = stored(tmp_path / "out")
    assert all(label == "xy"[int(name) % 2] for name, label in zip(train.ids, train.labels))


def test_stop_words_beside_a_vocabulary_are_refused(command, tmp_path):
    source = texts(tmp_path / "docs.jsonl")
    (tmp_path / "words").write_text("river\n")
    flags = [f"--vocab={tmp_path / 'words'}", "--stop_words=none", f"--output={tmp_path / 'out'}"]
    code, _, err = command("prepare", f"--input={source}", *flags)
    assert code == 2
    assert (
        "--vocab: expected to go without --vocab_size, --min_count, --keep and --stop_words, found --stop_words" in err
    )


def test_the_command_that_is_printed_scores_by_the_refiner_that_it_trains_with(command, tmp_path):
    source = texts(tmp_path / "docs.jsonl")
    code, out, err = command("prepare", f"--input={source}", f"--output={tmp_path / 'corpus'}", "--test_size=20")
    assert code == 0, err
    printed = out.splitlines()[-1].split("python -m experiments.train ")[1].split()
    config = parse(["train", *printed], about="", own={}).config()
    assert config.dataset == str(tmp_path / "corpus")
    assert (config.M, config.refiner) == (config.eval_M, config.eval_refiner) == (13, "fisher")
    readme = (Path(__file__).parent.parent.parent / "README.md").read_text(encoding="utf-8")
    commands = [line for line in readme.splitlines() if "--refiner=fisher" in line and "experiments.train" in line]
    assert len(commands) == 2
    assert all(FAST in line for line in commands)
