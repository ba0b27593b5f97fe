"""Figures 2d and 2e: sorted log singular values of J_mean^log of models trained with M=1 and M=100.

python -m experiments.recipes.fig2de --dataset=20news_nvdm
python -m experiments.recipes.fig2de --dataset= --imdb=imdb

The runs are the four on tf-idf of `experiments.recipes.table1`, whose docstring tells how to get the data; where that
has run in the same --folder, nothing is trained. A direction is in use where its log singular value is above 0.
Expected: the 3-layer model trained with M=1 uses few directions, with M=100 most of them. Time on 2 cores: as table1's
half on tf-idf.
"""

import numpy as np

from dlgm_jax.introspection.spectrum import active_directions
from experiments.flags.command import parse, run_main
from experiments.recipes import table1
from experiments.recipes.sweep import FLAGS, Figures, Sweep
from experiments.report.page import Table
from experiments.report.plots import plot_spectra

OWN_FLAGS = FLAGS | table1.CORPORA


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=[])
    sweep = Sweep("fig2de", command)
    for corpus, settings in table1.corpora(command, sweep):
        done, path = sweep.run(table1.on_tfidf(corpus, settings)), sweep.picture(corpus)
        plot_spectra(path, [(name, spectrum(figures[0])) for name, figures in done.items()])
        sweep.show(table(corpus, done))
        print(f"The picture is {path}")


def table(corpus: str, done: dict[str, list[Figures]]) -> Table:
    """Directions in use, over the seeds, and both ends of the spectrum of the first."""
    lines = []
    for name, figures in done.items():
        used = [active_directions(spectrum(run)) for run in figures]
        values = spectrum(figures[0])
        in_use = used[0] if len(used) == 1 else ", ".join(map(str, used))
        lines.append((name, in_use, len(values), float(values[0]), float(np.median(values)), float(values[-1])))
    header = ("model", "directions in use", "of", "largest log value", "median", "smallest")
    return Table(f"Spectrum of J_mean^log on {corpus}", "400 draws from the prior, the best epoch.", header, lines)


def spectrum(run: Figures) -> np.ndarray:
    """Log singular values, the largest first: [K]."""
    return np.array(run["log_singular_values"])


if __name__ == "__main__":
    run_main(main)
