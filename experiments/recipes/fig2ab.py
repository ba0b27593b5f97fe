"""Figures 2a and 2b: validation perplexity by epoch, trained with M=1 (solid) and M=100 (dotted).

python -m experiments.recipes.fig2ab --dataset=20news_nvdm
python -m experiments.recipes.fig2ab --dataset= --imdb=imdb

The runs are the four on tf-idf of `experiments.recipes.table1`, whose docstring tells how to get the data; where that
has run in the same --folder, nothing is trained. Expected (RCV1-v2, Wikipedia): the 3-layer models reach lower
perplexities with M=100, and in fewer epochs. Time on 2 cores: as table1's half on tf-idf.
"""

from experiments.command import parse, run_main
from experiments.page import Table
from experiments.plots import plot_lines
from experiments.recipes import table1
from experiments.sweep import FLAGS, Figures, Sweep

OWN_FLAGS = FLAGS | table1.CORPORA
SHOWN = (1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 60, 80, 100, 150, 200)  # epochs of the table


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=[])
    sweep = Sweep("fig2ab", command)
    for corpus, settings in table1.corpora(command, sweep):
        rows = [row for row in table1.rows(corpus, settings) if row.name.endswith("tfidf")]
        done = {name: figures[0] for name, figures in sweep.run(rows).items()}
        path = sweep.path.with_name(f"fig2ab-{corpus.replace(' ', '-')}.png")
        curves = {name: [(epoch, refined) for epoch, _, refined in run["curve"]] for name, run in done.items()}
        title = f"Validation perplexity on {corpus}"
        plot_lines(path, curves, labels=("epoch", "refined validation perplexity (bound)"), title=title)
        sweep.show(table(title, done))
        print(f"The picture is {path}")


def table(title: str, done: dict[str, Figures]) -> Table:
    """Refined validation perplexities by epoch; nan after the last one."""
    curves = [{epoch: refined for epoch, _, refined in run["curve"]} for run in done.values()]
    last = max(map(max, curves))
    lines = [(epoch, *(curve.get(epoch, float("nan")) for curve in curves)) for epoch in SHOWN if epoch <= last]
    note = "Refined by Adam's 99 steps; M100 rows are trained by the fisher refiner."
    return Table(title, note, ("epoch", *done), lines)


if __name__ == "__main__":
    run_main(main)
