"""Figure 2c: what M=100 gains over M=1, by the size of the vocabulary.

python -m experiments.recipes.fig2c --input=imdb_train.jsonl.xz --test=imdb_test.jsonl.xz

The input is any raw text that `experiments.prepare` reads; film reviews stand in for the Wikipedia of 2010. A
vocabulary is the most frequent words, all else is the same: a 3-layer model on tf-idf by the paper's settings, M=100 by
the fisher refiner with 12 evaluations. The gain is (P_M1 - P_M100) / P_M100 of refined held-out perplexities at their
best epochs. Expected: 10% at 1,000 words, 15% at 2,000, 20% at 5,000, 23% at 10,000, 25% at 20,000 (the paper: 4% at
1,000, 10% at 5,000, 12% at 10,000, 13.5% at 20,254).
Time on 2 cores: 1 h 40 min beside other work.
"""

from collections.abc import Iterable

import numpy as np

from dlgm_jax.data import datasets
from dlgm_jax.errors import BadInput, quantity
from experiments.flags.command import parse, run_main
from experiments.recipes.sweep import FLAGS, Figures, Row, Sweep, over_seeds, perplexities, summarised
from experiments.recipes.table1 import TRAINED
from experiments.report.page import Table
from experiments.report.plots import plot_lines

OWN_FLAGS = FLAGS | {
    "input": (None, "raw texts"),
    "test": ("", "raw texts of test documents, which are not scored; unset: some of the input are set aside"),
    "vocabularies": ("1000,2000,5000,10000,20000", "sizes"),
    "epochs": (10, "of each run"),
}
PAPER = {1000: 4.0, 5000: 10.0, 10_000: 12.0, 20_254: 13.5}  # per cent, read off the figure


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=[])
    sizes, epochs = command.numbers("vocabularies"), command.number("epochs")
    texts = [f"--{name}={command.own[name]}" for name in ("input", "test") if command.own[name]]
    sweep, done = Sweep("fig2c", command), dict[int, dict[str, list[Figures]]]()
    for size, corpus in corpora(sweep, sizes, texts).items():
        settings = {"dataset": corpus, "model": 3, "epochs": epochs}
        done[size] = sweep.run([Row(f"3-{name}-tfidf", settings | how) for name, how in TRAINED.items()], score="")
    sweep.show(table(done))
    path = sweep.picture("gain")
    points: list[tuple[float, float]] = [(size, float(np.mean(gains(rows.values())))) for size, rows in done.items()]
    lines: dict[str, list[tuple[float, float]]] = {"here": points, "the paper, Wikipedia": list(PAPER.items())}
    plot_lines(path, lines, labels=("words", "gain of M=100 over M=1, %"), title="Gain by the size of the vocabulary")
    print(f"The picture is {path}")


def corpora(sweep: Sweep, sizes: list[int], texts: list[str]) -> dict[int, str]:
    """The folder of every vocabulary. Raises BadInput for one that is larger than the texts have words."""
    found = {size: sweep.prepared(f"words-{size}", *texts, f"--vocab_size={size}", "--min_count=1") for size in sizes}
    for size, corpus in found.items():
        number = len(datasets.load(corpus).train.vocabulary)
        if number != size:
            raise BadInput(
                f"--vocabularies: expected at most the {quantity(number, 'word')} of the texts, found {size:,}"
            )
    if not found:
        raise BadInput("--vocabularies: expected sizes as 1000,2000, found none")
    return found


def gains(rows: Iterable[list[Figures]]) -> list[float]:
    """Of M=100 over M=1, per cent, for every seed."""
    pairs = zip(*(perplexities(figures, "validation") for figures in rows))
    return [100 * (plain - refined) / refined for plain, refined in pairs]


def table(done: dict[int, dict[str, list[Figures]]]) -> Table:
    """A line for every vocabulary."""
    lines = []
    for size, rows in done.items():
        held_out = (over_seeds(figures, "validation", True) for figures in rows.values())
        lines.append((size, *held_out, summarised(gains(rows.values())), PAPER.get(size, float("nan"))))
    header = ("words", *next(iter(done.values())), "gain, %", "paper's gain, %")
    return Table("Held-out perplexity by the size of the vocabulary", "Refined by Adam's 99 steps.", header, lines)


if __name__ == "__main__":
    run_main(main)
