"""Texts of other languages through prepare, train and transform."""

import json

import numpy as np
import pytest

from dlgm_jax.data.words import ASCII_WORD, WORD

FRENCH = ["le garçon préfère l'été à l'hôtel", "la forêt et la mer sont très près", "un garçon dans la forêt en été"]


def written(path, texts):
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def prepared(command, tmp_path, texts, *flags):
    source = written(tmp_path / "texts.jsonl", texts)
    rare = [] if any(flag.startswith("--vocab=") for flag in flags) else ["--min_count=1"]
    return command("prepare", f"--input={source}", f"--output={tmp_path / 'out'}", *rare, *flags)


def vocabulary(tmp_path):
    return set((tmp_path / "out" / "vocab.txt").read_text(encoding="utf-8").split())


def test_a_french_text_keeps_its_words(command, tmp_path):
    code, out, err = prepared(command, tmp_path, FRENCH * 4, "--stop_words=french", "--test_size=1")
    assert code == 0, err
    assert {"garçon", "préfère", "hôtel", "forêt", "mer", "près"} <= vocabulary(tmp_path)
    assert not {"le", "la", "et", "été", "très"} & vocabulary(tmp_path)
    assert "of the letters stand in no word" in out
    assert f"Words are what --token_pattern={WORD} matches in lower case; stop words: french." in out
    origin = json.loads((tmp_path / "out" / "corpus.json").read_text())["origin"]
    assert (origin["token_pattern"], origin["normal_form"]) == (WORD, "NFC")


def test_a_russian_text_has_words(command, tmp_path):
    code, _, err = prepared(command, tmp_path, ["мама мыла раму", "папа мыл машину"] * 3, "--test_size=1")
    assert code == 0, err
    assert {"мама", "раму", "машину"} <= vocabulary(tmp_path)


def test_chinese_says_what_to_give(command, tmp_path):
    code, out, err = prepared(command, tmp_path, ["我们都是好朋友", "今天天气很好"] * 3, "--test_size=1")
    assert code == 0, err
    assert "scripts that set no blanks between words" in out
    assert r"--token_pattern='\S+'" in out


def test_words_of_vocab_that_no_text_can_hold_are_counted(command, tmp_path):
    (tmp_path / "words").write_text("forêt\nNew York\nParis\nmer\n", encoding="utf-8")
    code, out, err = prepared(command, tmp_path, FRENCH * 4, f"--vocab={tmp_path / 'words'}", "--test_size=2")
    assert code == 0, err
    assert "2 of 4 words of --vocab can stand in no text as it is cut, as 'New York', 'Paris'" in out


def test_stop_words_of_no_language_are_one_line(command, tmp_path):
    code, _, err = prepared(command, tmp_path, FRENCH, "--stop_words=klingon")
    assert (code, err.count("error:")) == (2, 1)
    assert "--stop_words: expected none, a file or one of" in err.splitlines()[-1]


@pytest.mark.parametrize(("pattern", "known"), [([], 2), ([f"--token_pattern={ASCII_WORD}"], 1)])
def test_new_texts_are_cut_as_those_of_the_run_and_letters_in_no_word_are_unknown(command, tmp_path, pattern, known):
    texts = ["river été bank", "bank café river", "river bank water"] * 20
    code, _, err = prepared(command, tmp_path, texts, "--test_size=10", *pattern)
    assert code == 0, err
    small = ["--K=2", "--generative_widths=4", "--inference_widths=4", "--batch_size=20", "--valid_size=10"]
    run = [*small, "--eval_M=1", "--M=1", "--epochs=1", f"--workdir={tmp_path / 'run'}"]
    code, _, err = command("train", f"--dataset={tmp_path / 'out'}", *run)
    assert code == 0, err
    new = written(tmp_path / "new.jsonl", ["river été", "Привет мир"])
    code, _, err = command(
        "transform", f"--workdir={tmp_path / 'run'}", f"--input={new}", f"--output={tmp_path / 'new.npz'}"
    )
    assert code == 0, err
    with np.load(tmp_path / "new.npz") as found:
        assert found["length"].tolist() == [known, 0]
        np.testing.assert_allclose(found["unknown"], [1 - known / 2, 1])
