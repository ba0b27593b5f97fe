"""Corpora larger than memory: what building one and training on it costs in time and memory, and who waits for whom.

python -m experiments.benchmarks.corpus
Draws texts of 100 words, builds the compact form of them and trains on it, each in a process of its own.
"""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from itertools import chain, count
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from dlgm_jax.errors import BadInput, quantity
from experiments import prepare
from experiments.benchmarks import measure
from experiments.flags.command import parse, run_main
from experiments.flags.config import Config
from experiments.workdir.assembly import TRAIN, assemble, prepare_runtime

OWN_FLAGS = {
    "documents": ("200000,2000000", "documents of the corpora that are compared"),
    "words": (100, "words of a document"),
    "vocab": (50_000, "different words"),
    "steps": (200, "training steps"),
    "folder": ("", "where the corpora go, and are kept; unset: a temporary folder"),
    "stage": ("", "build or train: one stage, in this process, on --folder; unset: all"),
    "output": measure.OWN_FLAGS["output"],
}
SETTINGS = ["model", "M", "refiner", "batch_size"]
BLOCK = 10_000  # documents drawn at once
WARM = 10  # steps that are not timed


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=SETTINGS)
    words, vocab, steps = map(command.number, ("words", "vocab", "steps"))
    chosen: dict[str, Any] = {"model": 1, "M": 1, "kl_anneal_steps": 1000} | command.given
    config = Config.of(**chosen)
    stage = command.own["stage"]
    if stage:
        stages = {"build": lambda folder: build(folder), "train": lambda folder: train(folder, config, steps)}
        if stage not in stages:
            raise BadInput(f"--stage: expected build or train, found {stage!r}")
        print(json.dumps(stages[stage](Path(command.text("folder"))) | {f"{stage}, peak MB": peak_memory()}))
        return
    numbers = command.numbers("documents")
    print(
        f"Corpora of {numbers} documents, {quantity(words, 'word')} each of {vocab:,}; "
        f"then {quantity(steps, 'step')} of {config.name}."
    )
    where = measure.destination("corpus", command.own["output"])
    with tempfile.TemporaryDirectory() as scratch:
        rows = []
        for number in numbers:
            folder = Path(command.own["folder"] or scratch) / str(number)
            folder.mkdir(parents=True, exist_ok=True)
            draw(folder / "texts.txt", number, words, vocab)
            rows.append({"documents": number} | measured("build", folder, argv) | measured("train", folder, argv))
            print(measure.table(rows), flush=True)
    measure.report(where, {"Corpora": rows}, command.own | {name: config.to_json()[name] for name in SETTINGS})


def draw(path: Path, number: int, words: int, vocab: int) -> None:
    """Texts by a law of Zipf, a document a line; 40 topics, so that there is something to learn."""
    if path.exists():
        return
    rng = np.random.default_rng(0)
    names = np.array([_name(place) for place in range(vocab)])
    weights = 1 / (np.arange(vocab) + 10.0)
    cumulative = np.cumsum(weights / weights.sum())
    scratch = path.with_suffix(".new")
    with scratch.open("w") as file:
        for start in tqdm(range(0, number, BLOCK), desc="drawing texts", unit="block"):
            topics = rng.integers(0, 40, (min(BLOCK, number - start), 1))
            ranks = np.searchsorted(cumulative, rng.random((len(topics), words))).clip(max=vocab - 1)
            shifted = np.where(rng.random(ranks.shape) < 0.5, ranks, (ranks * 7 + topics * 131) % vocab)
            file.writelines(" ".join(row) + "\n" for row in names[shifted].tolist())
    scratch.rename(path)


def build(folder: Path) -> dict[str, float]:
    """The compact form by the command itself."""
    source, output = folder / "texts.txt", folder / "compact"
    number = sum(1 for _ in source.open())
    began = time.perf_counter()
    arguments = [f"--input={source}", f"--output={output}", "--vocab_size=50000", "--min_count=1", "--test_size=1000"]
    prepare.main(["prepare", *arguments])
    seconds = time.perf_counter() - began
    size = sum(file.stat().st_size for file in output.iterdir())
    return {"build, s": seconds, "build, us a document": 1e6 * seconds / number, "MB on disk": size / 1e6}


def train(folder: Path, config: Config, steps: int) -> dict[str, float]:
    """Steps on shuffled documents of the whole corpus, and how long each waited for its batch."""
    prepare_runtime()
    began = time.perf_counter()
    assembly = assemble(replace(config, dataset=str((folder / "compact").resolve())))
    step, state, key = assembly.training_step(), assembly.init_state(), assembly.key(TRAIN)
    started = time.perf_counter() - began
    waited, worked = [], []
    batches = chain.from_iterable(assembly.training_batches(epoch) for epoch in count(1))
    for _ in tqdm(range(steps), desc="steps", unit="step"):
        began = time.perf_counter()
        batch = next(batches)
        waited.append(time.perf_counter() - began)
        state, info = step(state, batch, key)
        jax.block_until_ready(info)
        worked.append(time.perf_counter() - began)
    total, waits = np.sum(worked[WARM:]), np.sum(waited[WARM:])
    return {
        "start, s": started,
        "step, ms": 1000 * float(np.median(worked[WARM:])),
        "input wait, %": 100 * float(waits / total),
        "ELBO a word": float(info.elbo / info.words),
    }


def measured(stage: str, folder: Path, argv: list[str]) -> dict[str, float]:
    """A stage in a process of its own."""
    given = [flag for flag in argv[1:] if not flag.lstrip("-").startswith(("folder", "documents", "output"))]
    command = [sys.executable, "-m", "experiments.benchmarks.corpus", f"--folder={folder}", f"--stage={stage}", *given]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def peak_memory() -> float | None:
    """The most memory that this process had, mapped pages included, in MB; None where the system does not say."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM")), None)


def _name(place: int) -> str:
    """A word of letters for a number, no stop word."""
    letters = "zqxjkvbpgw"
    return "".join(letters[int(digit)] for digit in f"{place:05d}")


if __name__ == "__main__":
    run_main(main)
