"""Table 4 and Table 9: medical relatedness of the vectors of diagnosis codes (MRM_CCS).

python -m experiments.prepare --input=mimic3_demo --output=codes --min_count=2 --test_size=15
python -m experiments.train --dataset=codes --K=20 --batch_size=50 --valid_size=10 --M=13 --refiner=fisher --epochs=200
python -m experiments.recipes.table4 --workdir=RUN --fine=icd9_grp_file.txt.gz --coarse=ccs_coarsest.txt.gz

The paper (185,000 patients, 100 x the share of the best possible sum): fine 30.8 to 37.8, coarse 33.9 to 40.9. The 100
patients of the MIMIC-III demo check the pipeline; chance and what vectors of the groups themselves reach stand beside.
NDF-RT needs a map from CUI to ICD-9 that is not published with the relations: `dlgm_jax.embeddings.medical.mrm_ndfrt`
takes relations as rows.
"""

import numpy as np

from dlgm_jax.data.medical import plain as without_dot
from dlgm_jax.data.medical import read_coarse_groups, read_fine_groups
from dlgm_jax.embeddings.medical import mrm_ccs
from dlgm_jax.types import BadInput
from experiments.assembly import prepare_runtime
from experiments.command import parse, run_main
from experiments.findings.model import models_of
from experiments.page import Table, plain

OWN_FLAGS = {
    "workdir": (None, "the folder of a run whose words are ICD-9 codes"),
    "fine": (None, "the file of fine CCS groups"),
    "coarse": (None, "the file of the multi-level CCS, whose chapters are the coarse groups"),
    "variant": ("pot", "of the Jacobian vectors: pot (as in Table 4), log or prob"),
    "samples": (400, "draws from the prior for the mean Jacobian"),
    "neighbours": (40, "neighbours of a code that are looked at"),
}


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=["seed"])
    prepare_runtime()
    model = models_of(command)[0]
    number = command.number("neighbours")
    shuffled = np.random.default_rng(0).permutation(model.vectors)
    rows = []
    for grain, read in (("fine", read_fine_groups), ("coarse", read_coarse_groups)):
        groups = read(command.text(grain))
        labels = np.array([groups.get(without_dot(code), -1) for code in model.vocabulary])
        known = int(np.sum(labels >= 0))
        if not known:
            raise BadInput(f"--{grain}: expected groups of the run's codes, found none of {len(model.vocabulary)}")
        perfect = np.eye(labels.max() + 1)[labels] * (labels >= 0)[:, None]
        shown = (model.name, model.vectors), ("chance (rows shuffled)", shuffled), ("perfect (the groups)", perfect)
        for name, vectors in shown:
            plainly = mrm_ccs(vectors, labels, num_neighbours=number)
            share = mrm_ccs(vectors, labels, num_neighbours=number, normalised=True)
            rows.append((grain, name, plainly, share, known, len(labels) - known))
    header = ("groups", "vectors", "MRM_CCS (eq. 6)", f"% of {number} hits", "codes", "without group")
    print(plain(Table(f"Medical relatedness, J^{command.own['variant']}, {number} neighbours", "", header, rows)))


if __name__ == "__main__":
    run_main(main)
