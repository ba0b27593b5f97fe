"""Table 4 and Table 9: medical relatedness of the vectors of diagnosis codes (MRM_CCS).

python -m experiments.recipes.table4 --input=mimic3_demo --fine=icd9_grp_file.txt.gz --coarse=ccs_coarsest.txt.gz

The input is a folder with DIAGNOSES_ICD.csv: the open demo of MIMIC-III, 100 patients (physionet.org), or the whole.
The groups are those of Choi et al. 2016 (github.com/clinicalml/embeddings, eval/). The paper (185,000 patients) gives
100 x the share of the best possible sum. Table 4 has the models 1-M1 and 3-M100; --whole trains the other two of
Table 9 as well.

Expected: the demo checks the pipeline and is no finding; J^pot by equation 6 fine 0.31 and coarse 1.33 of 1-M1, 0.18
and 1.21 of 3-M100, little above chance (0.15, 1.05): from 75 patients the deep models learn nothing that ten others
confirm, so that they are taken from epoch 2 or 3. Chance and what vectors of the groups themselves reach stand
beside. NDF-RT needs a map from CUI to ICD-9 that is not published with the relations:
`dlgm_jax.embeddings.medical.mrm_ndfrt` takes relations as rows.
Time on 2 cores: 4 minutes, 7 with --whole.
"""

from typing import Any

import numpy as np

from dlgm_jax.data.medical import plain as without_dot
from dlgm_jax.data.medical import read_coarse_groups, read_fine_groups
from dlgm_jax.data.source import Reading
from dlgm_jax.embeddings.medical import mrm_ccs
from dlgm_jax.errors import BadInput, quantity
from experiments.findings.model import mean_jacobians
from experiments.flags.command import parse, run_main
from experiments.recipes import runs
from experiments.recipes.sweep import JUDGED, Sweep
from experiments.report.page import Table

OWN_FLAGS = (
    JUDGED
    | runs.WHOLE
    | {
        "input": (None, "the folder of MIMIC-III's tables"),
        "fine": (None, "the file of fine CCS groups"),
        "coarse": (None, "the file of the multi-level CCS, whose chapters are the coarse groups"),
        "samples": (400, "draws from the prior for the mean Jacobian"),
        "neighbours": (40, "neighbours of a code that are looked at"),
    }
)
PAPER = {  # Table 9: MRM_CCS by fine and coarse groups
    "1-M1-tfidf J^log": (30.82, 34.04),
    "1-M1-tfidf J^prob": (31.76, 35.07),
    "1-M1-tfidf J^pot": (31.58, 33.88),
    "1-M100-tfidf J^log": (33.04, 35.78),
    "1-M100-tfidf J^prob": (32.86, 35.66),
    "1-M100-tfidf J^pot": (32.87, 35.09),
    "3-M1-tfidf J^log": (32.80, 37.58),
    "3-M1-tfidf J^prob": (23.42, 26.85),
    "3-M1-tfidf J^pot": (33.02, 37.84),
    "3-M100-tfidf J^log": (37.54, 40.52),
    "3-M100-tfidf J^prob": (7.82, 8.60),
    "3-M100-tfidf J^pot": (37.77, 40.87),
}


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=["seed"])
    how = Reading()
    fine, coarse = read_fine_groups(command.text("fine"), how), read_coarse_groups(command.text("coarse"), how)
    groups = {"fine": fine, "coarse": coarse}
    for note in how.notes:
        print(note)
    command.number("neighbours")
    sweep = Sweep("table4", command)
    models = runs.models(command, sweep, lambda: runs.diagnoses(sweep, command.text("input"), *runs.chosen(command)))
    vocabulary = models[0].vocabulary
    if any(model.vocabulary != vocabulary for model in models):
        raise BadInput("--workdir: expected runs on the same codes, found others")
    vectors = {
        f"{model.label} J^{variant}": found
        for model in models
        for variant, found in mean_jacobians(model, command.own["samples"])
    }
    vectors["chance (rows shuffled)"] = np.random.default_rng(0).permutation(models[0].vectors)
    rows, number = [], command.own["neighbours"]
    for place, (grain, group_of) in enumerate(groups.items()):
        labels = np.array([group_of.get(without_dot(code), -1) for code in vocabulary])
        if not np.any(labels >= 0):
            raise BadInput(f"--{grain}: expected groups of the run's codes, found none of {len(vocabulary)}")
        perfect = {"perfect (the groups)": np.eye(labels.max() + 1)[labels] * (labels >= 0)[:, None]}
        rows += judged(vectors | perfect, grain, labels, place, number)
    header = ("groups", "vectors", "MRM_CCS (eq. 6)", f"% of {number} hits", "paper", "codes", "without group")
    sweep.show(
        Table("Medical relatedness", f"By the {quantity(number, 'nearest neighbour')} of every code.", header, rows)
    )


def judged(
    vectors: dict[str, np.ndarray], grain: str, labels: np.ndarray, place: int, number: int
) -> list[tuple[Any, ...]]:
    """The rows of all vectors for one choice of groups, whose figures of the paper stand at `place`."""
    known, rows = int(np.sum(labels >= 0)), []
    for name, found in vectors.items():
        plainly, share = (mrm_ccs(found, labels, num_neighbours=number, normalised=how) for how in (False, True))
        paper = PAPER[name][place] if name in PAPER else "-"
        rows.append((grain, name, plainly, share, paper, known, len(labels) - known))
    return rows


if __name__ == "__main__":
    run_main(main)
