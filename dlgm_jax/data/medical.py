"""Groups of diagnosis codes and relations between drugs and diseases, as published with Choi et al. (2016)."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from dlgm_jax.data.formats.pairs import number as whole_number
from dlgm_jax.data.lines import lines
from dlgm_jax.data.source import Reading
from dlgm_jax.errors import BadInput, shown

CODE = re.compile(r"[0-9EV][0-9]{2,4}\.?[0-9]{0,2}")
HEADING = re.compile(r"([1-9][0-9]*)(\.[0-9]+)*\s+\S")
LAST = 99  # chapter; a longer number is a code that is not indented


def plain(code: str) -> str:
    """An ICD-9 code without its dot, as the tables of hospitals hold it."""
    return code.replace(".", "")


def read_fine_groups(path: str | Path, how: Reading | None = None) -> dict[str, int]:
    """Code without dot -> CCS group, from lines of codes (`icd9_grp_file`; what follows a # is left out).

    A code that stands in two groups keeps the first, and `how` a note of it. Raises BadInput with file and line.
    """
    groups = _first_groups(_fine(path), path, how or Reading())
    if not groups:
        raise BadInput(f"{path}: expected groups of ICD-9 codes, found none")
    return groups


def read_coarse_groups(path: str | Path, how: Reading | None = None) -> dict[str, int]:
    """Code without dot -> chapter of the multi-level CCS (`ccs_coarsest`: headings `1.1.1 name`, codes indented).

    A code that stands in two chapters keeps the first, and `how` a note of it. Raises BadInput with file and line.
    """
    groups = _first_groups(_coarse(path), path, how or Reading())
    if not groups:
        raise BadInput(f"{path}: expected chapters of ICD-9 codes, found none")
    return groups


def _fine(path: str | Path) -> Iterator[tuple[str, int]]:
    for number, line in enumerate(lines(path), 1):
        for code in line.partition("#")[0].split():
            if not CODE.fullmatch(code):
                raise BadInput(f"{path}:{number}: expected ICD-9 codes, found {shown(code)}")
            yield code, number


def _coarse(path: str | Path) -> Iterator[tuple[str, int]]:
    chapter = None
    for number, line in enumerate(lines(path), 1):
        heading = HEADING.match(line)
        if heading:
            chapter = whole_number(heading[1], "a chapter", f"{path}:{number}", most=LAST)
        elif line.strip():
            if chapter is None or not line[:1].isspace():
                raise BadInput(f"{path}:{number}: expected a heading as 1.1 or indented codes, found {shown(line)}")
            for code in line.split():
                if not CODE.fullmatch(code):
                    raise BadInput(f"{path}:{number}: expected ICD-9 codes under a heading, found {shown(code)}")
                yield code, chapter


def _first_groups(codes: Iterable[tuple[str, int]], path: str | Path, how: Reading) -> dict[str, int]:
    """Code without dot -> the first of its groups."""
    groups: dict[str, int] = {}
    several = {code for code, group in codes if groups.setdefault(plain(code), group) != group}
    if several:
        how.note(f"{len(several):,} codes of {path} stand in more than one group, as {min(several)}: the first counts.")
    return groups


def read_relations(path: str | Path) -> list[tuple[str, str]]:
    """(drug, disease) pairs from lines `drug:disease,disease,` (may-treat, may-prevent); a drug may have none.

    Raises BadInput with file and line.
    """
    pairs = []
    for number, line in enumerate(lines(path), 1):
        drug, colon, diseases = line.strip().partition(":")
        if line.strip() and not (drug.strip() and colon and ":" not in diseases):
            raise BadInput(f"{path}:{number}: expected drug:disease,disease, found {shown(line)}")
        pairs += [(drug.strip(), disease.strip()) for disease in diseases.split(",") if disease.strip()]
    if not pairs:
        raise BadInput(f"{path}: expected relations as drug:disease, found none")
    return pairs
