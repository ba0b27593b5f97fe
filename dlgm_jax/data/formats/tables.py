"""Counts from tables of events: films that users rated, codes that patients had."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from dlgm_jax.data.corpus import Corpus, shown
from dlgm_jax.data.formats.triplets import gathered, rows
from dlgm_jax.data.source import EVERYTHING, Reading, Source, beside, whole
from dlgm_jax.types import BadInput

STEPS = 2  # a rating counts its half stars
SYNTHEA = ("conditions", "medications", "immunizations", "careplans")


def find(folder: Path, name: str) -> Path | None:
    """A table of a folder, `name.csv` or compressed; None when it is not there."""
    return beside(folder, f"{name}.csv")


def holds(path: Path) -> bool:
    """Whether a folder has the tables of one of the three."""
    if not os.path.isdir(path):
        return False
    names = ("DIAGNOSES_ICD", "conditions")
    return bool((find(path, "ratings") and find(path, "movies")) or any(find(path, name) for name in names))


def source(folder: Path, how: Reading) -> Source:
    """All documents of a folder."""
    return whole("tables of patients or films", {EVERYTHING: read(folder)})


def read(folder: str | Path) -> Corpus:
    """MovieLens (ratings.csv, movies.csv), Synthea (conditions.csv ...) or MIMIC-III (DIAGNOSES_ICD.csv), by what the
    folder holds. Raises BadInput.
    """
    folder = Path(folder)
    if find(folder, "ratings") and find(folder, "movies"):
        return read_movielens(folder)
    if find(folder, "DIAGNOSES_ICD"):
        return read_mimic(folder)
    if find(folder, "conditions"):
        return read_synthea(folder)
    raise BadInput(
        f"{folder}: expected ratings.csv and movies.csv (MovieLens), conditions.csv (Synthea) or DIAGNOSES_ICD.csv "
        "(MIMIC-III), plain or compressed, found none of them"
    )


def read_movielens(folder: Path) -> Corpus:
    """Users over films: a rating counts its half stars, 1 to 10. Films have titles, and ids where two share one."""
    titles = {row["movieId"]: row["title"].strip() for _, row in _rows(folder, "movies", ("movieId", "title"))}
    shared = {title for title, number in Counter(titles.values()).items() if number > 1}
    events = []
    for where, row in _rows(folder, "ratings", ("userId", "movieId", "rating")):
        film = row["movieId"]
        title = titles.get(film, f"film {film}")
        events.append((row["userId"], f"{title} #{film}" if title in shared else title, _half_stars(row, where)))
    return gathered(events, folder)


def read_genres(folder: str | Path) -> dict[str, set[str]]:
    """Title -> genres of MovieLens's films; titles that two films share hold the genres of both."""
    genres: dict[str, set[str]] = {}
    for _, row in _rows(Path(folder), "movies", ("title", "genres")):
        genres.setdefault(row["title"].strip(), set()).update(row["genres"].split("|"))
    return genres


def read_synthea(folder: Path) -> Corpus:
    """Patients over the descriptions of their codes, each code counted as often as it was recorded."""
    events = []
    for name in SYNTHEA:
        if find(folder, name):
            table = _rows(folder, name, ("PATIENT", "DESCRIPTION"))
            events += [(row["PATIENT"], " ".join(row["DESCRIPTION"].split()), 1) for _, row in table]
    return gathered([event for event in events if event[1]], folder)


def read_mimic(folder: Path) -> Corpus:
    """Patients over the ICD-9 codes of their diagnoses, without dots."""
    table = _rows(folder, "DIAGNOSES_ICD", ("SUBJECT_ID", "ICD9_CODE"))
    return gathered(((row["SUBJECT_ID"], code, 1) for _, row in table if (code := row["ICD9_CODE"].strip())), folder)


def read_titles(folder: str | Path) -> dict[str, str]:
    """ICD-9 code -> title, of MIMIC-III's table of diagnoses. Raises BadInput when it is not there."""
    table = _rows(Path(folder), "D_ICD_DIAGNOSES", ("ICD9_CODE", "LONG_TITLE"))
    return {row["ICD9_CODE"].strip(): " ".join(row["LONG_TITLE"].split()) for _, row in table}


def _rows(folder: Path, name: str, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """(file:line, row) of a table. Raises BadInput when it is not there."""
    path = find(folder, name)
    if path is None:
        raise BadInput(f"{folder}: expected a table {name}.csv (or .gz), found none")
    return rows(path, columns)


def _half_stars(row: dict[str, str], where: str) -> int:
    try:
        halves = float(row["rating"]) * STEPS
    except ValueError:
        halves = -1.0
    if not (halves.is_integer() and 0 < halves <= 10):
        raise BadInput(f"{where}: expected a rating from 0.5 to 5 in half stars, found {shown(row['rating'])}")
    return int(halves)
