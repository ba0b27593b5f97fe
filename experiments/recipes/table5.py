"""Table 5: train and validation perplexity by depth and width of the inference network, M=1 and M=100.

python -m experiments.recipes.table5 --dataset=20news_nvdm --epochs=20

A 3-layer generative model on tf-idf by the paper's settings, its inference network of 1, 2 or 3 hidden layers of 100 or
400; M=100 by the fisher refiner with 12 evaluations. The data are as in `experiments.recipes.table1` (the paper's are
RCV1-v2). Expected after 20 epochs: M=100 is better throughout (840 to 881 of 994 to 1081 in validation), and its
figures differ less among the networks. Time on 2 cores: 46 minutes beside other work.
"""

import numpy as np

from experiments.flags.command import parse, run_main
from experiments.recipes import table1
from experiments.recipes.sweep import FLAGS, Figures, Row, Sweep, over_seeds, perplexities
from experiments.report.page import Table

OWN_FLAGS = FLAGS | table1.CORPORA | {"epochs": (40, "of each run")}
PAPER = {  # RCV1: train and validation, by M, width and layers
    ("M1", 100): ((337.01, 351.26), (357.28, 371.37), (390.00, 407.15)),
    ("M1", 400): ((322.94, 340.45), (331.36, 347.95), (338.09, 355.64)),
    ("M100", 100): ((317.84, 333.64), (318.03, 334.54), (318.04, 335.92)),
    ("M100", 400): ((314.75, 332.35), (314.04, 332.40), (313.95, 332.04)),
}
LAYERS = (1, 2, 3)


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=[])
    sweep, epochs = Sweep("table5", command), command.number("epochs")
    for corpus, settings in table1.corpora(command, sweep):
        rows = [
            Row(
                name_of(*kind, layers),
                settings | how | {"model": 3, "inference_widths": (kind[1],) * layers, "epochs": epochs},
            )
            for kind in PAPER
            for how in [table1.TRAINED[kind[0]]]
            for layers in LAYERS
        ]
        sweep.show(table(corpus, sweep.run(rows, score="train")))


def name_of(trained: str, width: int, layers: int) -> str:
    """Of a row."""
    return f"{trained}, {layers} x {width}"


def table(corpus: str, done: dict[str, list[Figures]]) -> Table:
    """Ours beside the paper's, and how far the networks lie apart."""
    lines = []
    for (trained, width), theirs in PAPER.items():
        for layers, figures in zip(LAYERS, theirs):
            ours = done[name_of(trained, width, layers)]
            cells = (over_seeds(ours, split, True) for split in ("train", "validation"))
            lines.append((trained, f"{layers} x {width}", *cells, *figures))
    spreads = (f"{trained} {spread(done, trained):.1f}%" for trained in table1.TRAINED)
    note = f"Refined by Adam's 99 steps. Worst validation over best: {', '.join(spreads)} (the paper: 19.6%, 1.2%)."
    header = ("trained", "network", "train", "validation", "paper's train (RCV1)", "paper's validation")
    return Table(f"Inference networks on {corpus}", note, header, lines)


def spread(done: dict[str, list[Figures]], trained: str) -> float:
    """By how many per cent the worst network is behind the best, in validation."""
    found = [
        float(np.mean(perplexities(figures, "validation")))
        for name, figures in done.items()
        if name.startswith(f"{trained},")
    ]
    return 100 * (max(found) / min(found) - 1)


if __name__ == "__main__":
    run_main(main)
