"""The real corpora, where they are there: counts equal to what their catalogue says."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dlgm_jax.data.formats import nvdm
from dlgm_jax.data.inputs import open_input
from dlgm_jax.data.source import Reading, in_memory
from dlgm_jax.data.text import encoded, read_texts, without_header
from dlgm_jax.data.vocabularies import read_vocabulary
from dlgm_jax.data.words import Words

DATA = Path(os.environ.get("DLGM_DATA", Path(__file__).parents[3] / "shared" / "data"))
EXPECTED = {  # documents by split, words, tokens, non-zeros (None where the catalogue does not say)
    "20news_nvdm": ((11_268, 7_505), 2_000, 1_128_881 + 720_898, 729_545 + 477_078),
    "20news_prodlda": ((11_259, 7_488), 1_995, 991_493 + 629_312, 629_540 + 410_358),
    "octis/BBC_News": ((1_556, 334, 335), 2_949, 267_259, None),
    "octis/DBLP": ((38_215, 8_190, 8_190), 1_513, 294_757, None),
    "octis/M10": ((5_847, 1_254, 1_254), 1_696, 49_385, None),
    "scrna/worm_neuron_cell.h5": ((4_186,), 13_488, 1_376_141, 780_212),
    "scrna/mouse_bladder_cell_select_2100.h5": ((2_100,), 20_670, 4_528_297, 2_214_875),
    "movielens_latest_small": ((610,), 9_724, None, 100_836),
    "synthea": ((543,), None, 18_819 + 17_225 + 7_487 + 2_427, None),
    "mimic3_demo": ((100,), 581, 1_761, None),
}
DROPPED = {  # by the original's makers, beyond documents without a word
    "train": {
        "comp.os.ms-windows.misc": [*range(9542, 9545), *range(9976, 9989), 9990],
        "talk.politics.guns": [54380],
        "sci.crypt": [15545],
        "comp.sys.mac.hardware": [51522, 51656],
        "rec.sport.hockey": [53968],
    },
    "test": {"comp.windows.x": [67987, 67988], "misc.forsale": [76275, 76522], "sci.crypt": [16017]},
}


def path_of(name):
    if not (DATA / name).exists():
        pytest.skip(f"needs {name}")
    return DATA / name


@pytest.mark.parametrize("name", EXPECTED)
def test_counts_are_those_of_the_catalogue(name):
    corpora = in_memory(open_input(path_of(name), "", Reading()))
    found = (
        tuple(corpus.num_documents for corpus in corpora.values()),
        next(iter(corpora.values())).vocab_size,
        sum(int(corpus.lengths.sum()) for corpus in corpora.values()),
        sum(corpus.counts.nnz for corpus in corpora.values()),
    )
    for figure, expected in zip(found, EXPECTED[name]):
        assert expected is None or figure == expected


def test_messages_give_the_counts_of_the_nvdm_folder():
    raw, folder = path_of("20news_raw/20news_bydate.jsonl.xz"), path_of("20news_nvdm")
    vocabulary = read_vocabulary(folder / "vocab.new", Reading())
    groups = (folder / "groups.txt").read_text().split()
    dropped = {(split, group, str(n)) for split in DROPPED for group, ids in DROPPED[split].items() for n in ids}

    def read():
        for text in read_texts(raw, Reading(label="group")):
            if (text.split, text.label, text.name) not in dropped:
                yield without_header(text)

    ours = in_memory(encoded(read, Words("[a-z]+", ""), vocabulary))
    for split, theirs in zip(("train", "test"), nvdm.read(folder)):
        assert ours[split].num_documents == theirs.num_documents
        assert not rows(ours[split].counts, None) - rows(theirs.counts, None)
        labels = [groups[int(label) - 1] for label in theirs.labels]
        different = rows(ours[split].counts, ours[split].labels) - rows(theirs.counts, labels)
        assert different.total() <= 1  # of three equal documents of one word, one may be of another group


def rows(counts, labels):
    """How often each row of counts (with its label) occurs."""
    parts = zip(np.split(counts.indices, counts.indptr[1:-1]), np.split(counts.data, counts.indptr[1:-1]))
    return Counter(
        (labels[row] if labels else "", words.tobytes(), values.tobytes()) for row, (words, values) in enumerate(parts)
    )
