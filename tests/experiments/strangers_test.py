"""Strangers' files, reader by reader: nothing of it is lost, invented or changed without a word.

MATRIX has a cell for every reader and every kind of surprise: files and what `prepare` makes of them or says, or the
reason why the kind cannot occur there.
"""

import gzip
import io
import json
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from dlgm_jax.data import datasets

KINDS = {
    "surplus": "a row of more fields than its header or its first number says",
    "labels": "labels that are missing, bytes or numbers",
    "seen": "a format that is seen whatever the case, the mark or the name",
    "hidden": "hidden files, links and files about the corpus beside documents",
    "letters": "words in other scripts than ASCII",
    "words": "a vocabulary under another name, with counts, or none",
    "whole": "whole numbers written 1.0",
}
READERS = (
    *("jsonl", "lines", "folder", "lyrl2004", "octis", "nvdm", "topmost", "npz", "uci", "mtx", "10x", "ldac"),
    *("svmlight", "triplets", "parquet", "dense", "movielens", "synthea", "mimic", "h5ad", "hdf5", "compact"),
)


@dataclass
class Cell:
    """An input, and what comes of it: a corpus (words, tokens in all, labels) or one line."""

    files: dict[str, Any]
    flags: list[str] = field(default_factory=list)
    input: str = ""  # the first file where it is empty
    words: set[str] | None = None
    tokens: int | None = None
    labels: set[str] | None = None  # "" among them where some document has none
    says: str = ""  # on stdout
    refuses: str = ""  # on stderr, with exit code 2


ROW = "river bank"
WORDS = "river\nbank\n"
NO_LABELS = "has no labels"
NO_FIELDS = "has no rows of fields"
NO_FOLDER = "is a file, or a folder whose files are known by name"
NO_TEXT = "holds counts; its words are taken as they stand"
OWN_WORDS = "names its words itself"
NO_COUNTS = "holds texts, whose words are counted"


def jsonl(*rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def packed(function, *arguments):
    file = io.BytesIO()
    function(file, *arguments)
    return file.getvalue()


COUNTS = np.array([[2, 0], [0, 3], [1, 1], [1, 0], [0, 1], [2, 2]])  # 13 tokens
NPZ = packed(scipy.sparse.save_npz, scipy.sparse.csr_matrix(COUNTS))
TWICE = packed(scipy.sparse.save_npz, scipy.sparse.csr_matrix(COUNTS.astype(float)))
ENTRIES = [(d + 1, w + 1, COUNTS[d, w]) for d, w in zip(*np.nonzero(COUNTS))]


def mtx(form="{} {} {}", banner="%%MatrixMarket matrix coordinate real general", turned=False):
    rows = [form.format(w, d, n) if turned else form.format(d, w, n) for d, w, n in ENTRIES]
    return "\n".join([banner, f"2 6 {len(rows)}" if turned else f"6 2 {len(rows)}", *rows]) + "\n"


def uci(form="{} {} {}"):
    return "\n".join(["6", "2", str(len(ENTRIES)), *(form.format(*entry) for entry in ENTRIES)]) + "\n"


def pairs(base, form="{}:{}"):
    return [" ".join(form.format(w + base, n) for w, n in enumerate(row) if n) for row in COUNTS]


def ldac(form="{}:{}"):
    return "".join(f"{row.count(':')} {row}\n" for row in pairs(0, form))


def svm(labels=("1",) * 6, form="{}:{}"):
    return "".join(f"{label} {row}\n" for label, row in zip(labels, pairs(1, form)))


def table(comma=",", header=("document", "word", "count"), form="{}"):
    rows = [header, *((f"d{d}", WORDS.split()[w - 1], form.format(n)) for d, w, n in ENTRIES)]
    return "".join(comma.join(map(str, row)) + "\n" for row in rows if row)


def dense(form="{}", first="", end=""):
    rows = [f"d{number}," + ",".join(form.format(n) for n in row) + end for number, row in enumerate(COUNTS)]
    return "\n".join([f"{first},river,bank", *rows]) + "\n"


FEATURES = "G1\triver\tGene Expression\nG2\tbank\tGene Expression\n"
TENX = {"matrix.mtx": mtx(turned=True), "features.tsv": FEATURES, "barcodes.tsv": "".join(f"c{n}\n" for n in range(6))}
MOVIES = "movieId,title\n1,river\n2,bank\n"
RATINGS = "".join(f"{d},{w},{min(n, 10) / 2}\n" for d, w, n in ENTRIES)
CONDITIONS = "".join(f"{d},{WORDS.split()[w - 1]}\n" * n for d, w, n in ENTRIES)
DIAGNOSES = "".join(f"{d},{w}00\n" * n for d, w, n in ENTRIES)
FEAT = "".join(f"{label} {row}\n" for label, row in zip("ababab", pairs(1)))
NVDM = {"train.feat": FEAT, "test.feat": FEAT, "vocab.new": "river 9\nbank 7\n"}
LYRL = "".join(f".I {number}\n.W\n{ROW}\n" for number in range(6))
BOTH = {"river", "bank"}


def parquet(columns):
    pytest.importorskip("pyarrow")
    import pyarrow
    import pyarrow.parquet

    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), sink)
    return sink.getvalue()


def triples(**others):
    names = {"document": [f"d{d}" for d, _, _ in ENTRIES], "word": [WORDS.split()[w - 1] for _, w, _ in ENTRIES]}
    return names | {"count": [int(n) for _, _, n in ENTRIES]} | others


def h5ad(path, kinds, counts=COUNTS):
    anndata = pytest.importorskip("anndata")
    import pandas

    obs = pandas.DataFrame({"kind": kinds}, index=[f"c{number}" for number in range(6)])
    var = pandas.DataFrame(index=WORDS.split())
    anndata.AnnData(scipy.sparse.csr_matrix(counts.astype(np.float32)), obs, var).write_h5ad(path)


def hdf5(path, labels, counts=COUNTS):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["X"], file["Y"] = counts, labels


def categories(path):
    import pandas

    h5ad(path, pandas.Categorical(["T", "B", None, "T", "B", "T"]))


def stored(command, folder):
    source = folder / "source"
    source.mkdir()
    (source / "a.jsonl").write_text(jsonl(*({"text": "été " + ROW, "label": label} for label in ("a", None) * 3)))
    code, _, err = command("prepare", f"--input={source / 'a.jsonl'}", f"--output={folder / 'in'}", "--min_count=1")
    assert code == 0, err


TEXTS = [{"text": ROW, "label": "a"}, {"text": "river", "label": None}, {"text": "bank", "label": 1.0}] * 2
ÉTÉ = "l'été à la mer"
FOUND = {"words": BOTH, "tokens": 13}
SPLITS = {"words": BOTH, "tokens": 26}
LINES = "\n".join([ROW] * 6) + "\n"
RARE = ["--min_count=1"]

MATRIX: dict[tuple[str, str], Cell | str] = {
    # texts
    ("jsonl", "surplus"): "fields have names; those that nobody asks for are no part of a text",
    ("jsonl", "labels"): Cell({"a.jsonl": jsonl(*TEXTS)}, RARE, words=BOTH, tokens=8, labels={"a", "", "1"}),
    ("jsonl", "seen"): Cell({"A.JSONL": "\ufeff" + jsonl(*TEXTS)}, RARE, words=BOTH, tokens=8),
    ("jsonl", "hidden"): NO_FOLDER,
    ("jsonl", "letters"): Cell(
        {"a.jsonl": jsonl(*({"text": text} for text in (ÉTÉ, "Привет мир", "हिन्दी में") * 2))},
        [*RARE, "--stop_words=none"],
        words={"été", "la", "mer", "привет", "мир", "हिन्दी", "में"},
        tokens=14,
        says="% of the letters stand in no word",
    ),
    ("jsonl", "words"): Cell(
        {"a.jsonl": jsonl(*TEXTS), "words": "river 9\nbank 7\nNew York 3\n"},
        ["--vocab=IN/words"],
        words={"river", "bank", "New York"},
        says="1 of 3 words of --vocab can stand in no text as it is cut, as 'New York'",
    ),
    ("jsonl", "whole"): NO_COUNTS,
    ("lines", "surplus"): NO_FIELDS,
    ("lines", "labels"): Cell(
        {"a.txt": LINES, "kinds": "T\n\nB\nT\nB\nT\n"}, [*RARE, "--labels=IN/kinds"], words=BOTH, labels={"T", "B", ""}
    ),
    ("lines", "seen"): Cell(
        {"A.TXT.GZ": gzip.compress(("\ufeff" + LINES).encode())},
        RARE,
        words=BOTH,
        tokens=12,
        says="A document is a line",
    ),
    ("lines", "hidden"): NO_FOLDER,
    ("lines", "letters"): Cell(
        {"a.txt": "我们都是好朋友\n" * 5},
        RARE,
        words={"我们都是好朋友"},
        says="scripts that set no blanks between words",
    ),
    ("lines", "words"): Cell(
        {"a.txt": LINES, "words": "river\t9\nbank\t7\n"},
        ["--vocab=IN/words"],
        words=BOTH,
        says="'river' of 'river\\t9'",
    ),
    ("lines", "whole"): NO_COUNTS,
    ("folder", "surplus"): NO_FIELDS,
    ("folder", "labels"): Cell(
        {f"in/{label}/{n}": ROW for label in "ab" for n in range(3)}, RARE, "in", words=BOTH, labels={"a", "b"}
    ),
    ("folder", "seen"): Cell(
        {f"in/{n}.TXT": "\ufeff" + ROW for n in range(6)},
        RARE,
        "in",
        words=BOTH,
        tokens=12,
        says="A document is a file: 6",
    ),
    ("folder", "hidden"): Cell(
        {f"in/a/{n}.txt": ROW for n in range(6)} | {"in/.git/x.txt": "x y", "in/README.txt": "about it"},
        RARE,
        "in",
        words=BOTH,
        tokens=12,
        says="Left out: 1 hidden or system file",
    ),
    ("folder", "letters"): Cell(
        {f"in/{n}.txt": ÉTÉ for n in range(6)}, RARE, "in", words={"été", "la", "mer"}, tokens=18
    ),
    ("folder", "words"): Cell(
        {"words": "river 9\nbank 7\n"} | {f"in/{n}.txt": ROW for n in range(6)}, ["--vocab=IN/words"], "in", words=BOTH
    ),
    ("folder", "whole"): NO_COUNTS,
    ("lyrl2004", "surplus"): Cell({"a.dat": LYRL.replace(".I 3", ".I 3 4")}, RARE, refuses=r"a\.dat:10: expected .I"),
    ("lyrl2004", "labels"): NO_LABELS,
    ("lyrl2004", "seen"): Cell({"a.dat": "\ufeff\n" + LYRL.replace(".I ", ".I\t")}, RARE, words=BOTH, tokens=12),
    ("lyrl2004", "hidden"): NO_FOLDER,
    ("lyrl2004", "letters"): Cell({"a.dat": LYRL.replace("river", "été")}, RARE, words={"été", "bank"}, tokens=12),
    ("lyrl2004", "words"): Cell(
        {"a.dat": LYRL, "words": "river 9\nbank 7\n"}, ["--vocab=IN/words"], words=BOTH, tokens=12
    ),
    ("lyrl2004", "whole"): NO_COUNTS,
    ("octis", "surplus"): Cell(
        {"in/corpus.tsv": f"{ROW}\ttrain\ta\n{ROW}\ttest\ta\tb\n", "in/vocabulary.txt": WORDS},
        [],
        "in",
        refuses=r"corpus\.tsv:2: expected .*text, split and label",
    ),
    ("octis", "labels"): Cell(
        {"in/corpus.tsv": f"{ROW}\ttrain\ta\n{ROW}\ttrain\t\n{ROW}\ttest\tb\n", "in/vocabulary.txt": WORDS},
        [],
        "in",
        words=BOTH,
        labels={"a", "", "b"},
    ),
    ("octis", "seen"): Cell(
        {"in/corpus.tsv": f"\ufeff{ROW}\tTrain\ta\n{ROW}\tTEST\ta\n", "in/vocabulary.txt": WORDS},
        [],
        "in",
        words=BOTH,
        tokens=4,
    ),
    ("octis", "hidden"): NO_FOLDER,
    ("octis", "letters"): Cell(
        {"in/corpus.tsv": "été\ttrain\ta\nété\ttest\ta\n", "in/vocabulary.txt": "été\n"},
        [],
        "in",
        words={"été"},
        tokens=2,
    ),
    ("octis", "words"): Cell(
        {"in/corpus.tsv": f"{ROW}\ttrain\ta\n{ROW}\ttest\ta\n", "in/vocabulary.txt": "river 9\nbank 7\n"},
        [],
        "in",
        words=BOTH,
    ),
    ("octis", "whole"): NO_COUNTS,
    # counts
    ("nvdm", "surplus"): Cell(
        _nvdm := {f"in/{name}": text for name, text in NVDM.items()} | {"in/test.feat": "a 1:1 2:1 3:1\n"},
        [],
        "in",
        refuses=r"test\.feat:1: expected an id from 1 to 2, found '3:1'",
    ),
    ("nvdm", "labels"): Cell(
        {f"in/{name}": text for name, text in NVDM.items()} | {"in/test.feat": "a 1:1\n\nb 2:1\n"},
        [],
        "in",
        words=BOTH,
        labels={"a", "b", ""},
    ),
    ("nvdm", "seen"): Cell({f"in/{name}": "\ufeff" + text for name, text in NVDM.items()}, [], "in", **SPLITS),
    ("nvdm", "hidden"): NO_FOLDER,
    ("nvdm", "letters"): Cell(
        {f"in/{name}": text.replace("river", "été") for name, text in NVDM.items()}, [], "in", words={"été", "bank"}
    ),
    ("nvdm", "words"): Cell(
        {"words": "1\triver\n2\tbank\n"} | {f"in/{name}": text for name, text in NVDM.items()},
        ["--vocab=IN/words"],
        "in",
        **SPLITS,
        says="the words stand behind their ids, from 1",
    ),
    ("nvdm", "whole"): Cell(
        {f"in/{name}": re.sub(":([0-9])", r":\1.0", text) for name, text in NVDM.items()}, [], "in", **SPLITS
    ),
    ("topmost", "surplus"): Cell(
        {"in/train_bow.npz": NPZ, "in/test_bow.npz": NPZ, "in/vocab.txt": "river\n"},
        [],
        "in",
        refuses=r"train_bow\.npz: .*expected 2 words, one for each column, found 1",
    ),
    ("topmost", "labels"): Cell(
        {
            "in/train_bow.npz": NPZ,
            "in/test_bow.npz": NPZ,
            "in/vocab.txt": WORDS,
            "in/train_labels.txt": "a\n\nb\na\nb\na\n",
        },
        [],
        "in",
        words=BOTH,
        labels={"a", "b", ""},
    ),
    ("topmost", "seen"): Cell(
        {"in/TRAIN_bow.npz": NPZ, "in/test_BOW.npz": NPZ, "in/vocab.txt": "\ufeff" + WORDS}, [], "in", **SPLITS
    ),
    ("topmost", "hidden"): NO_FOLDER,
    ("topmost", "letters"): NO_TEXT,
    ("topmost", "words"): Cell(
        {"in/train_bow.npz": NPZ, "in/test_bow.npz": NPZ, "in/vocab.txt": "river 9\nbank 7\n"}, [], "in", **SPLITS
    ),
    ("topmost", "whole"): Cell(
        {"in/train_bow.npz": TWICE, "in/test_bow.npz": TWICE, "in/vocab.txt": WORDS}, [], "in", **SPLITS
    ),
    ("npz", "surplus"): Cell(
        {"a.npz": NPZ, "vocab.txt": "river\n"}, refuses=r"a\.npz: .*expected 2 words, one for each column, found 1"
    ),
    ("npz", "labels"): Cell(
        {"a.npz": NPZ, "vocab.txt": WORDS, "a_labels.txt": "a\n\nb\na\nb\na\n"}, **FOUND, labels={"a", "b", ""}
    ),
    ("npz", "seen"): Cell({"counts.bin": NPZ, "vocab.txt": WORDS}, **FOUND),
    ("npz", "hidden"): NO_FOLDER,
    ("npz", "letters"): NO_TEXT,
    ("npz", "words"): Cell(
        {"a.npz": NPZ, "a.dict.txt": "6\n1\tbank\t3\n0\triver\t4\n"}, **FOUND, says="The words are those of a.dict.txt"
    ),
    ("npz", "whole"): Cell({"a.npz": TWICE, "vocab.txt": WORDS}, **FOUND),
    ("uci", "surplus"): Cell(
        {"docword.a.txt": uci().replace("1 1 2", "1 1 2 7"), "vocab.a.txt": WORDS},
        refuses=r"docword\.a\.txt:4: expected document, word and count",
    ),
    ("uci", "labels"): NO_LABELS,
    ("uci", "seen"): Cell({"DOCWORD.a.txt": "\ufeff" + uci(), "vocab.a.txt": WORDS}, **FOUND),
    ("uci", "hidden"): NO_FOLDER,
    ("uci", "letters"): NO_TEXT,
    ("uci", "words"): Cell(
        {"testcorpus.uci": uci().replace("6\n", "6     \n", 1), "testcorpus.uci.vocab": WORDS}, **FOUND
    ),
    ("uci", "whole"): Cell({"docword.a.txt": uci("{} {} {}.0"), "vocab.a.txt": WORDS}, **FOUND),
    ("mtx", "surplus"): Cell(
        {"a.mtx": mtx("{} {} {} 7")}, refuses=r"a\.mtx:3: expected a row, a column and its number"
    ),
    ("mtx", "labels"): NO_LABELS,
    ("mtx", "seen"): Cell(
        {"a.MM": "\ufeff" + mtx(banner="%%matrixmarket MATRIX Coordinate integer General"), "vocab.txt": WORDS}, **FOUND
    ),
    ("mtx", "hidden"): NO_FOLDER,
    ("mtx", "letters"): NO_TEXT,
    ("mtx", "words"): Cell(
        {"a.mtx": mtx()}, words={"0", "1"}, tokens=13, says="Words are numbered: no vocabulary stands"
    ),
    ("mtx", "whole"): Cell({"a.mtx": mtx("{} {} {}.0"), "a.mtx.vocab": WORDS}, **FOUND),
    ("10x", "surplus"): Cell(
        {f"in/{name}": text for name, text in TENX.items()} | {"in/features.tsv": "G1\triver\tx\nG2\tbank\tx\ty\n"},
        [],
        "in",
        refuses=r"features\.tsv:2: expected as many fields as in line 1, 3, found 4",
    ),
    ("10x", "labels"): NO_LABELS,
    ("10x", "seen"): Cell(
        {f"in/s1_{name}": text for name, text in TENX.items()}, [], "in", words={"G1", "G2"}, tokens=13
    ),
    ("10x", "hidden"): NO_FOLDER,
    ("10x", "letters"): NO_TEXT,
    ("10x", "words"): Cell(
        {f"in/{name}": text.replace("G1", "G 1") for name, text in TENX.items()}
        | {"in/features.tsv": "G 1\triver\tGene Expression\nG2\tCD3\tAntibody Capture\n"},
        ["--words=symbol"],
        "in",
        words={"river"},
        says="Antibody Capture",
    ),
    ("10x", "whole"): Cell(
        {f"in/{name}": text for name, text in TENX.items()} | {"in/matrix.mtx": mtx("{} {} {}.0", turned=True)},
        [],
        "in",
        words={"G1", "G2"},
        tokens=13,
    ),
    ("ldac", "surplus"): Cell(
        {"a.dat": ldac().replace("2 0:1 1:1", "1 0:1 1:1")},
        ["--format=ldac"],
        refuses=r"a\.dat:3: expected 1 pairs id:count, as the line says, found 2",
    ),
    ("ldac", "labels"): NO_LABELS,
    ("ldac", "seen"): Cell({"a.txt": "\ufeff0" + ldac(), "vocab.txt": WORDS}, **FOUND),
    ("ldac", "hidden"): NO_FOLDER,
    ("ldac", "letters"): NO_TEXT,
    ("ldac", "words"): Cell(
        {"corpus.lda-c": ldac(), "corpus.lda-c.vocab": WORDS}, **FOUND, says="The words are those of corpus.lda-c.vocab"
    ),
    ("ldac", "whole"): Cell({"a.dat": ldac("{}:{}.0"), "a.vocab": WORDS}, **FOUND),
    ("svmlight", "surplus"): Cell(
        {"a.svm": svm() + "1 1:1 2:1 3:1\n", "vocab.txt": WORDS},
        ["--index_base=1"],
        refuses=r"a\.svm:7: expected an id from 1 to 2",
    ),
    ("svmlight", "labels"): Cell(
        {"a.svm": svm(("1", "+1", "1.0", "2", "0.5", "nan")), "vocab.txt": WORDS},
        ["--index_base=1"],
        **FOUND,
        labels={"1", "2", "0.5", ""},
    ),
    ("svmlight", "seen"): Cell({"a.SVM": "\ufeff# remark\n" + svm(), "vocab.txt": WORDS}, ["--index_base=1"], **FOUND),
    ("svmlight", "hidden"): NO_FOLDER,
    ("svmlight", "letters"): NO_TEXT,
    ("svmlight", "words"): Cell({"a.svm": svm()}, ["--index_base=1"], words={"0", "1"}, says="Words are numbered"),
    ("svmlight", "whole"): Cell({"a.svm": svm(form="{}:{}.0"), "vocab.txt": WORDS}, ["--index_base=1"], **FOUND),
    ("triplets", "surplus"): Cell(
        {"a.csv": "document,word\nu0,Heat\nu1,American President, The\n"},
        refuses=r"a\.csv:3: expected 2 fields, as the header has, found 3; a field that holds a comma needs quotes",
    ),
    ("triplets", "labels"): Cell(
        {"a.csv": table(), "kinds.csv": "id,kind\nd1,T\nd2,\nd3,B\nd4,T\nd5,B\nd6,T\n"},
        ["--labels=IN/kinds.csv", "--label=kind"],
        **FOUND,
        labels={"T", "B", ""},
    ),
    ("triplets", "seen"): Cell(
        {"a.inter": table("\t", ("user_id:token", "item_id:token", "rating:float"))},
        words=BOTH,
        tokens=8,
        says="its columns user_id and item_id are taken, and rating:float not",
    ),
    ("triplets", "hidden"): NO_FOLDER,
    ("triplets", "letters"): Cell({"a.csv": table().replace("river", "été")}, words={"été", "bank"}, tokens=13),
    ("triplets", "words"): Cell(
        {"a.csv": table(), "names.tsv": "word\tname\nriver\tRio\nbank\tBanco\n"},
        ["--names=IN/names.tsv"],
        words={"Rio", "Banco"},
        tokens=13,
    ),
    ("triplets", "whole"): Cell({"a.csv": table(";", form="{}.0")}, **FOUND, says="stand between semicolons"),
    ("parquet", "surplus"): "columns have one length",
    ("parquet", "labels"): Cell(
        lambda: {"a.bin": parquet(triples(document=[1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, float("nan")]))},
        refuses=r"a\.bin: row 8: expected a document and a word",
    ),
    ("parquet", "seen"): Cell(lambda: {"a.bin": parquet(triples())}, **FOUND),
    ("parquet", "hidden"): NO_FOLDER,
    ("parquet", "letters"): NO_TEXT,
    ("parquet", "words"): Cell(
        lambda: {"a.parquet": parquet(triples(word=[w.encode() for w in triples()["word"]]))}, **FOUND
    ),
    ("parquet", "whole"): Cell(
        lambda: {"a.parquet": parquet(triples(count=[float(n) for _, _, n in ENTRIES]))}, **FOUND
    ),
    ("dense", "surplus"): Cell({"a.csv": dense(end=",7")}, ["--format=dense"], refuses=r"a\.csv:2: expected 3 fields"),
    ("dense", "labels"): Cell(
        {"a.csv": dense(), "kinds": "T\nT\nB\n\nB\nT\n"}, ["--labels=IN/kinds"], **FOUND, labels={"T", "B", ""}
    ),
    ("dense", "seen"): Cell({"a.TSV": "\ufeff" + dense().replace(",", "\t")}, **FOUND),
    ("dense", "hidden"): NO_FOLDER,
    ("dense", "letters"): NO_TEXT,
    ("dense", "words"): Cell(
        {"a.csv": dense().replace("bank", "river")}, ["--format=dense"], refuses=r"a\.csv:1: expected distinct words"
    ),
    ("dense", "whole"): Cell({"a.csv": dense("{}.0")}, **FOUND),
    # tables of events
    ("movielens", "surplus"): Cell(
        {
            "in/movies.csv": "movieId,title\n1,American President, The\n2,bank\n",
            "in/ratings.csv": "userId,movieId,rating\n" + RATINGS,
        },
        [],
        "in",
        refuses=r"movies\.csv:2: expected 2 fields, as the header has",
    ),
    ("movielens", "labels"): NO_LABELS,
    ("movielens", "seen"): Cell(
        {"in/movies.csv": "\ufeff" + MOVIES, "in/ratings.csv": "\ufeffuserId,movieId,rating\n" + RATINGS},
        [],
        "in",
        **FOUND,
    ),
    ("movielens", "hidden"): NO_FOLDER,
    ("movielens", "letters"): NO_TEXT,
    ("movielens", "words"): Cell(
        {"in/movies.csv": MOVIES + "1,Rio\n", "in/ratings.csv": "userId,movieId,rating\n" + RATINGS},
        [],
        "in",
        refuses=r"movies\.csv:4: expected one .* of '1', found 'river' and 'Rio'",
    ),
    ("movielens", "whole"): Cell(
        {"in/movies.csv": MOVIES, "in/ratings.csv": "userId,movieId,rating\n" + RATINGS}, [], "in", **FOUND
    ),
    ("synthea", "surplus"): Cell(
        {"in/conditions.csv": "PATIENT,DESCRIPTION\n1,Stress, mild\n"},
        [],
        "in",
        refuses=r"conditions\.csv:2: expected 2 fields, as the header has, found 3",
    ),
    ("synthea", "labels"): NO_LABELS,
    ("synthea", "seen"): Cell({"in/conditions.csv": "\ufeffPATIENT,DESCRIPTION\n" + CONDITIONS}, [], "in", **FOUND),
    ("synthea", "hidden"): NO_FOLDER,
    ("synthea", "letters"): NO_TEXT,
    ("synthea", "words"): OWN_WORDS,
    ("synthea", "whole"): "counts rows",
    ("mimic", "surplus"): Cell(
        {"in/DIAGNOSES_ICD.csv": "SUBJECT_ID,ICD9_CODE\n1,100,200\n"},
        [],
        "in",
        refuses=r"DIAGNOSES_ICD\.csv:2: expected 2 fields, as the header has, found 3",
    ),
    ("mimic", "labels"): NO_LABELS,
    ("mimic", "seen"): Cell(
        {"in/DIAGNOSES_ICD.csv": "\ufeffSUBJECT_ID,ICD9_CODE\n" + DIAGNOSES}, [], "in", words={"100", "200"}, tokens=13
    ),
    ("mimic", "hidden"): NO_FOLDER,
    ("mimic", "letters"): NO_TEXT,
    ("mimic", "words"): OWN_WORDS,
    ("mimic", "whole"): "counts rows",
    # HDF5 and our own form
    ("h5ad", "surplus"): "arrays have one length",
    ("h5ad", "labels"): Cell({"a.h5ad": categories}, ["--label=kind"], **FOUND, labels={"T", "B", ""}),
    ("h5ad", "seen"): Cell(
        {"cells.H5": lambda path: h5ad(path, list("TTBBTT"))}, ["--label=kind"], **FOUND, labels={"T", "B"}
    ),
    ("h5ad", "hidden"): NO_FOLDER,
    ("h5ad", "letters"): NO_TEXT,
    ("h5ad", "words"): OWN_WORDS,
    ("h5ad", "whole"): Cell(
        {"a.h5ad": lambda path: h5ad(path, list("TTBBTT"), COUNTS + 0.5)},
        refuses=r"a\.h5ad: expected counts in X, found 2\.5",
    ),
    ("hdf5", "surplus"): Cell({"a.h5": lambda path: hdf5(path, [1, 2])}, refuses=r"a\.h5: expected Y to be 6 labels"),
    ("hdf5", "labels"): Cell(
        {"a.h5": lambda path: hdf5(path, [0.5, 0.25, 1.0, float("nan"), 2.0, 1.0])},
        words={"0", "1"},
        labels={"0.5", "0.25", "1", "2", ""},
    ),
    ("hdf5", "seen"): Cell({"cells": lambda path: hdf5(path, [b"T", b"B"] * 3)}, words={"0", "1"}, labels={"T", "B"}),
    ("hdf5", "hidden"): NO_FOLDER,
    ("hdf5", "letters"): NO_TEXT,
    ("hdf5", "words"): Cell(
        {"a.h5": lambda path: hdf5(path, [1, 2] * 3)}, says="Words are numbered: a.h5 has no names"
    ),
    ("hdf5", "whole"): Cell(
        {"a.h5": lambda path: hdf5(path, [1, 2] * 3, COUNTS.astype(float))}, words={"0", "1"}, tokens=13
    ),
    ("compact", "surplus"): "is checked by the sizes of its files",
    ("compact", "labels"): Cell(stored, [], "in", labels={"a", ""}),
    ("compact", "seen"): "is written by prepare alone, and known by corpus.json",
    ("compact", "hidden"): NO_FOLDER,
    ("compact", "letters"): Cell(stored, [], "in", words={"été", "river", "bank"}),
    ("compact", "words"): "takes its own words, whole lines",
    ("compact", "whole"): "holds whole numbers of 32 bits",
}


def test_every_cell_is_filled():
    assert set(MATRIX) == {(reader, kind) for reader in READERS for kind in KINDS}


CELLS = {name: cell for name, cell in MATRIX.items() if isinstance(cell, Cell)}


def write(cell, command, folder):
    """Writes the files of a cell: the path of the input."""
    if cell.files is stored:
        stored(command, folder)
        return folder / cell.input
    files = cell.files() if callable(cell.files) else cell.files
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            content(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / (cell.input or next(iter(files)))


@pytest.mark.parametrize("name", CELLS, ids="-".join)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_a_cell(command, tmp_path, name):
    cell, folder, output = CELLS[name], tmp_path / "files", tmp_path / "out"
    folder.mkdir()
    path = write(cell, command, folder)
    flags = [flag.replace("IN/", f"{folder}/") for flag in cell.flags]
    code, out, err = command("prepare", f"--input={path}", f"--output={output}", *flags)
    if cell.refuses:
        assert code == 2, out
        assert len(err.split("error: ")) == 2
        assert re.search(cell.refuses, err.splitlines()[-1]), err
        assert not output.exists()
        return
    assert code == 0, err
    assert cell.says in out
    found = datasets.load(str(output))
    splits = [found.train, found.test]
    if cell.words is not None:
        assert set(found.train.vocabulary) == cell.words
    if cell.tokens is not None:
        assert sum(int(split.lengths.sum()) for split in splits) == cell.tokens
    labels = {label for split in splits for label in split.labels or [""] * split.num_documents}
    if cell.labels is not None:
        assert labels == cell.labels
