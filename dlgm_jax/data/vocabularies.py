"""Words of the columns of counts: where their file stands beside the counts, and how it is read."""

import re
from collections import Counter
from pathlib import Path

from dlgm_jax.data.corpus import check_distinct
from dlgm_jax.data.lines import OPENED, first_bytes, lines, stem
from dlgm_jax.data.signatures import signature
from dlgm_jax.data.source import Reading, beside
from dlgm_jax.errors import BadInput, shown

WHOLE = re.compile(r"([0-9]{1,18})(\.0*)?")
COMMA = re.compile(r"[^,]*,\s*[0-9]+|[0-9]+\s*,[^,]*")  # a row of a table
NUMBER_FIRST = re.compile(r"([0-9]{1,18})\s+([^0-9\s].*)")
OF_COUNTS = re.compile(r"(_bow|_tfidf|_counts)$")  # what gensim's scripts add to the name of a corpus


def vocabulary_of(path: Path, how: Reading, *names: str) -> tuple[str, ...] | None:
    """The words of a file of counts: of `how.vocab`, else of a file beside it, which is noted; None without one.

    Looked for are, compressed or not, `names`, then the names that gensim and others give: of `corpus.lda-c` they are
    `corpus.lda-c.vocab`, `corpus.vocab`, `corpus.tokens`, `corpus.dict.txt`, `corpus.dict`, `corpus_wordids.txt`,
    `vocab.txt` and `vocabulary.txt`. Raises BadInput.
    """
    if how.vocab:
        return read_vocabulary(how.vocab, how)
    file = path.name.removesuffix(path.suffix) if path.suffix.lower() in OPENED else path.name
    own = [f"{file}.vocab", f"{Path(file).stem}.vocab", f"{stem(path)}.vocab", f"{stem(path)}.tokens"]
    own += [f"{stem(path)}.dict.txt", f"{stem(path)}.dict", f"{OF_COUNTS.sub('', stem(path))}_wordids.txt"]
    found = beside(path.parent, *names, *own, "vocab.txt", "vocabulary.txt")
    if found:
        how.note(f"The words are those of {found.name}, which stands beside {path.name}.")
    return read_vocabulary(found, how) if found else None


def note_numbered(path: Path, how: Reading) -> None:
    """Notes that words have numbers for want of a vocabulary."""
    how.note(f"Words are numbered: no vocabulary stands beside {path.name}; --vocab=FILE names one.")


def read_vocabulary(path: Path, how: Reading) -> tuple[str, ...]:
    """The words of a file, in the order of their columns; more fields of a line than the word are noted.

    A line is a word, which may hold blanks; or a word and more, cut at tabs; or a word, a blank and a whole number, in
    either order; or, as gensim's `Dictionary.save_as_text` writes it, an id, a word and a number, cut at tabs. Raises
    BadInput with file and line, also where numbers behind words could be their columns.
    """
    if kind := signature(first_bytes(path)):
        hint = " (gensim's Dictionary.save_as_text writes text)" if "pickle" in kind else ""
        raise BadInput(f"{path}: expected words, one a line, found {kind}{hint}")
    rows = list(lines(path))
    if not rows:
        raise BadInput(f"{path}: expected words, one a line, found an empty file")
    for number, row in enumerate(rows, 1):
        if not row.strip():
            raise BadInput(f"{path}:{number}: expected a word, found an empty line")
    if path.name.startswith("vocab.new"):  # NVDM's: a word and its frequency, always
        words = [row.split()[0] for row in rows]
    else:
        rows = _unquoted(rows, path, how)
        words = _of_ids(rows, path, how) or _first_fields(rows, path, how) or [row.strip() for row in rows]
    check_distinct(words, str(path))
    return tuple(words)


def _unquoted(rows: list[str], path: Path, how: Reading) -> list[str]:
    """Lines without the quotation marks around all of them; those that begin with a number have it behind a tab.

    Raises BadInput for lines of a comma and a number, and for several quoted fields.
    """
    bare = [row.strip() for row in rows]
    if all(COMMA.fullmatch(row) for row in bare):
        raise BadInput(f"{path}:1: expected words alone, or fields with tabs between, found {shown(bare[0])}")
    if all(len(row) > 1 and row[0] == row[-1] == '"' for row in bare):
        for number, row in enumerate(bare, 1):
            if not row[1:-1].strip():
                raise BadInput(f"{path}:{number}: expected a word, found {shown(row)}")
        if any('"' in row[1:-1] for row in bare):
            raise BadInput(f"{path}:1: expected one word a line, found several in quotation marks: {shown(bare[0])}")
        how.note(f"{path.name}: the quotation marks around the words are left out.")
        return [row[1:-1] for row in bare]
    numbered = [NUMBER_FIRST.fullmatch(row) for row in bare]
    if not all(numbered) or "\t" in "".join(bare):
        return rows
    ids = [int(match[1]) for match in numbered if match]
    between = "\t" if _are_columns(ids) else None  # an id; else a count, as `uniq -c` writes it
    if between is None:
        how.note(f"{path.name}: a word is what stands behind the number of a line, as in {shown(bare[0])}.")
    return [f"{match[1]}\t{match[2]}" if between else match[2] for match in numbered if match]


def _are_columns(numbers: list[int]) -> bool:
    """Tells numbers that are 0, 1, 2 ... or 1, 2, 3 ... in some order."""
    return sorted(numbers) in (list(range(len(numbers))), list(range(1, len(numbers) + 1)))


def _of_ids(rows: list[str], path: Path, how: Reading) -> list[str] | None:
    """Words by ids that stand before them; None for a file of another form."""
    headed = len(rows) > 1 and WHOLE.fullmatch(rows[0].strip()) is not None and "\t" in rows[1]  # the documents' number
    fields = [[field.strip() for field in row.split("\t")] for row in rows[headed:]]
    if not all(len(found) > 1 and WHOLE.fullmatch(found[0]) for found in fields):
        return None
    ids = [int(found[0].split(".")[0]) for found in fields]
    whole = _are_columns(ids)
    if all(map(_of_numbers, fields)) and not headed:  # words that are numbers: before what they count, or behind ids?
        if not whole:
            return None
        if len(fields[0]) == 2:
            raise BadInput(
                f"{path}: expected words that can be told from numbers, found {shown(rows[0])}; give words alone"
            )
    if not whole:
        raise BadInput(f"{path}: expected each id from 0 or 1 to that of the last word once, found {_gap(ids)}")
    how.note(f"{path.name}: the words stand behind their ids, from {min(ids)}.")
    words = [word for _, word in sorted(zip(ids, (found[1] for found in fields)))]
    if not all(words):
        raise BadInput(f"{path}: expected a word behind each id, found none behind {words.index('') + min(ids)}")
    return words


def _first_fields(rows: list[str], path: Path, how: Reading) -> list[str] | None:
    """The fields before the first tab, or before a blank and a number in every line; None where lines are words."""
    tabs = any("\t" in row.strip() for row in rows)
    fields = [row.split("\t") if tabs else row.rsplit(None, 1) for row in rows]
    first, *others = fields
    headed = len(first) > 1 and first[1].strip() != "" and not _of_counts(first)
    headed = headed and len(others) > 0 and all(map(_of_counts, others))
    if headed:
        how.note(f"{path.name}: the first line, {shown(rows[0])}, is a header and no word.")
    words = [found[0].strip() for found in fields[headed:]]
    if not tabs and not all(map(_of_counts, fields[headed:])):
        return None
    if not tabs and len(set(words)) < len(words):  # as "windows 95" and "windows 98"
        how.note(f"{path.name}: each line is a word, its number too, since {shown(words[0])} and others would repeat.")
        return None
    if "" in words:
        raise BadInput(f"{path}:{headed + words.index('') + 1}: expected a word first, found none")
    numbers = [int(found[1].strip().split(".")[0]) for found in fields[headed:] if _of_counts(found)]
    if len(numbers) == len(words) > 1 and _are_columns(numbers) and numbers != sorted(numbers):
        raise BadInput(
            f"{path}:{headed + 1}: expected words and how often they occur, found numbers that could be their columns, "
            f"as {shown(rows[headed])}; give the words alone, in the order of the columns"
        )
    how.note(f"{path.name}: a word is what stands first in a line, {shown(words[0])} of {shown(rows[headed])}.")
    return words


def _of_counts(fields: list[str]) -> bool:
    return len(fields) > 1 and _of_numbers(["0", *fields[1:]])


def _of_numbers(fields: list[str]) -> bool:
    return all(WHOLE.fullmatch(field.strip()) for field in fields)


def _gap(ids: list[int]) -> str:
    number, times = Counter(ids).most_common(1)[0]
    if times > 1:
        return f"{number} {times} times"
    seen = set(ids)
    return f"none with {next(place for place in range(min(1, *ids), max(ids) + 2) if place not in seen)}"
