"""Counts from tables of events: films that users rated, codes that patients had."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy.sparse

from dlgm_jax.data.corpus import Corpus, shown
from dlgm_jax.data.lines import lines
from dlgm_jax.types import BadInput

STEPS = 2  # a rating counts its half stars
SYNTHEA = ("conditions", "medications", "immunizations", "careplans")


def find(folder: Path, name: str) -> Path | None:
    """A table of a folder, `name.csv` or compressed; None when it is not there."""
    return next((path for end in ("", ".gz", ".xz", ".bz2") if (path := folder / f"{name}.csv{end}").exists()), None)


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
    return _corpus(events, folder)


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
            rows = _rows(folder, name, ("PATIENT", "DESCRIPTION"))
            events += [(row["PATIENT"], " ".join(row["DESCRIPTION"].split()), 1) for _, row in rows]
    return _corpus(events, folder)


def read_mimic(folder: Path) -> Corpus:
    """Patients over the ICD-9 codes of their diagnoses, without dots."""
    rows = _rows(folder, "DIAGNOSES_ICD", ("SUBJECT_ID", "ICD9_CODE"))
    return _corpus([(row["SUBJECT_ID"], row["ICD9_CODE"].strip(), 1) for _, row in rows if row["ICD9_CODE"]], folder)


def _rows(folder: Path, name: str, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """(file:line, row) of a table. Raises BadInput when it lacks a column or a row is short."""
    path = find(folder, name)
    if path is None:
        raise BadInput(f"{folder}: expected a table {name}.csv (or .gz), found none")
    reader = csv.DictReader(lines(path), strict=True)
    missing = [column for column in columns if column not in (reader.fieldnames or ())]
    if missing:
        raise BadInput(f"{path}:1: expected the columns {', '.join(columns)}, found no {', '.join(missing)}")
    try:
        for row in reader:
            if any(row[column] is None for column in columns):
                raise BadInput(f"{path}:{reader.line_num}: expected {len(reader.fieldnames or ())} fields, found fewer")
            yield f"{path}:{reader.line_num}", row
    except csv.Error as error:
        raise BadInput(f"{path}:{reader.reader.line_num}: expected comma-separated values, found: {error}") from error


def _half_stars(row: dict[str, str], where: str) -> int:
    try:
        halves = float(row["rating"]) * STEPS
    except ValueError:
        halves = -1.0
    if not (halves.is_integer() and 0 < halves <= 10):
        raise BadInput(f"{where}: expected a rating from 0.5 to 5 in half stars, found {shown(row['rating'])}")
    return int(halves)


def _corpus(events: list[tuple[str, str, int]], folder: Path) -> Corpus:
    """Events (document, word, count); words from the most frequent down, documents in the order they came."""
    events = [event for event in events if event[1]]
    if not events:
        raise BadInput(f"{folder}: expected rows, found empty tables")
    documents = {name: place for place, name in enumerate(dict.fromkeys(event[0] for event in events))}
    totals: Counter[str] = Counter()
    for _, word, count in events:
        totals[word] += count
    words = {word: place for place, word in enumerate(sorted(totals, key=lambda word: (-totals[word], word)))}
    rows, columns, counts = zip(*((documents[d], words[w], count) for d, w, count in events))
    matrix = scipy.sparse.coo_matrix((np.asarray(counts), (rows, columns)), (len(documents), len(words)))
    return Corpus(matrix, tuple(words), tuple(documents))
