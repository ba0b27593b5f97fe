"""What tests/fuzz.py feeds to each reader: whole small files to begin from, and the call that reads them."""

import bz2
import gzip
import io
import lzma
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from dlgm_jax.data import compact
from dlgm_jax.data.class_files import labelled, read_labels
from dlgm_jax.data.corpus import Corpus
from dlgm_jax.data.formats import dense, triplets
from dlgm_jax.data.inputs import open_input
from dlgm_jax.data.medical import read_coarse_groups, read_fine_groups, read_relations
from dlgm_jax.data.source import Reading, in_memory
from dlgm_jax.data.text import Texts, encoded, word_frequencies
from dlgm_jax.data.vocabularies import read_vocabulary
from dlgm_jax.data.word_pairs import read_analogies, read_pairs
from dlgm_jax.data.words import words_by
from tests import fuzz_detectors
from tests.fuzz_stage import BETWEEN, Case

COUNTS = np.array([[2, 0, 1, 0], [0, 3, 0, 0], [0, 0, 0, 0], [1, 1, 0, 2], [0, 0, 2, 0], [1, 0, 0, 1]])
WORDS = b"river\nbank\nmoney\nloan\n"
MARK, WIDE = b"\xef\xbb\xbf", "new york\nüber\n\u2028x\x85y\nfour\n".encode()
JSONL = b'{"text": "the river bank <br/> bank", "id": "a", "label": "x", "split": "train"}\n{"text": "loan", "id": 7}\n'
ODD_JSON = b'{"text": "\\u2028 \\u00fc", "id": [1e400, {"a": null}], "label": true, "split": "val"}\n'
MTX = b"%%MatrixMarket matrix coordinate integer general\n% remark\n6 4 3\n1 1 2\n2 2 3\n6 4 1\n"
SQUARE = b"%%MatrixMarket matrix coordinate pattern symmetric\n4 4 2\n1 1\n3 2\n"
SCWS = b"1\tBrazil\tn\tnut\tn\tin <b> Brazil </b>\ta <b> nut </b>\t1.1" + b"\t0.0" * 10 + b"\n"
SIMLEX = b"word1\tword2\tPOS\tSimLex999\tconc(w1)\nold\tnew\tA\t1.58\t2.72\n"
TABS = b'document\tword\tcount\nd1\triver, the\t2\nd1\t"ba\tnk"\t1e+05\n'
RECBOLE = MARK + b"user_id:token\titem_id:token\trating:float\n1\tx\t4.5\r\n1\ty\t3\r\n"
NUMBERED = (b"1::1193::5::978300760\n1::661::3::978302109\n", b"7,2,1.0\n", b'7|"a|b"|2\n')
COUNTED = (b"river 5\nnew york 2\nloan 1\n", b"word\tcount\nriver\t5\nbank\t2.0\n", b"      5 river\n      2 bank\n")
VOCABULARIES = (WORDS, WIDE, *COUNTED, b"2\n0\triver\t5\n1\tbank\t2\n", b'"river"\n"new york"\n', b"1 river\n2 bank\n")
GENES = (b",c1,c2,c3\ng1,1,0,2.0\ng2,0,3,1\n", b"w1\tw2\n'd'\t1\t0\n\"e f\"\t0\t1e+01\n", b"a;b\n3;1\n3;0\n")
TABLE = b'document,word,count\nd1,river,2\nd1,"ba,""nk",1\n\r\nd2,loan,2147483647\n'


def read_everything(name: str, form: str = "", **how: Any) -> Callable[[Path], dict[str, Corpus]]:
    """Reads a file or a folder as training does."""

    def read(folder: Path) -> dict[str, Corpus]:
        found = open_input(folder / name, form, _reading(folder, **how))
        if not isinstance(found, Texts):
            return in_memory(found)
        texts = list(found.read())
        analyse = found.analyse or words_by(r"\S\S+")
        words = tuple(sorted(word_frequencies(texts, analyse))[:50])
        return in_memory(encoded(lambda: texts, analyse, words)) if words else {}

    return read


def _reading(folder: Path, **how: Any) -> Reading:
    return Reading(**how | {name: folder / how[name] for name in ("vocab", "names") if name in how})


def labelled_by(name: str, column: str = "") -> Callable[[Path], dict[str, Corpus]]:
    """Gives the documents of a table the labels of a file."""

    def read(folder: Path) -> dict[str, Corpus]:
        how = Reading()
        opened = open_input(folder / "a.csv", "triplets", how)
        found = labelled(opened, read_labels(folder / name, column, how), how)
        assert not isinstance(found, Texts)
        return in_memory(found)

    return read


def judged(reader: Callable[[Path], dict[str, Corpus]], *names: str) -> Callable[[Path], dict[str, Corpus]]:
    """Asks the detectors first, which never raise, and reads."""

    def read(folder: Path) -> dict[str, Corpus]:
        for name in names:
            assert triplets.holds(folder / name) in (True, False)
            assert dense.holds(folder / name) in (True, False)
        return reader(folder)

    return read


def read_only(reader: Callable[[Path], Any]) -> Callable[[Path], None]:
    """Reads the file `a`."""

    def read(folder: Path) -> None:
        reader(folder / "a")

    return read


def _read_compact(folder: Path) -> None:
    for stored in compact.load(folder)[0].values():
        stored.in_memory()


def _compact_files() -> dict[str, tuple[bytes, ...]]:
    words = tuple(WORDS.decode().split())
    ids = [f"d{row}" for row in range(len(COUNTS))]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "corpus"
        with compact.Writer(folder, words, {"input": "x"}) as writer:
            writer.add("train", Corpus(COUNTS, words, ids, list("aabbab")))
            writer.add("test", Corpus(COUNTS[:2], words, ids[:2]))
        return {path.name: (path.read_bytes(),) for path in sorted(folder.iterdir())}


def _saved(kind: str, matrix: Any = COUNTS) -> bytes:
    file = io.BytesIO()
    scipy.sparse.save_npz(file, getattr(scipy.sparse, f"{kind}_matrix")(matrix), compressed=False)
    return file.getvalue()


def _members(archive: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as found:
        return BETWEEN.join(name.encode() + b"\0" + found.read(name) for name in found.namelist())


def _archives() -> dict[str, tuple[bytes, ...]]:
    text = b"1 1:2 3:1\r\n2 2:1\n\n" * 20
    kinds = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress}
    twice = {f"a.{end}": (pack(text), pack(text) + pack(text), pack(b"")) for end, pack in kinds.items()}
    return twice | {f"a.{end}!": (text, MARK + text) for end in kinds}


def _each_archive(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        read_everything(path.name, "svmlight", index_base=1)(folder)


def own() -> dict[str, Case]:
    """Our own parsers."""
    saved = tuple(_saved(kind) for kind in ("csr", "csc", "coo", "bsr", "dia"))
    npz = {"a.npz!": tuple(map(_members, saved)), "a.npz": saved, "vocab.txt": (WORDS,)}
    bow = {"train_bow.npz!": npz["a.npz!"], "test_bow.npz": saved, "train_labels.txt": (b"a\nb\na\nb\na\nb\n",)}
    feat = (b"4 1:2 3:1\n7 2:1 2:3\n4\n", b"1:1\n\n3:4\r\n", MARK + b"x/y 4:2147483647\r\n")
    svm = (b"1 1:2 3:1 # remark\n-1 qid:3 2:1\n", MARK + b"0.5 4:1\r\n")
    docword = (b"6\n4\n4\n1 1 2\n1 3 1\n2 2 3\n4 1 1\n", b"1000002\n4\n2\n1 1 2147483647\n1 1 1\n")
    tenx = {"matrix.mtx": (MTX,), "features.tsv": (b"a\tx\nb\ty\nc\t\nd\tx\ne\tz z\nf\tx\n",), "barcodes.tsv": (WORDS,)}
    stars = b"userId,movieId,rating,timestamp\n7,1,4.5,0\n7,2,1.0,0\n8,3,0.5,0\n"
    films = b'movieId,title,genres\n1,"Heat, The (1995)",Crime|War\n2,Twin,Drama\n3,Twin,War\n'
    codes = b"PATIENT,CODE,DESCRIPTION\na,1,Stress\nb,2,Cold  x\n"
    octis = b"river bank bank\ttrain\tx\nmoney\tval\ty\nloan river\ttest\tx\n"
    coarse = b"1         Infectious diseases\n\n1.1       Bacterial\n          01000 V1201\n2  Neoplasms\n   1530\n"
    tokens = (
        b".I 2286\n.W\nbank bank river\nloan\n\n.I 7\n.W\n\n",
        MARK + b"\r\n.I 1\r\n.W\r\nbank \xc3\xbc\r\n.I 2\n.W",
    )
    rcv1 = {"lyrl2004_tokens_train.dat": tokens, "lyrl2004_tokens_test_pt0.dat": (b".I 9\n.W\nmoney loan\n\n",)}
    texts = {"train/pos/a.txt": (b"good film\n",), "b.txt": (WIDE, b""), "test/c.txt": (b"bank river loan money",)}
    anything = {"a": (*feat, *svm, *docword, MTX, TABLE, JSONL, *tokens, b"2 0:1 3:2\n", b"\x89HDF\r\n\x1a\n", b"PAR1")}
    cases = {
        "nvdm": ({"train.feat": feat, "test.feat": feat, "vocab.new": (WORDS, WIDE)}, read_everything("", "nvdm")),
        "svmlight": ({"a.svm": svm}, read_everything("a.svm", "svmlight", index_base=1)),
        "svmlight_vocab": (
            {"a.svm": svm, "w.txt": (WORDS, WIDE)},
            read_everything("a.svm", "svmlight", index_base=0, vocab="w.txt"),
        ),
        "ldac": ({"a.dat": (b"2 0:1 3:2\n1 2:5\n0\n",)}, read_everything("a.dat", "ldac")),
        "uci": ({"docword.a.txt": docword, "vocab.a.txt": (WORDS, WIDE)}, read_everything("", "uci")),
        "octis": ({"corpus.tsv": (octis, b"bank\n"), "vocabulary.txt": (WORDS,)}, read_everything("", "octis")),
        "triplets": ({"a.csv": (TABLE, b"document,word\na,b\n")}, read_everything("a.csv", "triplets")),
        "table_tabs": (
            {"a.tsv": (TABS, TABS.replace(b"\t", b";"), RECBOLE)},
            judged(read_everything("a.tsv", "triplets"), "a.tsv"),
        ),
        "table_numbers": ({"a": NUMBERED}, read_everything("a", columns=("1", "2", "3"))),
        "table_names": (
            {"a.csv": (TABLE,), "names": (b"id,name\nriver,Heat\n", b"river|Heat, The|x\nloan|Heat, The|y\n")},
            read_everything("a.csv", "triplets", names="names"),
        ),
        "dense": ({"a.csv": GENES}, judged(read_everything("a.csv", "dense"), "a.csv")),
        "dense_turned": ({"a.csv.gz!": GENES}, read_everything("a.csv.gz", "dense", transposed=True)),
        "label_lines": ({"labels": (b"x y\n\n", MARK + b"1\r\n2\r\n"), "a.csv": (TABLE,)}, labelled_by("labels")),
        "label_table": (
            {"labels": (b"id,kind,n\nd1,x,1\nd9,y,2\n", b'id\tkind\nd2\t"a\tb"\n'), "a.csv": (TABLE,)},
            labelled_by("labels", "kind"),
        ),
        "movielens": ({"ratings.csv": (stars,), "movies.csv": (films,)}, read_everything("", "tables")),
        "synthea": ({"conditions.csv": (codes,), "medications.csv": (codes,)}, read_everything("", "tables")),
        "mimic": (
            {"DIAGNOSES_ICD.csv": (b'"SUBJECT_ID","ICD9_CODE"\n10,"99591"\n11,\n',)},
            read_everything("", "tables"),
        ),
        "mtx": ({"a.mtx": (MTX, SQUARE)}, read_everything("a.mtx", "mtx")),
        "lyrl2004": (rcv1, read_everything("")),
        "10x": (tenx, read_everything("", "mtx")),
        "npz": (npz, read_everything("a.npz", "npz")),
        "topmost": (bow | {"vocab.txt": (WORDS,)}, read_everything("", "npz")),
        "compact": (_compact_files(), _read_compact),
        "jsonl": ({"a.jsonl": (JSONL, ODD_JSON)}, read_everything("a.jsonl")),
        "plain_text": ({"a.txt": (WIDE, WORDS)}, read_everything("a.txt", "text")),
        "text_folder": (texts, read_everything("")),
        "archives": (_archives(), _each_archive),
        "anything": (anything, read_everything("a", index_base=1)),
        "vocabularies": ({"a": VOCABULARIES}, read_only(lambda path: read_vocabulary(path, Reading()))),
        "word_pairs": ({"a": (b"love\tsex\t6.77\n\n", SCWS, SIMLEX)}, read_only(read_pairs)),
        "analogies": ({"a": (b": capitals\nAthens Greece Paris France\n",)}, read_only(read_analogies)),
        "fine_groups": ({"a": (b"010.00 V12.01 # x\n003.1\n",)}, read_only(read_fine_groups)),
        "coarse_groups": ({"a": (coarse,)}, read_only(read_coarse_groups)),
        "relations": ({"a": (b"C01:C10,C11,\n\nC03:\n",)}, read_only(read_relations)),
    }
    return {name: Case(*case) for name, case in cases.items()} | fuzz_detectors.cases()


def outside() -> dict[str, Case]:
    """Readers that rest on libraries in C."""
    from tests.data.formats_test import h5ad, hdf5, parquet

    def written(write: Callable[[Path], tuple[Path, Reading]]) -> dict[str, tuple[bytes, ...]]:
        with tempfile.TemporaryDirectory() as scratch:
            path, _ = write(Path(scratch))
            return {path.name: (path.read_bytes(),)}

    return {
        "hdf5": Case(written(hdf5), read_everything("cells.h5", "hdf5")),
        "h5ad": Case(written(h5ad), read_everything("cells.h5ad", "hdf5", label="kind")),
        "parquet": Case(written(parquet), read_everything("t.parquet", "triplets", columns=("who", "what", "n"))),
    }
