"""Lines of `id:count` pairs, which several formats are made of."""

import re
from decimal import Decimal
from itertools import islice
from pathlib import Path

from dlgm_jax.data.corpus import MAX_COUNT
from dlgm_jax.data.lines import beginning, lines
from dlgm_jax.data.source import Reading
from dlgm_jax.errors import BadInput, shown

DIGITS = 19  # longer numbers are out of every range
QUERY = re.compile(r"qid:[0-9]+")  # of SVMlight: the query of a line, no pair
# What a detector takes for a pair: any name and a number, but no time of a day (`00:00:00`).
PAIR = re.compile(r"[^:\s]+:([-+]?\.?\d[^:,\"\s]*|[-+]?(?i:nan|inf|infinity))")
WHOLE = re.compile(r"([0-9]+)(?:\.0*|(?:\.[0-9]*)?([eE]\+?[0-9]{1,2}))?")


def decimal(text: str) -> int | None:
    """A whole number of decimal digits; None for one out of every range, and for other text."""
    digits = text.lstrip("0")  # Python refuses to read thousands of them, even zeros
    if not (text.isascii() and text.isdigit()) or len(digits) > DIGITS:
        return None
    return int(digits or "0")


def number(
    text: str, expected: str, where: str, *, least: int = 0, most: int = MAX_COUNT, found: str | None = None
) -> int:
    """A whole number of decimal digits. Raises BadInput, saying what was `expected` and `found` (the text itself)."""
    value = decimal(text)
    if value is None or not least <= value <= most:
        found = shown(text if found is None else found)
        raise BadInput(f"{where}: expected {expected} from {least} to {most}, found {found}")
    return value


def count(text: str, where: str, *, found: str | None = None) -> int:
    """A whole number from 0, also where other programs write it as 1.0 or 1e+05. Raises BadInput."""
    written = None if text.isdigit() else WHOLE.fullmatch(text)
    if written and written[2]:  # R writes 100000 as 1e+05
        value = Decimal(text)
        text = str(int(value)) if value.adjusted() < DIGITS and value == value.to_integral_value() else text
    elif written:
        text = written[1]
    return number(text, "a count", where, found=text if found is None else found)


def parse(pairs: list[str], where: str, *, base: int, vocab_size: int | None) -> tuple[list[int], list[int]]:
    """Ids from 0 and counts of `id:count` pairs; those of the same id add up.

    Raises BadInput for ids under `base` or beyond the vocabulary, and for counts that are no whole numbers.
    """
    counts: dict[int, int] = {}
    last = MAX_COUNT if vocab_size is None else vocab_size - 1 + base
    for pair in pairs:
        word, colon, written = pair.partition(":")
        if not colon:
            raise BadInput(f"{where}: expected pairs id:count of whole numbers, found {shown(pair)}")
        if base and word.isascii() and word.isdigit() and not word.strip("0"):
            raise BadInput(f"{where}: expected ids from 1, found {shown(pair)}; are the ids of this file 0-based?")
        place = number(word, "an id", where, least=base, most=last, found=pair) - base
        counts[place] = counts.get(place, 0) + count(written, where, found=pair)
        if counts[place] > MAX_COUNT:
            raise BadInput(f"{where}: expected counts up to {MAX_COUNT}, found {counts[place]} of id {word}")
    return list(counts), list(counts.values())


def ids_that_occur(path: Path, skipped: int) -> tuple[int, ...]:
    """The ids of a file of pairs, in order; the first `skipped` fields of a line are no pairs."""
    ids = set()
    for place, line in enumerate(lines(path), 1):
        pairs = [pair for pair in line.partition("#")[0].split()[skipped:] if not QUERY.fullmatch(pair)]
        ids.update(parse(pairs, f"{path}:{place}", base=0, vocab_size=None)[0])
    return tuple(sorted(ids))


def renumbered(words: list[int], columns: dict[int, int] | None) -> list[int]:
    """Ids as columns; the ids themselves where `columns` is None."""
    return words if columns is None else [columns[word] for word in words]


def told_by(path: Path, mark: str = "") -> tuple[list[list[str]], bool]:
    """The fields of up to 50 lines at the beginning of a file by which a detector tells it, and whether the only line
    is longer than what was read. Lines without fields, and what stands behind the mark of a remark, are left out.
    """
    found, cut = beginning(path)
    rows = ((line.partition(mark)[0] if mark else line).split() for line in found)
    return list(islice(filter(None, rows), 50)), cut


def note_repeated(how: Reading, path: Path, number: int) -> None:
    """Notes that ids stood more than once in a line, or a document."""
    if number:
        how.note(f"{path}: ids that stand again in their document: {number:,}; their counts are added up.")
