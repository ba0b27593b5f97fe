"""KL annealing against refinement, and refinement in the first epochs alone.

python -m experiments.recipes.annealing --dataset=20news_nvdm
python -m experiments.recipes.annealing --dataset= --imdb=imdb --epochs=10

A 3-layer model on tf-idf by the paper's settings, trained with M=1, with M=100 (by the fisher refiner with 12
evaluations) or with M=100 in the first eighth of the epochs alone; the weight of the KL grows from 0 to 1 over none, a
tenth or half of the steps. The data are as in `experiments.recipes.table1`. Expected on 20 Newsgroups after 40 epochs,
refined validation: M=1 888, annealed 861, M=100 775, in the first epochs alone 836 (reported of Wikipedia, with
50,000 steps of annealing: M=1 1339, annealed 1186, M=100 1176, and M=100 in the first 10 epochs gives most of it).
Time on 2 cores: 40 minutes a seed for --epochs=40 beside other work.
"""

from typing import Any

from dlgm_jax.introspection.spectrum import active_directions
from experiments.flags.command import parse, run_main
from experiments.recipes import table1
from experiments.recipes.fig2de import spectrum
from experiments.recipes.sweep import FLAGS, Figures, Row, Sweep, config_of, over_seeds
from experiments.report.page import Table
from experiments.workdir.assembly import assemble

OWN_FLAGS = FLAGS | table1.CORPORA | {"epochs": (80, "of each run")}


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=[])
    sweep, epochs = Sweep("annealing", command), command.number("epochs")
    for corpus, settings in table1.corpora(command, sweep):
        settings |= {"model": 3, "epochs": epochs}
        config = config_of(Row("", settings).chosen(0, sweep.quick))
        done = sweep.run(rows(settings, config.epochs * assemble(config).steps_per_epoch))
        sweep.show(table(corpus, done))


def rows(settings: dict[str, Any], steps: int) -> list[Row]:
    """Of a run of so many steps: no annealing, a tenth of them, half of them; and how each is refined."""
    tenth, half = ({"kl_anneal_steps": max(1, steps // part)} for part in (10, 2))
    refined = table1.FISHER
    first = refined | {"refined_epochs": max(1, settings["epochs"] // 8)}
    named = {
        "M1": {"M": 1},
        "M1, KL over a tenth": {"M": 1} | tenth,
        "M1, KL over half": {"M": 1} | half,
        "M100": refined,
        "M100, KL over a tenth": refined | tenth,
        "M100 first, then M1": first,
        "M100 first, then M1, KL over a tenth": first | tenth,
    }
    return [Row(f"3-{name}", settings | how) for name, how in named.items()]


def table(corpus: str, done: dict[str, list[Figures]]) -> Table:
    """Refined validation, test at M=1 and refined, and directions of the latent space in use."""
    lines = []
    for name, figures in done.items():
        cells = (over_seeds(figures, *which) for which in (("validation", True), ("test", False), ("test", True)))
        used = ", ".join(str(active_directions(spectrum(run))) for run in figures)
        minutes = sum(run["seconds"] for run in figures) / len(figures) / 60
        lines.append((name, *cells, used, round(minutes, 1)))
    header = ("trained", "validation M=100", "test M=1", "test M=100", "directions in use", "minutes")
    return Table(f"Annealing and refinement on {corpus}", "Minutes are of training and validation.", header, lines)


if __name__ == "__main__":
    run_main(main)
