# ruff: noqa: RUF001
"""Words of any alphabet, beside a slow loop over Unicode's categories."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlgm_jax import BadInput
from dlgm_jax.data import words as module
from dlgm_jax.data.words import (
    ASCII_WORD,
    WORD,
    Letters,
    Words,
    kept_stop_words,
    stop_words,
    stop_words_of,
    words_by,
    words_of,
)

TEXTS = st.text(
    st.one_of(
        st.sampled_from("aéñß dÉ\u0301\u0308\u0327 x1_2-'\u00ad\u200c\u200d.ⅷ²½\n"),
        st.sampled_from("हिन्दीमें भाषा привет слово Ωραία שלום عرب می\u200cخواهم 日本 สวัสดี"),
        st.characters(blacklist_categories=("Cs", "Cn", "Co", "So")),
    ),
    max_size=40,
)


def category(letter):
    return unicodedata.category(letter)[0]


def joined(run):
    """A run without joiners that stand between no letters."""
    kept = ""
    for place, sign in enumerate(run):
        before, after = run[:place].rstrip("\u200c\u200d"), run[place:].lstrip("\u200c\u200d")
        between = before and after and category(before[-1]) in "LM" and category(after[0]) in "LM"
        kept += sign if sign not in "\u200c\u200d" or between else ""
    return kept


def slow_words(text):
    """Runs of letters, marks and joiners that begin with a letter, have two signs, and touch no digit or underscore."""
    text = unicodedata.normalize("NFC", text.lower()).replace("\u00ad", "")
    found, run = [], ""
    for sign in text + " ":
        if category(sign) in "LM" or sign in "\u200c\u200d" or unicodedata.category(sign) in ("Nd", "Nl", "Pc"):
            run += sign
        elif run := joined(run):
            inside = all(category(letter) in "LM" or letter in "\u200c\u200d" for letter in run)
            found += [run] if inside and category(run[0]) == "L" and len(run) > 1 else []
            run = ""
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Le café de l'hôtel", ["le", "café", "de", "hôtel"]),
        ("cafe\u0301 NAI\u0308VE", ["café", "naïve"]),  # decomposed, as macOS writes file names and texts
        ("हिन्दी भाषा में लिखना", ["हिन्दी", "भाषा", "में", "लिखना"]),
        ("Привет, мир! Ёлка", ["привет", "мир", "ёлка"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("love\u200d❤ foo\u200d foo ba\u00adr co\u200bop", ["love", "foo", "foo", "bar", "co", "op"]),
        ("word2vec and 3rd snake_case", ["and"]),
        ("ⅷ m² ½x a I", []),
        ("straße ŒUVRE İzmir", ["straße", "œuvre", "i̇zmir"]),
    ],
)
def test_words_of_any_alphabet(text, expected):
    assert words_by(WORD)(text) == expected == slow_words(text)


@given(TEXTS)
def test_words_are_those_of_a_slow_loop(text):
    assert words_by(WORD)(text) == slow_words(text)


@given(TEXTS)
def test_every_word_of_any_alphabet_is_found_or_left_out(text):
    text = "".join(sign for sign in text if category(sign) != "M" and sign not in "\u200c\u200d")
    ascii_words = words_by(ASCII_WORD)  # by `re` an ASCII word ends before a mark
    assert sorted([*ascii_words(text), *ascii_words.left_out(text)]) == sorted(Words(WORD, "")(text))


def test_letters_in_no_word_are_counted():
    letters, cut = Letters(), words_by(ASCII_WORD)
    for text in ("été noir a", "нет", "word2vec 123"):
        letters.add(text, cut(text))
    assert (letters.all, letters.outside, letters.unspaced) == (8 + 3 + 7, 3 + 1 + 3 + 7, 0)
    assert list(letters.remarks()) == [
        "77.8% of the letters stand in no word: letters alone, and what --token_pattern does not match."
    ]
    assert not list(Letters(10, 0, 0).remarks())


@pytest.mark.parametrize("text", ["我们都是好朋友", "これはテストです", "สวัสดี ครับ"])
def test_scripts_without_blanks_are_named(text):
    letters = Letters()
    letters.add(text, words_by(WORD)(text))
    assert "scripts that set no blanks between words (Chinese, Japanese, Thai ...)" in "".join(letters.remarks())
    assert "--token_pattern" in "".join(letters.remarks())
    assert letters.unspaced <= letters.all


@pytest.mark.parametrize("pattern", ["(", "(a)(b)", "[a-z]*", r"\p{Nothing}+", "[" * 3])
def test_a_pattern_that_is_none_of_a_word_is_one_line(pattern):
    with pytest.raises(BadInput, match="--token_pattern: expected a regular expression") as caught:
        words_by(pattern)
    assert "\n" not in str(caught.value)


def test_words_are_cut_as_those_of_the_corpus():
    assert words_of({}) == Words(ASCII_WORD, "")  # a corpus made before patterns were kept
    assert words_of({"token_pattern": "[a-z]+"}) == Words("[a-z]+", "")
    assert words_of({"token_pattern": WORD, "normal_form": "NFC"}) == words_by(WORD)


def test_stop_words_of_languages_and_files(tmp_path):
    assert {"the", "of"} <= stop_words("english")
    assert stop_words("none") == frozenset()
    french = stop_words("french")
    assert {"le", "la", "les", "été"} <= french
    assert "film" not in french
    assert stop_words("fr") == stop_words("French") == french
    (tmp_path / "mine").write_text("Foo\naujourd'hui\n\n", encoding="utf-8")
    assert stop_words(str(tmp_path / "mine")) == {"foo", "aujourd'hui", "aujourd", "hui"}
    with pytest.raises(BadInput, match=r"--stop_words: expected none, a file or one of .*french.*, found 'klingon'"):
        stop_words("klingon")


def test_a_corpus_keeps_its_stop_words(tmp_path):
    (tmp_path / "mine").write_text("none\n")
    for name in ("english", "none", "german", str(tmp_path / "mine")):
        assert stop_words_of({"stop_words": kept_stop_words(name)}) == stop_words(name)
    assert stop_words_of({}) == stop_words("english")


def test_a_library_that_is_not_there_is_one_line(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match="a language of the library stop-words, which is not installed"):
        stop_words("french")


def test_letters_are_counted_in_one_form_and_phrases_only_by_default():
    korean = unicodedata.normalize("NFD", "한국어 문장")  # letters of syllables apart
    letters = Letters()
    letters.add(korean, words_by(WORD)(korean))
    assert (letters.all, letters.outside) == (5, 0)
    letters = Letters(by_default=False)
    letters.add("สวัสดี ครับ", Words(r"\S+")("สวัสดี ครับ"))
    assert not any("no blanks" in remark for remark in letters.remarks())
    letters = Letters()
    letters.add("a Chinese name, 王小明, in an English text of more letters", [])
    assert letters.unspaced == 3
    assert any("no blanks" in remark for remark in letters.remarks())
    letters.add("and more English text, so that the three are but few of all letters that there are", [])
    assert not any("no blanks" in remark for remark in letters.remarks())


def test_patterns_of_properties_are_read_by_regex():
    assert words_by(r"\P{Z}{2,}")("two words") == ["two", "words"]


def test_stop_words_of_several_words_come_back(tmp_path):
    (tmp_path / "mine").write_text("a priori\n# remark\n")
    kept = kept_stop_words(str(tmp_path / "mine"))
    assert stop_words_of({"stop_words": kept}) == stop_words(str(tmp_path / "mine"))


def test_all_letters_of_unicode_are_letters():
    missed = [chr(code) for code in range(sys.maxunicode) if category(chr(code)) == "L" and not chr(code).isalpha()]
    assert not missed  # `Letters` counts by isalpha
