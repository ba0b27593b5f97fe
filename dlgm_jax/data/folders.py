"""Text files of a folder: what is a document, and what was left out."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dlgm_jax.data.lines import OPENED, SURROGATE, first_bytes
from dlgm_jax.errors import BadInput, quantity, shown

TEXT = ".txt"
SYSTEM = frozenset(("__MACOSX", "__pycache__", "Thumbs.db", "desktop.ini", "$RECYCLE.BIN", "System Volume Information"))
ABOUT = re.compile(r"(?i)(read_?me|licen[cs]e|copying|notice|authors|changelog|changes)([._-]\S*)?")  # tell of a corpus
TABULAR = frozenset((".csv", ".tsv", ".mtx", ".npz", ".h5", ".h5ad", ".parquet", ".json", ".jsonl", ".xlsx", ".feat"))


@dataclass
class Survey:
    """The files of a folder that are documents, in order, and how many others there are."""

    folder: Path
    documents: list[Path] = field(default_factory=list)
    hidden: int = 0  # and system files
    outside: int = 0  # links that lead out of the folder, or nowhere
    copies: int = 0  # documents whose file is another document too, by a link
    again: int = 0  # links to a folder above, or to one that was read by another link
    follows: bool = False  # some link
    others: list[Path] = field(default_factory=list)  # of another name, no text, or about the corpus

    def remarks(self) -> Iterator[str]:
        """Lines that the user should read."""
        documents = len(self.documents)
        labels = sorted({path.parent.relative_to(self.folder).as_posix() for path in self.documents} - {"."})
        where = f" in the folders {', '.join(map(shown, labels[:3]))}" if labels else ""
        more = f" and {len(labels) - 3:,} more" if len(labels) > 3 else ""
        first = ", as " + shown(str(self.documents[0].relative_to(self.folder))) if self.documents else ""
        yield f"A document is a file: {documents:,}{where}{more}{first}."
        if self.documents and all(map(about, self.documents)):
            names = ", ".join(path.name for path in self.documents[:3])
            yield f"{self.folder} holds no other text than {names}: is that the corpus?"
        if self.others:
            found = ", ".join(shown(path.name) for path in self.others[:3])
            yield f"Left out: {quantity(len(self.others), 'file')}, no documents, as {found}."
        if self.hidden:
            yield f"Left out: {quantity(self.hidden, 'hidden or system file')}."
        if self.outside:
            yield f"Left out: {quantity(self.outside, 'link')} out of {self.folder}, or to nowhere."
        if self.again:
            yield f"Left out: {quantity(self.again, 'link')} to a folder above, or to one read by another link."
        if self.copies:
            copies = quantity(self.copies, "document")
            yield f"Read twice, by links inside {self.folder}: {copies}; remove the links if that is not meant."


def survey(folder: Path) -> Survey:
    """Finds the documents of a folder and the folders in it.

    Documents are the `.txt` files, compressed or not, where there are any; else the files of text in the folders below,
    which then name the labels, unless their names are those of tables. Files that tell of the corpus (README) are
    documents only where there are no others. Hidden and system files and files that are no text are left out. Links
    are followed inside the folder.
    """
    found = Survey(folder)
    real = os.path.realpath(folder)
    try:
        files = list(_walk(found, folder, real, frozenset({real}), set()))
    except OSError as error:
        raise BadInput(f"{error.filename}: cannot be read: {error.strerror or error}") from error
    named = [path for path in files if is_text_name(path.name) and _is_text(path)]
    candidates = named or [path for path in files if path.parent != folder and not about(path) and _is_plain(path)]
    subjects = [path for path in candidates if not about(path)]
    found.documents = sorted(subjects or candidates)
    if found.follows:
        found.copies = len(found.documents) - len(set(map(os.path.realpath, found.documents)))
    chosen = set(found.documents)
    found.others = sorted(path for path in files if path not in chosen)
    return found


def text_files(folder: Path) -> Iterator[Path]:
    """The documents of a folder, in order."""
    return iter(survey(folder).documents)


def name_of(path: Path, folder: Path) -> str:
    """The name of a document: its place in the folder without `.txt` and what says how it is compressed."""
    place = path.relative_to(folder)
    ends = re.compile(rf"(?i)({re.escape(TEXT)})?({'|'.join(map(re.escape, OPENED))})?$")
    name = ends.sub("", place.name) or place.name
    if SURROGATE.search(str(place)):
        raise BadInput(f"{folder}: expected names of files in UTF-8, found {shown(str(place))}")
    return str(place.parent / name)


def is_text_name(name: str) -> bool:
    """Tells by its name, in any case, a `.txt` file, compressed or not."""
    return name.lower().endswith(tuple(TEXT + end for end in ("", *OPENED)))


def about(path: Path) -> bool:
    """Tells by its name a file that tells of a corpus, as README."""
    return ABOUT.fullmatch(path.name) is not None


def _walk(found: Survey, folder: Path, here: str, above: frozenset[str], followed: set[str]) -> Iterator[Path]:
    """Files below a folder that is really `here`, one of `above`; what is left out is counted in `found`."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        real = os.path.realpath(path) if entry.is_symlink() else os.path.join(here, entry.name)
        if entry.name.startswith(".") or entry.name in SYSTEM or entry.name.endswith("~"):
            found.hidden += _files_below(path) if entry.is_dir(follow_symlinks=False) else 1
        elif entry.is_symlink() and not _inside(real, found.folder):
            found.outside += 1
        elif entry.is_dir():
            if entry.is_symlink() and (real in followed or real in above):
                found.again += 1
                continue
            if entry.is_symlink():
                followed.add(real)
                found.follows = True
            yield from _walk(found, path, real, above | {real}, followed)
        elif entry.is_file():
            found.follows |= entry.is_symlink()
            yield path


def _files_below(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


def _inside(real: str, folder: Path) -> bool:
    root = os.path.realpath(folder)
    return os.path.exists(real) and os.path.commonpath([root, real]) == root


def _is_text(path: Path) -> bool:
    """Tells by its first bytes, unpacked, a file of text."""
    return b"\0" not in first_bytes(path, 4096)


def _is_plain(path: Path) -> bool:
    return TABULAR.isdisjoint(suffix.lower() for suffix in path.suffixes) and _is_text(path)
