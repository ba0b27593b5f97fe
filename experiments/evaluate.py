"""Scores the best model of a run again: the same numbers, or others by other --eval flags.

python -m experiments.evaluate --workdir=runs/docstrings-3-M100-tfidf
python -m experiments.evaluate --workdir=runs/docstrings-3-M100-tfidf --completion
"""

from dataclasses import fields, replace
from pathlib import Path

from dlgm_jax.errors import BadInput
from dlgm_jax.storage.run import Run, load_run
from experiments.flags.command import Command, parse, run_main
from experiments.flags.config import Config
from experiments.report.completion import COMPLETED, completion_report
from experiments.train import scores_beside_baseline
from experiments.workdir.assembly import Assembly, assemble, choose_precision, prepare_runtime
from experiments.workdir.workdir import check_corpus

OWN_FLAGS = {
    "workdir": (None, "the folder of the run"),
    "completion": (False, "predict half of the tokens of each validation and test document from the other half"),
    "samples": (100, "with --completion: draws of each posterior, over which predictions are averaged"),
}
SETTINGS = [
    "dataset",
    "psi_beta1",
    "precision",
    *(item.name for item in fields(Config) if item.name.startswith("eval_")),
]
OF_BOUNDS = ("eval_samples", "eval_iwae_samples", "eval_full_steps")
OF_POSTERIORS = [name for name in SETTINGS if name not in OF_BOUNDS]


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=SETTINGS)
    check(command)
    prepare_runtime()
    run, assembly = finished(command, Path(command.text("workdir")))
    config = assembly.config
    how = f"eval_M={config.eval_M} by {config.eval_refiner}"
    if command.own["completion"]:
        where = f"{command.own['workdir']} ({config.name})"
        print(
            f"Completing {' and '.join(COMPLETED)} documents of {config.dataset} by {where} with {how} ...", flush=True
        )
        print(completion_report(assembly, run.params, num_samples=command.own["samples"]))
        return
    print(f"Scoring {command.own['workdir']} ({config.name}) on {config.dataset} with {how} ...", flush=True)
    score = assembly.score_with(at_the_end=True)
    scores = {split: score(run.params, split) for split in ("validation", "test", "train")}
    print(scores_beside_baseline(assembly, scores))


def check(command: Command) -> None:
    """Raises BadInput for flags that do not go together."""
    completion, samples = command.own["completion"], command.number("samples")
    if not completion and samples != OWN_FLAGS["samples"][0]:
        raise BadInput(f"--samples: expected to go with --completion, found {samples} without it")
    bounds = [name for name in OF_BOUNDS if name in command.given]
    if completion and bounds:
        raise BadInput(f"--{bounds[0]}: expected to go without --completion, whose perplexities are no bounds")


def finished(command: Command, workdir: Path) -> tuple[Run, Assembly]:
    """The best model of a run and its corpus, under the SETTINGS that are given. Raises BadInput."""
    run = load_run(workdir)
    config = replace(Config.from_json(run.config), **command.given)
    command.check_adams(config, asked=("eval_refiner",))
    choose_precision(config.precision)
    assembly = assemble(config, run.idf)
    if assembly.train.vocabulary != run.vocabulary:
        raise BadInput(f"--dataset: expected the vocabulary of {workdir}, found another in {config.dataset}")
    if "dataset" not in command.given:
        check_corpus(workdir, assembly.splits)
    return run, assembly


if __name__ == "__main__":
    run_main(main)
