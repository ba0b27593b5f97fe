"""Words of a text: patterns, stop words, and the letters that stand in no word."""

import re
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import regex
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from dlgm_jax.data.lines import lines
from dlgm_jax.errors import BadInput, shown

ASCII_WORD = r"\b[a-z][a-z]+\b"  # of `docstrings`, of every recipe, and of corpora that name no pattern
WORD = r"\b\p{L}[\p{L}\p{M}\p{Join_C}]+\b"  # two letters and more of any alphabet, with marks (as in Hindi) and joiners
UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")  # scripts
ANY_WORD = regex.compile(WORD)
# Soft hyphens, and joiners that join no letters (as in emojis): two words that look the same would differ by them.
UNSEEN = regex.compile(r"\u00ad|(?<![\p{L}\p{M}])\p{Join_C}++|\p{Join_C}++(?![\p{L}\p{M}])")
ENGLISH, NONE = "english", "none"


@dataclass(frozen=True)
class Words:
    """The words of a text: what a regular expression finds after lower-casing.

    With a normal form the text is brought to it first, without soft hyphens and joiners that join nothing; else it is
    searched as it stands.

    Example:
        >>> Words(WORD)("Le caf\\u00e9 de l'h\\u00f4tel")
        ['le', 'caf\\xe9', 'de', 'h\\xf4tel']
        >>> Words(ASCII_WORD)("Le caf\\u00e9 de l'h\\u00f4tel")
        ['le', 'de']
    """

    pattern: str
    normal_form: str = "NFC"  # empty: texts are searched as they stand

    def __post_init__(self):
        # `regex` knows \p{L} and \P{L}. Other patterns stay with `re`, by which corpora were made: \b and \w differ.
        library: Any = regex if r"\p" in self.pattern.lower() else re
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # of a [[ that may mean more some day
                found = library.compile(self.pattern)
        except (re.error, regex.error) as error:
            raise BadInput(
                f"--token_pattern: expected a regular expression of a word, found {self.pattern!r}"
            ) from error
        if found.groups > 1 or found.fullmatch(""):
            raise BadInput(
                "--token_pattern: expected a regular expression of at most one group that matches no empty text, "
                f"found {self.pattern!r}"
            )
        object.__setattr__(self, "_find", found)

    def __call__(self, text: str) -> list[str]:
        """The words of a text, in order."""
        return self._find.findall(self._brought(text))  # type: ignore[attr-defined]

    def left_out(self, text: str) -> list[str]:
        """Words of any alphabet that stand in what the pattern did not match, in order."""
        if self.pattern == WORD:
            return []
        return ANY_WORD.findall(self._find.sub("\n", self._brought(text)))  # type: ignore[attr-defined]

    def _brought(self, text: str) -> str:
        text = text.lower()
        if not self.normal_form or text.isascii():
            return text
        return UNSEEN.sub("", unicodedata.normalize(self.normal_form, text))  # type: ignore[arg-type]


def words_by(pattern: str) -> Words:
    """The words of a new corpus by a pattern; the ASCII one reads texts as they stand, so that corpora stay."""
    return Words(pattern, "" if pattern == ASCII_WORD else "NFC")


def words_of(origin: dict[str, str]) -> Words:
    """The words of texts as those of a corpus were found, by what the corpus says of itself."""
    return Words(origin.get("token_pattern", ASCII_WORD), origin.get("normal_form", ""))


@dataclass
class Letters:
    """Counts the letters of texts, and those of them that stand in no word."""

    by_default: bool = True  # words are cut by the default pattern
    all: int = 0
    outside: int = 0
    unspaced: int = 0  # of scripts without blanks between words

    def add(self, text: str, words: Iterable[str]) -> None:
        """Takes the letters of one more text."""
        text = text if text.isascii() else unicodedata.normalize("NFC", text)  # Korean may come as letters of syllables
        number = _letters(text)
        self.all += number
        self.outside += max(0, number - _letters("".join(words)))  # lower-casing makes two letters of some
        if self.by_default and not text.isascii():
            self.unspaced += sum(map(str.isalpha, UNSPACED.findall(text)))

    def remarks(self) -> Iterator[str]:
        """Lines that the user should read."""
        if self.outside:
            share = f"{100 * self.outside / self.all:.1f}%"
            yield f"{share} of the letters stand in no word: letters alone, and what --token_pattern does not match."
        if self.unspaced > 0.05 * self.all:
            yield (
                f"{100 * self.unspaced / self.all:.0f}% of the letters are of scripts that set no blanks between words "
                "(Chinese, Japanese, Thai ...), so that whole phrases were taken for words: give the texts cut into "
                r"words by blanks with --token_pattern='\S+', or --token_pattern='\p{L}' for single letters."
            )


def stop_words(name: str) -> frozenset[str]:
    """Words that are no part of a vocabulary: of a language, `none`, or of a file, one a line.

    English ones are scikit-learn's, others those of the library stop-words. Raises BadInput.
    """
    if name.lower() == ENGLISH:
        return frozenset(ENGLISH_STOP_WORDS)
    if name.lower() == NONE:
        return frozenset()
    listed = _of_language(name.lower()) if not Path(name).is_file() else [line.strip() for line in lines(name)]
    words = words_by(WORD)
    # Texts are cut at apostrophes and hyphens, so that the pieces of "aujourd'hui" are stop words too.
    return frozenset(piece for entry in listed if entry for piece in (entry.lower(), *words(entry)))


def kept_stop_words(name: str) -> str:
    """Stop words as a corpus keeps them: by name, or all of them where it is of a file or a language."""
    return (
        name.lower() if name.lower() in (ENGLISH, NONE) else "".join(f"{word}\n" for word in sorted(stop_words(name)))
    )


def stop_words_of(origin: dict[str, str]) -> frozenset[str]:
    """The stop words of a corpus, by what it says of itself."""
    kept = origin.get("stop_words", ENGLISH)
    return stop_words(kept) if kept in (ENGLISH, NONE) else frozenset(kept.split("\n")[:-1])


def _of_language(name: str) -> list[str]:
    if find_spec("stop_words") is None:
        raise BadInput(
            f"--stop_words: expected {ENGLISH}, {NONE}, a file, or a language of the library stop-words, which is not "
            f"installed (pip install 'dlgm-jax[languages]'), found {shown(name)}"
        )
    import stop_words as library

    try:
        return library.get_stop_words(name)
    except library.StopWordError as error:
        known = ", ".join(sorted(library.AVAILABLE_LANGUAGES))
        raise BadInput(f"--stop_words: expected {NONE}, a file or one of {known}, found {shown(name)}") from error


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))
