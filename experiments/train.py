"""Trains and scores a model of sparse counts (Algorithm 1), and shows what it learned.

python -m experiments.train --model=3 --M=100
python -m experiments.train --preset=paper --dataset=FOLDER --model=1 --M=1
"""

from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from dlgm_jax.data.places import in_utf8
from dlgm_jax.devices import meshes
from dlgm_jax.errors import BadInput, quantity
from dlgm_jax.evaluation.perplexity import perplexity, unigram_baseline
from dlgm_jax.evaluation.real_rows import one_gaussian
from dlgm_jax.evaluation.scoring import Scores
from dlgm_jax.introspection.jacobian import mean_jacobian, variants_of
from dlgm_jax.introspection.spectrum import active_directions, log_singular_values
from dlgm_jax.learning import loop
from dlgm_jax.learning.steps import State
from dlgm_jax.storage.checkpoints import Checkpoints
from dlgm_jax.storage.restore import restore
from dlgm_jax.types import Params
from experiments.flags.command import Command, parse, run_main
from experiments.flags.unset import filled, workdir_of
from experiments.report import tables
from experiments.report.plots import plot_curves
from experiments.workdir import hosts
from experiments.workdir import workdir as folder
from experiments.workdir.assembly import (
    INTROSPECT,
    TRAIN,
    Assembly,
    assemble,
    choose_precision,
    described,
    evaluation_refinement,
    prepare_runtime,
    training_refinement,
)
from experiments.workdir.bar import Bar
from experiments.workdir.dry_run import expectations
from experiments.workdir.expected import Seconds, expected, of_training, spelled
from experiments.workdir.pauses import Clock, Pauses

OWN_FLAGS = {
    "preset": ("default", "default: for a first run; paper: the paper's settings"),
    "workdir": (
        None,
        "where results go and a stopped run goes on; unset: runs/<dataset>-<name of the model>",
    ),
    "checkpoint_minutes": (10.0, "a checkpoint after so many minutes, beside those after every epoch"),
    "on_nonfinite": ("stop", "what a step does that is not finite: stop, or skip its documents"),
    "max_skips": (10, "steps of a run that may be skipped"),
    "score": ("test", "what the best epoch is scored on, beside validation; empty: nothing else"),
    "dry_run": (False, "say what would run, its memory and time, and train nothing"),
} | hosts.FLAGS


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS)
    workdir = workdir_of(command)
    most_skips, splits = check(command)
    prepare_runtime()
    hosts.join(command)
    check_machine(command, workdir)
    config, dataset, chosen = filled(command, workdir)
    choose_precision(config.precision)
    mesh = meshes.mesh(command.own["mesh"], config.batch_size)

    folder.check(workdir, config)
    if command.own["dry_run"]:
        print(expectations(assemble(config, mesh=mesh, dataset=dataset), splits))
        return
    report = folder.finished_report(workdir, config, splits)
    if hosts.of_first(bool(report)):  # others may have the corpus elsewhere, and would not know the run
        print(report, end="")
        return
    meshes.together("looked")

    with hosts.listening() as asked:
        assembly = assemble(config, mesh=mesh, dataset=dataset)
        hosts.check_same(given(assembly, workdir, most_skips, splits))
        due = hosts.agreed(Clock(command.own["checkpoint_minutes"]))
        with folder.locked(workdir) if hosts.first() else nullcontext():
            folder.check(workdir, config)  # again: another run may have been here meanwhile
            run(assembly, workdir, Pauses(asked, due), most_skips, splits, chosen)


def given(assembly: Assembly, workdir: Path, most_skips: int, splits: list[str]) -> dict[str, Any]:
    """What all processes of a run must agree on."""
    flags = assembly.config.to_json() | {"dataset": None}  # the folder may have another name elsewhere
    counts = [corpus.fingerprint() for corpus in assembly.splits.values()]
    where = str(workdir.resolve())
    return {"flags": flags, "--workdir": where, "--max_skips": most_skips, "--score": splits, "--dataset": counts}


def run(
    assembly: Assembly, workdir: Path, pauses: Pauses, most_skips: int, splits: list[str], chosen: str = ""
) -> None:
    """Trains, scores on the splits and reports, from the last checkpoint on; `chosen` says which settings no flag gave.
    Raises Stopped.
    """
    begun = begin(assembly, workdir, splits, chosen)
    parts = foretold(assembly, begun, pauses)
    score = assembly.score_with(watched=pauses.watched)
    with Bar(assembly, begun.progress, begun.metrics, parts) as bar:
        _, progress = loop.fit(
            assembly.init_state() if begun.state is None else begun.state,
            begun.progress,
            steps=assembly.training_steps(),
            batches=assembly.training_batches,
            validate=lambda params: score(params, "validation"),
            key=assembly.key(TRAIN),
            epochs=assembly.config.epochs,
            patience=assembly.config.patience,
            checkpoints=begun.checkpoints,
            best=begun.best,
            watcher=bar,
            pauses=pauses,
            most_skips=most_skips,
            names=assembly.names,
        )
    params, _ = begun.best.restore(progress.best_epoch, assembly.shapes().params)
    scores = closing_scores(assembly, params, progress, begun.splits, pauses)
    params, model = meshes.whole(params), assembly.model
    if hosts.first():
        jacobian = mean_jacobian(model, params, assembly.key(INTROSPECT), variant=variants_of(model)[0])
        report(assembly, np.asarray(jacobian), scores, begun.metrics, progress, workdir)


class Begun(NamedTuple):
    """A run before its next step."""

    state: State | None  # None: not a step was taken
    progress: loop.Progress
    checkpoints: Checkpoints
    best: Checkpoints
    metrics: folder.Metrics
    splits: list[str]  # that are scored at the end


def begin(assembly: Assembly, workdir: Path, splits: list[str], chosen: str) -> Begun:
    """Makes the folder of a run, or finds what is there and goes back to its last whole checkpoint; prints the first
    line but for the time.
    """
    notes = []
    if hosts.first():
        folder.claim(workdir, assembly)
        notes += filter(None, [folder.moved(workdir, assembly.config)])
    meshes.together("claimed")
    checkpoints, best = Checkpoints(workdir / "checkpoints"), Checkpoints(workdir / "best", kept=4)
    state, progress, damaged = restore(assembly.shapes(), checkpoints, best)
    metrics = folder.Metrics(workdir)
    splits = splits + [split for split in ("test", "train") if split not in splits and metrics.read(split)]
    if hosts.first():
        metrics.rewind(progress.epoch)
        folder.settle(workdir, assembly.config)
    for note in notes + [f"{line}; an older one is taken" for line in damaged]:
        print(f"Note: {note}.")
    print(first_line(assembly, workdir, progress, chosen), end="", flush=True)  # the time is found by some steps
    return Begun(state, progress, checkpoints, best, metrics, splits)


def foretold(assembly: Assembly, begun: Begun, pauses: Pauses) -> Seconds | None:
    """The time of the parts of a run, and the end of its first line; None where nothing is trained any more. Raises
    Stopped.
    """
    config, progress, parts = assembly.config, begun.progress, None
    try:
        if not progress.finished(config.epochs, config.patience):
            parts = expected(assembly, begun.splits, pauses.stop)
            print(f"; about {spelled(of_training(assembly, parts, progress) + parts.closing)}", end="")
    finally:
        print(flush=True)
    return parts


def closing_scores(
    assembly: Assembly, params: Params, progress: loop.Progress, splits: list[str], pauses: Pauses
) -> dict[str, Scores]:
    """Scores of the best epoch on the splits, with the tighter bounds that are asked for. Raises Stopped."""
    score = assembly.score_with(at_the_end=True, watched=pauses.watched)
    print(f"Scoring the best epoch, {progress.best_epoch}, on {', '.join(splits)} ...", flush=True)
    return {split: score(params, split) for split in splits}


def check_machine(command: Command, workdir: Path) -> None:
    """Raises BadInput where a run cannot be kept, and what JAX raises where it cannot start."""
    jax.devices()
    if not (command.own["dry_run"] or (workdir / "report.txt").exists()):
        folder.check_place(workdir)


def check(command: Command) -> tuple[int, list[str]]:
    """Raises BadInput for flags that cannot be; the steps that may be skipped, and the splits that are scored."""
    minutes, policy = command.own["checkpoint_minutes"], command.own["on_nonfinite"]
    if not 0 < minutes < float("inf"):
        raise BadInput(f"--checkpoint_minutes: expected a number above 0, found {minutes}")
    if policy not in ("stop", "skip"):
        raise BadInput(f"--on_nonfinite: expected stop or skip, found {policy!r}")
    asked = list(filter(None, map(str.strip, command.own["score"].split(","))))
    if not {"test", "train"}.issuperset(asked) or len(set(asked)) < len(asked):
        raise BadInput(f"--score: expected test, train, both or nothing, found {command.own['score']!r}")
    return command.number("max_skips") if policy == "skip" else 0, ["validation", *asked]


def first_line(assembly: Assembly, workdir: Path, progress: loop.Progress, chosen: str = "") -> str:
    """What will run, which of its settings no flag gave, and where the results go."""
    config, train = assembly.config, assembly.train
    remark = f"Note: {assembly.remark}.\n" if assembly.remark else ""
    there, used = jax.device_count(), assembly.mesh.size if assembly.mesh else 1
    devices = f" on {used} of {there} devices" if there > 1 else ""
    refinement = training_refinement(config)
    how = described(config.refiner, refinement, assembly.model, assembly.batch_size, train.vocab_size)
    if 0 < config.refined_epochs < config.epochs and refinement.num_steps:
        how += f" in {config.refined_epochs} of them, the first, and not refined after them"
    chosen = f" (chosen {chosen})" if chosen else ""
    start = f"goes on after epoch {progress.epoch}" if progress.epoch or progress.batches else "begins"
    if progress.batches:
        start += f" and {quantity(progress.batches, 'step')}"
    return (
        f"{remark}{config.name} on {config.dataset} ({quantity(train.num_documents, 'document')}, "
        f"{quantity(train.vocab_size, 'word')}) {start}: {quantity(config.epochs, 'epoch')} of "
        f"{quantity(assembly.steps_per_epoch, 'step')}{devices}, documents {how}{chosen}; "
        f"results go to {workdir}/"
    )


def report(
    assembly: Assembly,
    jacobian: np.ndarray,
    scores: dict[str, Scores],
    metrics: folder.Metrics,
    progress: loop.Progress,
    workdir: Path,
) -> None:
    """Prints the closing tables and keeps them, the scores among the metrics, and draws curves.png beside them."""
    for split in (split for split in scores if split != "validation"):
        metrics.append(split, progress.best_epoch, scores[split])
    config, variant, spectrum = assembly.config, variants_of(assembly.model)[0], log_singular_values(jacobian)
    plot_curves(
        workdir / "curves.png",
        metrics.read("validation"),
        spectrum,
        progress.best_epoch,
        f"{config.name} on {in_utf8(Path(config.dataset))}",
        of_words=assembly.model.of_words,
        variant=variant,
    )
    used = (
        f"uses {active_directions(spectrum)} of {quantity(len(spectrum), 'direction')} (log singular values above 0)"
        if assembly.model.of_words
        else f"has log singular values from {spectrum[0]:.2f} down to {spectrum[-1]:.2f}"
    )
    parts = [
        f"{config.name}, best epoch {progress.best_epoch} of {progress.epoch}",
        scores_beside_baseline(assembly, scores),
        f"J_mean^{variant} {used}.",
        tables.neighbour_table(jacobian, assembly.train.vocabulary, frequent_words(assembly), variant),
        f"Results are in {workdir}/ (curves.png, metrics.jsonl, best/). Next: look at curves.png; score again with\n"
        f"python -m experiments.evaluate --workdir={workdir}; train on with a larger --epochs.",
    ]
    text = "\n\n".join(parts) + "\n"
    folder.write_whole(workdir / "report.txt", text)
    print(text, end="")


def scores_beside_baseline(assembly: Assembly, scores: dict[str, Scores]) -> str:
    """The perplexities of every split beside the unigram model's; of real rows, their bounds beside one Gaussian's."""
    corpora = {split: assembly.splits[split] for split in scores}
    columns = {split: asdict(score) for split, score in scores.items()}
    config, model = assembly.config, assembly.model
    sizes = assembly.batch_size, assembly.train.vocab_size
    how = described(config.eval_refiner, evaluation_refinement(config), model, *sizes)
    footnote = f"Documents are {how}; {config.precision} products."
    bounded = model.family.log_prob is not None
    if not model.of_words:
        baseline = one_gaussian(assembly.rows_of("train"), {split: assembly.rows_of(split) for split in scores})
        return tables.row_table(columns, baseline, config, footnote, bounded=bounded)
    unigram = unigram_baseline(assembly.train, corpora)
    of_unigram = {split: perplexity(unigram.log_likelihoods[split], corpora[split].lengths) for split in scores}
    return tables.score_table(columns, of_unigram, config, footnote, unigram.name, bounded=bounded)


def frequent_words(assembly: Assembly, number: int = 12) -> list[int]:
    """The most frequent words of the training documents."""
    return np.argsort(-assembly.train.word_frequencies(), kind="stable")[:number].tolist()


if __name__ == "__main__":
    run_main(main)
