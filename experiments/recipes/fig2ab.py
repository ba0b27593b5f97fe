"""Figures 2a and 2b: validation perplexity by epoch, trained with M=1 (solid) and M=100 (dotted).

python -m experiments.recipes.fig2ab --dataset=20news_nvdm
python -m experiments.recipes.fig2ab --dataset= --imdb=imdb

The runs are the four on tf-idf of `experiments.recipes.table1`, whose docstring tells how to get the data; where that
has run in the same --folder, nothing is trained. Expected (RCV1-v2, Wikipedia): the 3-layer models reach lower
perplexities with M=100, and in fewer epochs. Time on 2 cores: as table1's half on tf-idf.
"""

import numpy as np

from experiments.flags.command import parse, run_main
from experiments.recipes import table1
from experiments.recipes.sweep import FLAGS, Figures, Sweep
from experiments.report.page import Table
from experiments.report.plots import plot_lines

OWN_FLAGS = FLAGS | table1.CORPORA
SHOWN = (1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 60, 80, 100, 150, 200)  # epochs of the table


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=[])
    sweep = Sweep("fig2ab", command)
    for corpus, settings in table1.corpora(command, sweep):
        done = sweep.run(table1.on_tfidf(corpus, settings))
        curves = {name: curve(figures) for name, figures in done.items()}
        path, title = sweep.picture(corpus), f"Validation perplexity on {corpus}"
        lines = {name: list(points.items()) for name, points in curves.items()}
        plot_lines(path, lines, labels=("epoch", "refined validation perplexity (bound)"), title=title)
        sweep.show(table(title, curves))
        print(f"The picture is {path}")


def curve(figures: list[Figures]) -> dict[float, float]:
    """The refined validation perplexity by epoch, as far as all seeds came: their mean."""
    points = zip(*(run["curve"] for run in figures))
    return {seeds[0][0]: float(np.mean([np.inf if p is None else p for _, _, p in seeds])) for seeds in points}


def table(title: str, curves: dict[str, dict[float, float]]) -> Table:
    """A line for some epochs; nan after the last one."""
    last = max(map(max, curves.values()))
    lines = [
        (epoch, *(points.get(epoch, float("nan")) for points in curves.values())) for epoch in SHOWN if epoch <= last
    ]
    note = "Refined by Adam's 99 steps, means over seeds; M100 rows are trained by the fisher refiner."
    return Table(title, note, ("epoch", *curves), lines)


if __name__ == "__main__":
    run_main(main)
