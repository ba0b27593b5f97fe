"""Table 8: analogies between drugs and diseases, and clusters of diagnosis codes, on public stand-ins.

python -m experiments.recipes.table8 --synthea=synthea --mimic=mimic3_demo

The paper's records are not public. Synthea's synthetic patients (conditions.csv, medications.csv ...;
synthetichealth.github.io) have drugs and diseases, and the open demo of MIMIC-III (DIAGNOSES_ICD.csv,
D_ICD_DIAGNOSES.csv; physionet.org) has diagnoses. Either folder will do. Analogies are between drugs and what
Synthea's modules give them for. MRM_NDF-RT (equation 7) is not computed: the map from CUI to ICD-9 that turns NDF-RT
into relations between codes is not published; `dlgm_jax.embeddings.medical.mrm_ndfrt` takes relations as rows.

Expected: Synthea's modules leave plain traces, so four of seven answers are found; 85 patients of MIMIC-III are too few
for clusters that mean anything, for the best model by ten of them is that of epoch 2.
Time on 2 cores: 5 minutes, 3 after table4.
"""

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np

from dlgm_jax.data.formats import tables
from dlgm_jax.embeddings.analogies import complete
from dlgm_jax.embeddings.clusters import spectral_clusters
from dlgm_jax.errors import BadInput, quantity
from experiments.findings.model import Learned, check, models_of
from experiments.findings.vectors import cluster_table, listed
from experiments.flags.command import Command, parse, run_main
from experiments.recipes import runs
from experiments.recipes.sweep import FLAGS, Sweep
from experiments.report.page import Table

OWN_FLAGS = {name: flag for name, flag in FLAGS.items() if name != "seeds"} | {
    "synthea": ("", "a folder of Synthea's tables"),
    "mimic": ("", "the folder of MIMIC-III's tables"),
    "variant": ("log", "of the Jacobian vectors: pot, log or prob"),
    "samples": (400, "draws from the prior for the mean Jacobian"),
    "neighbours": (5, "neighbours of the result of an analogy"),
    "clusters": (50, "clusters of codes; no more than codes"),
}
TREATS = (  # drugs of Synthea and what they are given for; the shortest entry that holds the text is meant
    ("Simvastatin", "Hyperlipidemia"),
    ("lisinopril", "Hypertension"),
    ("Metformin", "Diabetes"),
    ("Alendronic", "Osteoporosis"),
    ("Warfarin", "Atrial Fibrillation"),
    ("Nitroglycerin", "Coronary Heart"),
    ("Galantamine", "Alzheimer"),
    ("Ferrous", "Anemia"),
)
ANALOGIES = (  # Table 8a
    ("Evoxac", "Sicca Syndrome", "Methotrexate", "Rheumatoid Arthritis"),
    (
        "Biliary Atresia",
        "Kidney Transplant",
        "Leg Varicosity w/ Inflammation",
        "Ligation of angioaccess arteriovenous fistula",
    ),
)
CLUSTERS = (  # Table 8b: label, what our codes of that kind hold, the paper's cluster
    ("Thrombosis", "thrombo|embol", "Hx Venous Thrombosis, Compression Of Vein, Renal Vein Thrombosis"),
    ("Ocular Atrophy", "optic|retin|ocular|eye", "Optic Atrophy, Retina Layer Separation, Chronic Endophthalmitis"),
    ("Drug Use", "abuse|alcohol|opioid|drug", "Opioid Dependence, Alcohol Abuse-Continuous, Hallucinogen Dep"),
)
SHOWN = 8  # codes of a cluster


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=["seed"])
    check(command)
    for flag in ("neighbours", "clusters"):
        command.number(flag)
    synthea, mimic = command.own["synthea"], command.own["mimic"]
    if not (synthea or mimic):
        raise BadInput("--synthea, --mimic: expected a folder of one of them, found nothing")
    titles = tables.read_titles(mimic) if mimic else {}
    sweep, looked = Sweep("table8", command), {}
    if synthea:
        (model,) = models_of(command, sweep.folders(runs.patients(sweep, synthea)))
        looked["Synthea"] = model
        sweep.show(analogy_table(model, command))
    if mimic:
        (model,) = models_of(command, sweep.folders(runs.diagnoses(sweep, mimic, runs.BEST)))
        looked["MIMIC-III"] = titled(model, titles)
    clusters = {name: clusters_of(model, command) for name, model in looked.items()}
    sweep.show(like_the_papers(looked, clusters))
    for name, model in looked.items():
        sweep.show(cluster_table(model, clusters[name])._replace(title=f"Clusters of {name}'s codes"))


def titled(model: Learned, titles: dict[str, str]) -> Learned:
    """The same model with titles in place of codes."""
    return replace(model, run=replace(model.run, vocabulary=tuple(titles.get(c, c) for c in model.vocabulary)))


def clusters_of(model: Learned, command: Command) -> np.ndarray:
    """The cluster of every code [V]."""
    return spectral_clusters(model.vectors, min(command.own["clusters"], len(model.vocabulary)))


def analogy_table(model: Learned, command: Command) -> Table:
    """Table 8a: a drug is to its disease as the next drug is to what."""
    rows, right, number = [], 0, command.own["neighbours"]
    pairs = [(model.containing(drug), model.containing(disease)) for drug, disease in TREATS]
    known = [(drug, disease) for drug, disease in pairs if drug is not None and disease is not None]
    for (drug, disease), (other, answer) in pairwise(known):
        found = complete(model.vectors, np.array([[drug, disease, other]]), num_answers=number)[0]
        right += answer in found
        rows.append((*(model.vocabulary[row] for row in (drug, disease, other, answer)), listed(model, found)))
    among = f"among the {quantity(number, 'neighbour')} of the result (3CosAdd)"
    note = f"{right} of {quantity(len(rows), 'answer')} {'is' if right == 1 else 'are'} {among}."
    rows += [(*codes, "-", f"{answer} (paper)") for *codes, answer in ANALOGIES]
    header = ("code 1", "code 2", "code 3", "it is given for", "neighbours of the result")
    return Table("(a) Medical analogies", note, header, rows)


def like_the_papers(looked: dict[str, Learned], clusters: dict[str, np.ndarray]) -> Table:
    """Table 8b: our clusters with the most codes of the kind that the paper's are of."""
    rows = []
    for label, kind, paper in CLUSTERS:
        for name, model in looked.items():
            like = np.array([bool(re.search(kind, code, re.IGNORECASE)) for code in model.vocabulary])
            cluster = np.bincount(clusters[name], weights=like).argmax()
            members = [row for row in model.frequent if clusters[name][row] == cluster]
            codes = "; ".join(model.vocabulary[row] for row in members[:SHOWN]) if like.any() else "no such code"
            rows.append((label, name, codes, f"{int(like[members].sum())} of {len(members)}", paper))
    note = "Of each corpus the cluster with the most codes of that kind, by its most frequent codes."
    return Table("(b) Clusters of codes", note, ("label", "corpus", "codes", "of the kind", "paper"), rows)


if __name__ == "__main__":
    run_main(main)
