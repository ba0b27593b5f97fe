"""The recipes that look into models, each by one command on toy inputs: what their tables hold."""

import itertools
import json
import re

import h5py
import numpy as np
import pytest
import scipy.stats

from dlgm_jax import BadInput, load_run
from dlgm_jax.embeddings.medical import mrm_ccs
from experiments.recipes import cells, ratings, table2, table3, table4, table6, table8
from tests.experiments.toys import cosines, rows, vectors_of, write_csv

WORDS = ["river", "bank", "water", "money", "loan", "fish", "boat", "military", "crane", "bird", "fires", "burn"]


def folders_of(folder, path):
    """The runs that a recipe's JSON file is of, by the names of their rows."""
    return {run["row"]: next(folder.glob(f"*-{run['key']}")) for run in json.loads(path.read_text())["runs"]}


def write_events(path, header, names, number):
    """A table of events: each of `number` patients has six of the names."""
    rng = np.random.default_rng(0)
    lines = [(one, name) for one in range(number) for name in rng.choice(names, 6, replace=False)]
    path.parent.mkdir()
    write_csv(path, header, lines)
    return path.parent


def write_synthea(folder):
    codes = [
        *("Hyperlipidemia", "Simvastatin 10 MG", "Simvastatin 20 MG Oral", "Hypertension", "lisinopril 10 MG", "Cold"),
        *("24 HR Metformin", "Diabetes", "Diabetes plan", "Acute venous thrombosis", "Opioid abuse", "Fever"),
    ]
    return write_events(folder / "conditions.csv", ["PATIENT", "DESCRIPTION"], codes, 80)


def write_mimic(folder):
    codes = [*("0101", "0102", "0103", "0104", "0105"), *("5301", "5302", "5303", "5304", "5305", "V100", "V101")]
    write_events(folder / "DIAGNOSES_ICD.csv", ["SUBJECT_ID", "ICD9_CODE"], codes, 79)
    titles = [(code, f"Title of {code}") for code in codes[:-2]] + [("V100", "Retinal tear")]
    write_csv(folder / "D_ICD_DIAGNOSES.csv", ["ICD9_CODE", "LONG_TITLE"], titles)
    return folder


def test_tables_2_and_3_share_their_corpus_and_runs(quick, folder, tmp_path):
    rng = np.random.default_rng(0)
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(" ".join(rng.choice(WORDS, 6, replace=False)) for _ in range(80)) + "\n")
    pairs = [(*rng.choice(WORDS, 2, replace=False), rng.integers(0, 10)) for _ in range(352)] + [("fish", "zebra", 2)]
    (tmp_path / "ws.txt").write_text("".join(f"{a}\t{b}\t{rating}\n" for a, b, rating in pairs))
    contexts = [f"1\t{a}\tn\t{b}\tn\tthe <b> {a} </b> boat\t<b> {b} </b> fish\t{r}" for a, b, r in pairs[:9]]
    (tmp_path / "scws.txt").write_text("".join(line + "\t0" * 10 + "\n" for line in contexts))
    flags = [f"--texts={texts}", f"--similarity={tmp_path / 'ws.txt'},{tmp_path / 'scws.txt'}"]

    out, tables = quick(table3, *flags)
    assert len(re.findall(r"^\[./2\] .* epochs in", out, re.MULTILINE)) == 2
    found = rows(tables["Similarity of words"])
    assert [row["pairs"] for row in found] == [352] * 9 + [9] * 9
    assert all(-100 <= row["Spearman x 100"] <= 100 for row in found)
    paper = {(row["file"], row["vectors"]): row["paper"] for row in found}
    assert paper["ws.txt", "1-M1-tfidf J^prob"] == 69.7
    assert paper["scws.txt", "3-M100-tfidf J^log"] == 59.6
    assert paper["ws.txt", "LSA"] == "-"
    similarity = {row["vectors"]: row["Spearman x 100"] for row in found if row["file"] == "ws.txt"}
    ratings_of = [int(rating) for *_, rating in pairs[:-1]]
    folders = folders_of(folder, tmp_path / "table3.json")
    for name, variant in itertools.product(folders, ("pot", "log", "prob")):
        near, row = cosines(vectors_of(folders[name], variant)), load_run(folders[name]).vocabulary.index
        truth = scipy.stats.spearmanr([near[row(a), row(b)] for a, b, _ in pairs[:-1]], ratings_of).statistic
        assert similarity[f"{name} J^{variant}"] == pytest.approx(100 * truth, abs=1e-3)
    assert len(set(similarity.values())) > 7  # two variants of a model of two epochs may agree
    assert [row["vectors"] for row in rows(tables["Similarity of words in context"])] == [
        "1-M1-tfidf J^log",
        "3-M100-tfidf J^log",
    ]

    before = set(folder.iterdir())
    out, tables = quick(table2, *flags)
    assert "epochs in" not in out
    assert set(folder.iterdir()) == before
    words = {row["word"]: row for row in rows(tables["(a) Neighbours of words, 3-M100-tfidf"])}
    assert words["zen"]["nearest"] == "not in the vocabulary"
    assert words["military"]["paper"] == "civilian, armys, commanders, infantry"
    vocabulary = load_run(folders["3-M100-tfidf"]).vocabulary
    likeness = cosines(vectors_of(folders["3-M100-tfidf"], "log"))[vocabulary.index("military")]
    order = [vocabulary[row] for row in np.argsort(-likeness) if vocabulary[row] != "military"]
    assert words["military"]["nearest"].split(", ") == order[:5]
    places = {(row["word"], row["context"]): row for row in rows(tables["(b) Neighbours in context, 3-M100-tfidf"])}
    assert places["bank", "river"]["words"] == 2
    assert places["fires", "layoff"]["nearest in context"] == "not in the vocabulary"
    assert len(places["crane", "bird"]["nearest in context"].split(", ")) == 5


def test_tables_4_and_8_share_their_patients(quick, folder, tmp_path):
    mimic, synthea = write_mimic(tmp_path / "mimic"), write_synthea(tmp_path / "synthea")
    (tmp_path / "fine.txt").write_text("010.1 010.2 010.3 010.4\n530.1 530.2 530.3\n")
    (tmp_path / "coarse.txt").write_text("1  All\n1.1  Some\n     0101 0102 0103 0104 5301 5302 5303\n")
    files = [f"--fine={tmp_path / 'fine.txt'}", f"--coarse={tmp_path / 'coarse.txt'}", "--neighbours=2"]
    _, tables = quick(table4, f"--input={mimic}", *files)
    found = {(row["groups"], row["vectors"]): row for row in rows(tables["Medical relatedness"])}
    assert len(found) == 2 * (2 * 3 + 2)
    assert found["fine", "3-M100-tfidf J^pot"]["paper"] == 37.77
    assert found["coarse", "1-M1-tfidf J^log"]["paper"] == 34.04
    for grain in ("fine", "coarse"):
        assert found[grain, "perfect (the groups)"]["% of 2 hits"] == pytest.approx(100)
        assert {(row["codes"], row["without group"]) for row in found.values()} == {(7, 5)}

    folders = folders_of(folder, tmp_path / "table4.json")
    groups = {"010": 0, "530": 1, "V10": -1}  # of the fine file, which leaves out 0105, 5304, 5305 and the last two
    codes = load_run(folders["1-M1-tfidf"]).vocabulary
    labels = [-1 if code in ("0105", "5304", "5305") else groups[code[:3]] for code in codes]
    for name, variant in itertools.product(folders, ("pot", "log", "prob")):
        hits = mrm_ccs(vectors_of(folders[name], variant), labels, num_neighbours=2)
        assert found["fine", f"{name} J^{variant}"]["MRM_CCS (eq. 6)"] == pytest.approx(hits)
    shuffled = np.random.default_rng(0).permutation(vectors_of(folders["1-M1-tfidf"], "log"))
    hits = mrm_ccs(shuffled, labels, num_neighbours=2)
    assert found["fine", "chance (rows shuffled)"]["MRM_CCS (eq. 6)"] == pytest.approx(hits)

    deep = folders["3-M100-tfidf"]
    _, tables = quick(table4, f"--workdir={deep}", *files)
    own = {row["vectors"]: row for row in rows(tables["Medical relatedness"])}
    assert len(own) == 3 + 2
    name = "8x8-M7-fisher-tfidf-q8x8 J^pot"
    assert own[name]["paper"] == "-"
    assert own[name]["% of 2 hits"] == found["coarse", "3-M100-tfidf J^pot"]["% of 2 hits"]

    out, tables = quick(table8, f"--synthea={synthea}", f"--mimic={mimic}", "--clusters=4", "--neighbours=3")
    assert out.count("epochs in") == 1
    asked = rows(tables["(a) Medical analogies"])
    assert [row["code 3"] for row in asked[:2]] == ["lisinopril 10 MG", "24 HR Metformin"]
    assert [row["it is given for"] for row in asked[:2]] == ["Hypertension", "Diabetes"]
    assert all(len(row["neighbours of the result"].split(", ")) == 3 for row in asked[:2])
    assert asked[2]["neighbours of the result"] == "Rheumatoid Arthritis (paper)"
    right = sum(row["it is given for"] in row["neighbours of the result"].split(", ") for row in asked[:2])
    assert tables["(a) Medical analogies"].note.startswith(f"{right} of 2 answers")
    clusters = {(row["label"], row["corpus"]): row for row in rows(tables["(b) Clusters of codes"])}
    assert "Acute venous thrombosis" in clusters["Thrombosis", "Synthea"]["codes"]
    assert "Retinal tear" in clusters["Ocular Atrophy", "MIMIC-III"]["codes"]
    assert clusters["Ocular Atrophy", "MIMIC-III"]["of the kind"].startswith("1 of ")
    assert clusters["Drug Use", "MIMIC-III"]["codes"] == "no such code"
    assert len(tables["Clusters of Synthea's codes"].rows) == 4

    out, tables = quick(table2, f"--workdir={deep}", f"--synthea={synthea}")
    assert "epochs in" not in out
    codes = {row["code"]: row for row in rows(tables["(c) Neighbours of medical codes, 3-M100-tfidf"])}
    assert codes["24 HR Metformin"]["paper"].startswith("Glimepiride")
    assert len(codes["24 HR Metformin"]["nearest"].split(", ")) == 5
    assert codes["Spiriva"]["nearest"] == "not in the vocabulary"


def test_cells_are_told_by_their_labels(quick, tmp_path):
    rng = np.random.default_rng(0)
    counts = np.zeros((80, 12))
    for cell, row in enumerate(counts):
        row[rng.permutation(6) + cell % 2 * 6] = rng.integers(1, 9, 6)
    with h5py.File(tmp_path / "cells.h5", "w") as file:
        file["X"], file["Y"] = counts, np.arange(80) % 2
    flags = [f"--input={tmp_path / 'cells.h5'}", "--components=3"]
    out, tables = quick(cells, *flags)
    assert out.count("epochs in") == 1
    found = {row["embedding"]: row for row in rows(tables["Labels from embeddings"])}
    assert list(found) == ["3-M100-tfidf, posterior means", "log-normalised, 3 components"]
    assert found["log-normalised, 3 components"]["linear probe, %"] == 100
    assert tables["Labels from embeddings"].note.startswith("16 test and 24 training documents, 2 labels")
    out, again = quick(cells, *flags)
    assert "epochs in" not in out
    assert again == tables


def test_cells_without_labels_are_refused_before_training(quick, tmp_path):
    with h5py.File(tmp_path / "cells.h5", "w") as file:
        file["X"] = np.eye(80)
    with pytest.raises(BadInput, match=r"cells\.h5: expected documents with labels of two kinds, found none"):
        quick(cells, f"--input={tmp_path / 'cells.h5'}")


@pytest.mark.parametrize(
    ("module", "flags", "message"),
    [
        (table2, ["--texts=nowhere.txt"], "--input: expected a file or a folder, found no nowhere.txt"),
        (table2, ["--texts=nowhere.txt", "--neighbours=0"], "--neighbours: expected a whole number from 1, found 0"),
        (table3, ["--texts=a", "--similarity=nowhere.txt"], "nowhere.txt: cannot be read"),
        (table4, ["--fine=nowhere.txt"], "nowhere.txt: cannot be read"),
        (table6, ["--input=nowhere", "--samples=0"], "--samples: expected a whole number from 1, found 0"),
        (table6, ["--workdir=nowhere", "--input=nowhere"], "nowhere"),
        (table8, [], "--synthea, --mimic: expected a folder of one of them, found nothing"),
        (table8, ["--mimic=nowhere", "--variant=odds"], "--variant: expected one of pot, log, prob, found 'odds'"),
        (ratings, ["--k="], "--k: expected whole numbers from 1 as 20,50, found nothing"),
        (ratings, ["--observed_items=1"], "--observed_items: expected a share between 0 and 1, found 1"),
        (cells, [], "--input: expected a folder, found nothing"),
        (cells, ["--input=nothing.txt", "--genes=-5"], "--genes: expected a whole number from 1, found -5"),
    ],
)
def test_bad_flags_are_one_line(module, flags, message, tmp_path):
    with pytest.raises(BadInput, match=r"^[^\n]*$") as found:
        module.main(["recipe", f"--folder={tmp_path}", *flags])
    assert message in str(found.value)
    assert not list(tmp_path.glob("*-M*"))
