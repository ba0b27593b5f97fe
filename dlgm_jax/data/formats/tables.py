"""Counts from tables of events: films that users rated, codes that patients had."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from dlgm_jax.data import columns, delimited, naming
from dlgm_jax.data.corpus import Corpus
from dlgm_jax.data.formats.triplets import Event, gathered
from dlgm_jax.data.source import EVERYTHING, Reading, Source, beside, whole
from dlgm_jax.errors import BadInput, quantity, shown

STEPS = 2  # a rating counts its half stars
SYNTHEA = ("conditions", "medications", "immunizations", "careplans")


def find(folder: Path, name: str) -> Path | None:
    """A table of a folder, `name.csv` or compressed; None when it is not there."""
    return beside(folder, f"{name}.csv")


def holds(path: Path) -> bool:
    """Tells whether a folder has the tables of one of the three."""
    if not os.path.isdir(path):
        return False
    names = ("DIAGNOSES_ICD", "conditions")
    return bool((find(path, "ratings") and find(path, "movies")) or any(find(path, name) for name in names))


def source(folder: Path, how: Reading) -> Source:
    """All documents of a folder."""
    return whole("tables of patients or films", {EVERYTHING: read(folder, how)})


def read(folder: str | Path, how: Reading | None = None) -> Corpus:
    """MovieLens (ratings.csv, movies.csv), Synthea (conditions.csv ...) or MIMIC-III (DIAGNOSES_ICD.csv), by what the
    folder holds. Raises BadInput.
    """
    folder, how = Path(folder), how or Reading()
    if find(folder, "ratings") and find(folder, "movies"):
        return read_movielens(folder, how)
    if find(folder, "DIAGNOSES_ICD"):
        return read_mimic(folder, how)
    if find(folder, "conditions"):
        return read_synthea(folder, how)
    raise BadInput(
        f"{folder}: expected ratings.csv and movies.csv (MovieLens), conditions.csv (Synthea) or DIAGNOSES_ICD.csv "
        "(MIMIC-III), plain or compressed, found none of them"
    )


def read_movielens(folder: Path, how: Reading) -> Corpus:
    """Users over films: a rating counts its half stars, 1 to 10. Films have titles, and ids where two share one."""
    titles = _titles_of_films(folder, how)
    rows = 0

    def events() -> Iterator[Event]:
        nonlocal rows
        for where, (user, film, rating) in _rows(folder, "ratings", ("userId", "movieId", "rating"), how):
            if not (user and film):
                raise BadInput(f"{where}: expected a user and a film, found {shown(user)} and {shown(film)}")
            rows += 1
            yield user, film, _half_stars(rating, where)

    def rename(films: list[str]) -> list[str]:
        if untitled := sum(film not in titles for film in films):
            films_without = quantity(untitled, "film")
            how.note(f"{folder}: called `film` and the id, without a title in movies.csv: {films_without}.")
        return naming.renamed(films, titles, folder, "film {}".format)

    corpus = gathered(events(), folder, rename)
    if again := rows - corpus.counts.nnz:
        how.note(f"{folder}: added to that of the same film by the same user: {quantity(again, 'rating')}.")
    return corpus


def read_genres(folder: str | Path) -> dict[str, set[str]]:
    """Genres of MovieLens's films, by the names that they have in the corpus."""
    folder, how = Path(folder), Reading()
    titles = _titles_of_films(folder, how)
    genres = naming.collected(_rows(folder, "movies", ("movieId", "genres"), how))
    return {title: set(filter(None, genres.get(film, "").split("|"))) for film, title in titles.items()}


def read_synthea(folder: Path, how: Reading) -> Corpus:
    """Patients over the descriptions of their codes, each code counted as often as it was recorded."""
    codes: dict[str, set[str]] = {}
    events = [event for name in SYNTHEA for event in _recorded(folder, name, codes, how)]
    if several := sum(len(those) > 1 for those in codes.values()):
        how.note(f"{folder}: of several codes, which count as one word: {quantity(several, 'description')}.")
    return gathered(events, folder)


def _recorded(folder: Path, name: str, codes: dict[str, set[str]], how: Reading) -> Iterator[Event]:
    """The codes of one of Synthea's tables, if it is there; `codes` keeps those of each description."""
    path, missing = find(folder, name), 0
    if not path:
        return
    has_codes = bool(columns.places(_open(path, ("PATIENT", "DESCRIPTION"), how).names, "CODE"))
    wanted = ("PATIENT", "DESCRIPTION", *["CODE"] * has_codes)
    for where, (patient, text, *code) in _rows(folder, name, wanted, how):
        if not patient:
            raise BadInput(f"{where}: expected a patient, found none")
        description = " ".join(text.split())
        missing += not description
        if description:
            codes.setdefault(description, set()).update(code)
            yield patient, description, 1
    if missing:
        how.note(f"{path}: left out without a description: {quantity(missing, 'row')}.")


def read_mimic(folder: Path, how: Reading) -> Corpus:
    """Patients over the ICD-9 codes of their diagnoses, without dots."""
    missing = 0

    def events() -> Iterator[Event]:
        nonlocal missing
        for where, (patient, code) in _rows(folder, "DIAGNOSES_ICD", ("SUBJECT_ID", "ICD9_CODE"), how):
            if not patient:
                raise BadInput(f"{where}: expected a patient, found none")
            missing += not code
            if code:
                yield patient, code, 1

    corpus = gathered(events(), folder)
    if missing:
        how.note(f"{folder}/DIAGNOSES_ICD.csv: left out without a code: {quantity(missing, 'row')}.")
    return corpus


def read_titles(folder: str | Path) -> dict[str, str]:
    """ICD-9 code -> title, of MIMIC-III's table of diagnoses. Raises BadInput when it is not there."""
    rows = _rows(Path(folder), "D_ICD_DIAGNOSES", ("ICD9_CODE", "LONG_TITLE"), Reading())
    return naming.collected((where, [code, " ".join(title.split())]) for where, (code, title) in rows)


def _titles_of_films(folder: Path, how: Reading) -> dict[str, str]:
    """Distinct titles by ids."""
    return naming.distinct(naming.collected(_rows(folder, "movies", ("movieId", "title"), how)))


def _rows(folder: Path, name: str, wanted: Sequence[str], how: Reading) -> Iterator[tuple[str, list[str]]]:
    """(file:line, the wanted fields) of each row of a table. Raises BadInput when it is not there."""
    path = find(folder, name)
    if path is None:
        raise BadInput(f"{folder}: expected a table {name}.csv (or .gz), found none")
    table = _open(path, wanted, how)
    return delimited.read_rows(table, columns.chosen(table.names, wanted, f"{path}:{table.line}"), how)


def _open(path: Path, wanted: Sequence[str], how: Reading) -> delimited.Table:
    return delimited.open_table(path, how, lambda header: columns.have(header, wanted))


def _half_stars(rating: str, where: str) -> int:
    try:
        halves = float(rating) * STEPS
    except ValueError:
        halves = -1.0
    if not (halves.is_integer() and 0 < halves <= 10):
        raise BadInput(f"{where}: expected a rating from 0.5 to 5 in half stars, found {shown(rating)}")
    return int(halves)
