"""What people say of words: rated pairs, pairs in contexts, analogies; the published files as they are."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import NamedTuple

from dlgm_jax.data.lines import lines
from dlgm_jax.errors import BadInput, reason, shown

SCWS_FIELDS, SCWS_RATING = 18, 7
SHOWN = 12  # names of columns in a message
CERTAIN = {"word1", "word2", "word3", "word4"}  # what no word is, but the name of a column
WORDS = [  # names of the columns of words, as `_plain` gives them
    {f"word{n}", f"w{n}", f"term{n}", f"word{letter}", f"{ordinal}word", ordinal, letter}
    for n, letter, ordinal in ((1, "a", "first"), (2, "b", "second"), (3, "c", "third"), (4, "d", "fourth"))
]
RATINGS = {"score", "rating", "similarity", "sim", "relatedness", "human", "mean", "average", "gold", "simlex999"}
RATINGS |= {"humanmean", "humanscore", "meanscore", "meanrating", "averagescore", "averagerating", "goldscore"}
SECTIONS = {"category", "section", "relation", "type"}
PAIR = "two words and a rating, a number, by tabs, commas or semicolons, or a header with word1, word2 and score"
ANALOGY = "four words, `: section`, or a header with word1 to word4 (or a to d), and category where there is one"


class RatedPair(NamedTuple):
    """Two words and how similar people find them; for SCWS each in its context, the word between <b> and </b>."""

    first: str
    second: str
    rating: float
    first_context: str = ""
    second_context: str = ""


class Header(NamedTuple):
    """The first row of a table: what stands between its fields, how many there are, and which of them are asked for."""

    delimiter: str
    length: int
    places: list[int | None]  # None: there is no such column

    def row(self, line: str, where: str) -> list[str]:
        """The fields of a row that are asked for. Raises BadInput when the row is longer or shorter than the header."""
        fields = _fields(line, self.delimiter, where)
        if len(fields) < self.length or any(fields[self.length :]):
            raise BadInput(f"{where}: expected the {self.length} fields of the header, found {len(fields)}")
        return ["" if place is None else fields[place] for place in self.places]


def read_pairs(path: str | Path) -> list[RatedPair]:
    """Rated pairs: `word word rating` by tabs, commas or semicolons (WordSim-353, MEN, RareWords and their like), SCWS
    with contexts, or a table with a header (SimLex-999). Raises BadInput with file and line.
    """
    pairs, header, delimiter = [], None, ""
    for where, line in _numbered(path):
        if not delimiter:
            delimiter = _delimiter(line, 3, where)
            if not _is_pair(_bare(line, delimiter, where)):
                header = _header(line, delimiter, [*WORDS[:2], RATINGS], PAIR, where)
                continue
        first, second, rating, *contexts = header.row(line, where) if header else _pair(line, delimiter, where)
        if not first or not second:
            raise BadInput(f"{where}: expected two words, found {shown(line)}")
        pairs.append(RatedPair(first, second, _rating(rating, where), *contexts))
    if not pairs:
        raise BadInput(f"{path}: expected rated pairs of words, found none")
    return pairs


def read_analogies(path: str | Path) -> dict[str, list[tuple[str, str, str, str]]]:
    """Questions a b c d (a is to b as c is to d) by section: four words by blanks after `: name` lines, or a table with
    a header. Raises BadInput with file and line.
    """
    sections: dict[str, list[tuple[str, str, str, str]]] = {}
    section, header, first = "", None, True
    for where, line in _numbered(path):
        if first and not line.startswith(":") and not _is_question(line):
            header = _header(line, _delimiter(line, 4, where), [*WORDS, SECTIONS], ANALOGY, where)
        elif not header and line.startswith(":"):
            section = line[1:].strip()
        else:
            *words, section = header.row(line, where) if header else [*line.split(), section]
            if len(words) != 4 or not all(words):
                raise BadInput(f"{where}: expected four words or `: section`, found {shown(line)}")
            sections.setdefault(section, []).append((words[0], words[1], words[2], words[3]))
        first = False
    if not sections:
        raise BadInput(f"{path}: expected analogies, four words a line, found none")
    return sections


def _numbered(path: str | Path) -> Iterator[tuple[str, str]]:
    """The lines of a file that are not blank, each after its place."""
    return ((f"{path}:{number}", line) for number, line in enumerate(lines(path), 1) if line.strip())


def _delimiter(line: str, least: int, where: str) -> str:
    """Tabs where they part a line into so many fields, since a text between them may hold the others; else the most."""
    parts = {delimiter: len(_fields(line, delimiter, where, strict=False)) for delimiter in ",;"}
    return "\t" if line.count("\t") + 1 >= least else max(parts, key=lambda delimiter: parts[delimiter])


def _fields(line: str, delimiter: str, where: str, *, strict: bool = True) -> list[str]:
    try:
        return [field.strip() for field in next(csv.reader([line], delimiter=delimiter, strict=strict))]
    except csv.Error as error:
        raise BadInput(f"{where}: expected fields, quoted or not, found {shown(line)} ({reason(error)})") from error


def _bare(line: str, delimiter: str, where: str) -> list[str]:
    """Fields of a file without a header: between tabs, a quotation mark is nothing but a quotation mark."""
    return [field.strip() for field in line.split("\t")] if delimiter == "\t" else _fields(line, delimiter, where)


def _is_pair(fields: list[str]) -> bool:
    rating = {3: 2, SCWS_FIELDS: SCWS_RATING}.get(len(fields))
    return rating is not None and _number(fields[rating]) is not None and len(CERTAIN.intersection(fields)) < 2


def _pair(line: str, delimiter: str, where: str) -> list[str]:
    fields = _bare(line, delimiter, where)
    if len(fields) == SCWS_FIELDS:
        return [fields[place] for place in (1, 3, SCWS_RATING, 5, 6)]
    if len(fields) != 3:
        raise BadInput(f"{where}: expected two words and a rating as in the lines before, found {shown(line)}")
    return fields


def _is_question(line: str) -> bool:
    """Tells whether a first line is four words by blanks or tabs, and not the names of columns."""
    names = [_plain(word) for word in line.split()]
    return len(names) == 4 and len(CERTAIN.intersection(names)) < 2 and names != ["a", "b", "c", "d"]


def _header(line: str, delimiter: str, columns: list[set[str]], expected: str, where: str) -> Header:
    """The places of the columns, by their names; only that of SECTIONS may lack. Raises BadInput."""
    names = _fields(line, delimiter, where)
    while names and not names[-1]:  # what a spreadsheet leaves
        names.pop()
    if twice := [name for name, number in Counter(map(str.lower, names)).items() if number > 1]:
        raise BadInput(f"{where}: expected a header that names each column once, found {shown(twice[0])} twice")
    places = [[place for place, name in enumerate(names) if _plain(name) in column] for column in columns]
    if any(len(found) > 1 or (not found and column is not SECTIONS) for column, found in zip(columns, places)):
        raise BadInput(
            f"{where}: expected {expected}, found {', '.join(map(shown, names[:SHOWN]))}{' ...' * (len(names) > SHOWN)}"
        )
    return Header(delimiter, len(names), [found[0] if found else None for found in places])


def _plain(name: str) -> str:
    """The name of a column without case, blanks and signs."""
    return re.sub(r"[\W_]", "", name.lower())


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _rating(text: str, where: str) -> float:
    rating = _number(text)
    if rating is None or not isfinite(rating):
        raise BadInput(f"{where}: expected a rating, a number, found {shown(text)}")
    return rating
