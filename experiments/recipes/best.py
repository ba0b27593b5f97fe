"""The lowest test perplexity that this framework reaches, chosen on validation only.

python -m experiments.recipes.best --dataset=20news_nvdm
python -m experiments.recipes.best --dataset= --imdb=imdb

Every candidate is judged by its refined validation perplexity, and the test documents are scored for the chosen one
alone: by the paper's evaluation, then by posteriors that fit them better, which are bounds on the same perplexity. The
candidates on 20 Newsgroups are log-linear beside one deep model: hidden layers are better on held-out documents of the
same weeks and worse on those of later weeks, as are the test documents (BUILD_NOTES.md). The data are as in
`experiments.recipes.table1`. Expected: ?
Time on 2 cores: ?
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dlgm_jax.run import load_run
from experiments.assembly import assemble
from experiments.command import parse, run_main
from experiments.config import Config
from experiments.page import Table
from experiments.recipes import table1
from experiments.recipes.table1 import OURS, OURS_BY_ROW, TRAINED
from experiments.sweep import FLAGS, Figures, Row, Sweep, perplexities

OWN_FLAGS = {name: flag for name, flag in FLAGS.items() if name != "seeds"} | table1.CORPORA
LOG_LINEAR = {"model": 1} | OURS | TRAINED["M1"] | OURS_BY_ROW[1, "M1"]
DEEP = {"model": 3} | OURS | TRAINED["M100"] | OURS_BY_ROW[3, "M100"]
CANDIDATES: dict[str, dict[str, dict[str, Any]]] = {
    "20 Newsgroups": {
        "log-linear, K=100": LOG_LINEAR | {"epochs": 1000},
        "log-linear, K=200": LOG_LINEAR | {"epochs": 1000, "K": 200},
        "3-M100": DEEP | {"epochs": 80},
    },
    "film reviews": {
        "log-linear, K=100": LOG_LINEAR | {"epochs": 40},
        "3-M100, the paper's settings": {"model": 3, "epochs": 10} | TRAINED["M100"],
        "3-M100": DEEP | {"epochs": 15},
    },
}
ADAM, FISHER = "Adam, 99 steps (the paper's)", "fisher, 20 evaluations"
FISHER_20 = {"eval_refiner": "fisher", "eval_M": 21}
EVALUATIONS: dict[str, dict[str, dict[str, Any]]] = {
    "20 Newsgroups": {ADAM: {}, FISHER: FISHER_20 | {"eval_full_steps": 8}},
    "film reviews": {ADAM: {}, FISHER: FISHER_20},  # full covariances of a deep model would take hours
}


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=[])
    sweep = Sweep("best", command)
    for corpus, settings in table1.corpora(command, sweep):
        candidates = rows(corpus, settings)
        done = sweep.run(candidates, score="")
        sweep.show(validated(corpus, done))
        chosen = min(done, key=lambda name: perplexities(done[name], "validation")[0])
        folder = sweep.folders([row for row in candidates if row.name == chosen])[chosen]
        print(f"Scores {chosen} on validation and test documents ...", flush=True)
        sweep.show(tested(corpus, chosen, folder))


def rows(corpus: str, settings: dict[str, Any]) -> list[Row]:
    """The candidates on a corpus."""
    return [Row(name, settings | how) for name, how in known_by(corpus, CANDIDATES).items()]


def known_by(corpus: str, of: dict[str, dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """What belongs to a corpus; to others what belongs to 20 Newsgroups."""
    return of.get(corpus, of["20 Newsgroups"])


def validated(corpus: str, done: dict[str, list[Figures]]) -> Table:
    """A line for every candidate."""
    lines = [
        (name, *one["scores"]["validation"], one["best_epoch"], round(one["seconds"] / 60, 1))
        for name, (one,) in done.items()
    ]
    note = "The candidate with the lowest refined perplexity is scored on test."
    header = ("candidate", "M=1", "refined", "best epoch", "minutes")
    return Table(f"Validation perplexity on {corpus}", note, header, lines)


def tested(corpus: str, chosen: str, workdir: Path) -> Table:
    """Bounds on the perplexity of the validation and test documents, each tighter than the one before."""
    run, lines = load_run(workdir), []
    for name, how in known_by(corpus, EVALUATIONS).items():
        score = assemble(replace(Config.from_json(run.config), **how), run.idf).score_with(at_the_end=True)
        found = [score(run.params, split) for split in ("validation", "test")]
        if not lines:
            lines.append(("the network's guess", *(scores.perplexity for scores in found)))
        lines.append((name, *(scores.perplexity_refined for scores in found)))
        if "eval_full_steps" in how:
            steps = how["eval_full_steps"]
            lines.append((f"full covariance, {steps} steps", *(scores.perplexity_full_covariance for scores in found)))
    best = np.min(list(table1.PAPER[corpus].values())) if corpus in table1.PAPER else None
    note = f"The lowest of the paper's is {best}." if best else ""
    return Table(f"Perplexity of {chosen} on {corpus}", note, ("evaluation", "validation", "test"), lines)


if __name__ == "__main__":
    run_main(main)
