"""What people say of words: rated pairs, pairs in contexts, analogies; the published files as they are."""

from math import isfinite
from pathlib import Path
from typing import NamedTuple

from dlgm_jax.data.corpus import shown
from dlgm_jax.data.lines import lines
from dlgm_jax.types import BadInput

SCWS_FIELDS = 18
SIMLEX = ("word1", "word2", "POS", "SimLex999")


class RatedPair(NamedTuple):
    """Two words and how similar people find them; for SCWS each in its context, the word between <b> and </b>."""

    first: str
    second: str
    rating: float
    first_context: str = ""
    second_context: str = ""


def read_pairs(path: str | Path) -> list[RatedPair]:
    """Rated pairs: `word word rating` by tabs (WordSim-353, MEN, RareWords and their like), SimLex-999 with its header,
    or SCWS with contexts. Raises BadInput with file and line.
    """
    pairs, simlex = [], False
    for number, line in enumerate(lines(path), 1):
        fields = [field.strip() for field in line.split("\t")]
        where = f"{path}:{number}"
        if number == 1 and tuple(fields[:4]) == SIMLEX:
            simlex = True
        elif len(fields) == SCWS_FIELDS:
            pairs.append(RatedPair(fields[1], fields[3], _rating(fields[7], where), fields[5], fields[6]))
        elif len(fields) > len(SIMLEX) if simlex else len(fields) == 3:
            pairs.append(RatedPair(fields[0], fields[1], _rating(fields[3 if simlex else 2], where)))
        elif line.strip():
            raise BadInput(
                f"{where}: expected two words and a rating by tabs, or the fields of SimLex-999 or SCWS, "
                f"found {shown(line)}"
            )
    if not pairs:
        raise BadInput(f"{path}: expected rated pairs of words, found none")
    return pairs


def read_analogies(path: str | Path) -> dict[str, list[tuple[str, str, str, str]]]:
    """Questions a b c d (a is to b as c is to d) by section (`: name` lines). Raises BadInput with file and line."""
    sections: dict[str, list[tuple[str, str, str, str]]] = {}
    section = sections.setdefault("", [])
    for number, line in enumerate(lines(path), 1):
        words = line.split()
        if line.startswith(":"):
            section = sections.setdefault(line[1:].strip(), [])
        elif len(words) == 4:
            section.append((words[0], words[1], words[2], words[3]))
        elif words:
            raise BadInput(f"{path}:{number}: expected four words or `: section`, found {shown(line)}")
    found = {name: questions for name, questions in sections.items() if questions}
    if not found:
        raise BadInput(f"{path}: expected analogies, four words a line, found none")
    return found


def _rating(text: str, where: str) -> float:
    try:
        rating = float(text)
    except ValueError:
        rating = float("nan")
    if not isfinite(rating):
        raise BadInput(f"{where}: expected a rating, a number, found {shown(text)}")
    return rating
