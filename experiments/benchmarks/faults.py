"""Kills runs at random and compares what they end with to a run that nobody touched.

python -m experiments.benchmarks.faults
Signals fall on training, validation, the writing of checkpoints and the building of a corpus, each run in a process of
its own. Every run that was killed must end with the metrics and the bits of the parameters of the one that was not.
"""

import hashlib
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from dlgm_jax import load_run
from dlgm_jax.errors import BadInput
from dlgm_jax.learning import loop
from dlgm_jax.storage.checkpoints import Checkpoints
from experiments import prepare, train
from experiments.benchmarks import measure
from experiments.flags.command import parse, run_main

OWN_FLAGS = {
    "kills": (50, "how often a process is killed by SIGKILL, a fifth of them while it builds a corpus"),
    "terms": (20, "how often it is sent SIGTERM, a fifth of them while it builds a corpus"),
    "documents": (3000, "documents of the corpus"),
    "epochs": (6, "of a run"),
    "stage": ("", "train or prepare, with the arguments in --arguments: one stage, in this process"),
    "arguments": ("", "of the stage, as JSON"),
    "output": measure.OWN_FLAGS["output"],
}
RUN = ["--K=8", "--generative_widths=32", "--inference_widths=32", "--M=4", "--batch_size=20", "--eval_M=30"]
RUN += ["--input_dropout=0.2", "--valid_size=500", "--checkpoint_minutes=0.01"]
IN_A_ROW = 5  # signals that one run gets before it may end
PHASES = ("starting", "training", "validating", "checkpointing")  # of a run; each is waited for as often
SPREAD = {"starting": 5.0, "training": 4.0, "building": 1.5}  # seconds from its first sign within which a signal falls
SHORT = 0.1  # the same, of what takes no longer


@dataclass
class Tally:
    """What came of one kind of signal in one kind of work."""

    signal: str
    of: str
    sent: int = 0
    phases: Counter = field(default_factory=Counter)
    codes: Counter = field(default_factory=Counter)
    runs: int = 0
    equal: int = 0
    slowest: float = 0.0  # seconds from the signal to the end

    def row(self) -> dict[str, Any]:
        """As it is printed."""
        phases, codes = (", ".join(f"{n} {what}" for what, n in sorted(c.items())) for c in (self.phases, self.codes))
        return {
            "signal": self.signal,
            "of": self.of,
            "sent": self.sent,
            "while": phases,
            "exit codes": codes,
            "runs": self.runs,
            "equal to the untouched": self.equal,
            "slowest end, s": self.slowest,
        }


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=[])
    if command.own["stage"]:
        stage(command.own["stage"], json.loads(command.own["arguments"]))
        return
    kills, terms, documents, epochs = map(command.number, ("kills", "terms", "documents", "epochs"))
    where = measure.destination("faults", command.own["output"])
    print(
        f"{kills} times SIGKILL and {terms} times SIGTERM on small runs and builds; figures go to {where}.", flush=True
    )
    with tempfile.TemporaryDirectory() as scratch:
        rows = measured(Path(scratch), kills, terms, documents, epochs)
    measure.report(where, {"Faults": rows}, command.own)
    if any(row["runs"] != row["equal to the untouched"] for row in rows):
        raise BadInput("expected that every run ends as the untouched one does, found one that does not")


def measured(folder: Path, kills: int, terms: int, documents: int, epochs: int) -> list[dict[str, Any]]:
    """The untouched run and build, then all that are interrupted."""
    draw(folder / "texts.txt", documents)
    building = ["prepare", f"--input={folder / 'texts.txt'}", "--min_count=1", "--test_size=300"]
    untouched = folder / "untouched"
    finish("prepare", [*building, f"--output={untouched}-corpus"])
    training = ["train", *RUN, f"--dataset={untouched}-corpus", f"--epochs={epochs}"]
    finish("train", [*training, f"--workdir={untouched}-run"])
    rng, rows = random.Random(0), []
    for number, times in ((signal.SIGKILL, kills), (signal.SIGTERM, terms)):
        works = [("training", "train", training, "--workdir=", of_run, f"{untouched}-run", times - times // 5)]
        works += [("building", "prepare", building, "--output=", of_corpus, f"{untouched}-corpus", times // 5)]
        for of, name, arguments, flag, digest, reference, share in works:
            tally = Tally(number.name, of)
            with tqdm(total=share, desc=f"{number.name}, {of}", unit="signal") as bar:
                while tally.sent < share:
                    output = folder / f"{number.name}-{of}-{tally.runs}"
                    asked = [*arguments, f"{flag}{output}"]
                    for _ in range(min(IN_A_ROW, share - tally.sent)):
                        if not interrupted(name, asked, number, rng, tally):
                            break
                        bar.update()
                    if name == "train" or not output.exists():
                        finish(name, asked)
                    tally.runs += 1
                    tally.equal += digest(output) == digest(Path(reference))
            rows.append(tally.row())
            print(measure.table(rows), flush=True)
    return rows


def stage(name: str, arguments: list[str]) -> None:
    """One command in this process, which notes in a file what it is at."""
    note = Path(arguments.pop()).write_text

    def noted(what: str, function: Callable) -> Callable:
        def noting(*args):
            note(what)
            try:
                return function(*args)
            finally:
                note("training")

        return noting

    loop._validated = noted("validating", loop._validated)  # pyright: ignore
    Checkpoints._finish = noted("checkpointing", Checkpoints._finish)  # pyright: ignore
    note("starting" if name == "train" else "building")
    {"train": train.main, "prepare": prepare.main}[name](arguments)


def begun(name: str, arguments: list[str], phase: Path) -> subprocess.Popen:
    """The process of a stage."""
    command = [sys.executable, "-m", "experiments.benchmarks.faults", f"--stage={name}"]
    command += [f"--arguments={json.dumps([*arguments, str(phase)])}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(name: str, arguments: list[str]) -> None:
    """Runs a stage to its end. Raises BadInput when that is not a good one."""
    with tempfile.NamedTemporaryFile() as phase:
        process = begun(name, arguments, Path(phase.name))
        said, _ = process.communicate()
    if process.returncode:
        raise BadInput(f"{name}: expected a good end, found {process.returncode}: {' '.join(said.split())[-300:]}")


def interrupted(name: str, arguments: list[str], number: signal.Signals, rng: random.Random, tally: Tally) -> bool:
    """Runs a stage, and sends it a signal; False when it had ended before."""
    with tempfile.NamedTemporaryFile() as phase:
        process = begun(name, arguments, Path(phase.name))
        assert process.stdout
        while re.match(r"Note|$", process.stdout.readline()) and process.poll() is None:
            pass
        wanted = rng.choice(PHASES) if name == "train" else "building"
        wait(process, lambda: Path(phase.name).read_text() == wanted)
        until = time.monotonic() + rng.uniform(0, SPREAD.get(wanted, SHORT))
        wait(process, lambda: time.monotonic() > until)
        at = Path(phase.name).read_text()
        process.send_signal(number)
        sent = time.monotonic()
        process.communicate()
    if not process.returncode:
        return False
    tally.sent += 1
    tally.slowest = max(tally.slowest, time.monotonic() - sent)
    tally.phases[at] += 1
    tally.codes[process.returncode] += 1
    return True


def wait(process: subprocess.Popen, until: Callable[[], bool]) -> None:
    """Until it is so, or the process has ended."""
    while process.poll() is None and not until():
        time.sleep(0.002)


def of_run(workdir: Path) -> str:
    """A digest of the best parameters and of everything that was measured but time."""
    digest = hashlib.sha256()
    for line in (workdir / "metrics.jsonl").read_text().splitlines():
        figures = json.loads(line)
        figures.pop("seconds", None)
        digest.update(json.dumps(figures).encode())
    for leaf in jax.tree.leaves(load_run(workdir).params):
        digest.update(np.asarray(leaf).tobytes())
    return digest.hexdigest()


def of_corpus(folder: Path) -> str:
    """A digest of all files, and of what lies beside them with a name like theirs."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    left = [path for path in folder.parent.iterdir() if path.name.startswith(f".{folder.name}")]
    return digest.hexdigest() + " and scratch" * bool(left)


def draw(path: Path, documents: int) -> None:
    """Texts of two hundred words of which each document likes some."""
    rng = np.random.default_rng(0)
    words = np.array(
        [f"{a}{b}{c}" for a in "bdfgkl" for b in "aeiou" for c in ("nt", "rk", "ld", "mp", "ss", "zz", "ck")]
    )
    likes = rng.dirichlet(np.full(len(words), 0.1), 20)
    with path.open("w") as file:
        for row in rng.integers(0, 20, documents):
            file.write(" ".join(rng.choice(words, 60, p=likes[row])) + "\n")


if __name__ == "__main__":
    run_main(main)
