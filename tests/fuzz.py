"""Fuzzes the readers of dlgm_jax/data: `python -m tests.fuzz [--parser=NAME ...] [--runs=100000]`.

Every input is either read or refused by one BadInput of one line that names the file. Our own parsers are driven by
coverage where atheris is installed (else by random changes alone); those that rest on libraries in C are run in another
process by random changes, which is started again when it dies or hangs; what happens inside those libraries cannot be
mended here and is counted apart. Prints a table, keeps the inputs in --out, and exits 1 after any crash of ours.
"""

import argparse
import contextlib
import faulthandler
import json
import os
import random
import re
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")
try:
    import atheris
except ImportError:
    atheris = None

with atheris.instrument_imports(include=["dlgm_jax.data"]) if atheris else contextlib.nullcontext():
    from tests import fuzz_cases, fuzz_stage

SLOW = 2.0  # seconds of an input, beyond which it counts as a hang
STUCK = 30  # seconds after which a process is ended
MOST_MEMORY = 2**30  # by which a process may grow
LONGEST = 4096  # bytes of an input of our own parsers
OUTSIDE, LIBRARY = ("h5py", "pyarrow"), "library: "  # deaths in these are theirs, and are counted apart


class Record:
    """What was run and what came of it."""

    def __init__(self, name: str, out: Path, whose: str = ""):
        self.name, self.out, self.whose = name, out, whose
        self.inputs, self.read, self.slowest, self.crashes = 0, 0, 0.0, {}

    def add(self, verdict: str, seconds: float, data: bytes) -> None:
        """One more input."""
        self.inputs += 1
        self.read += verdict == "read"
        self.slowest = max(self.slowest, seconds)
        if seconds > SLOW and verdict in ("read", "refused"):
            verdict = f"{self.whose}slow: {seconds:.0f} s"
        if verdict not in ("read", "refused"):
            if verdict not in self.crashes:
                (self.out / f"{self.name}-{len(self.crashes)}").write_bytes(data)
            self.crashes[verdict] = self.crashes.get(verdict, 0) + 1

    def row(self, growth: float) -> dict:
        """As it is printed; a growth in MB."""
        facts = {"parser": self.name, "inputs": self.inputs, "read": self.read, "crashes": 0, "library": 0}
        for what, times in self.crashes.items():
            facts["library" if what.startswith(LIBRARY) else "crashes"] += times
        return facts | {"slowest_s": round(self.slowest, 2), "growth_mb": round(growth), "what": self.crashes}


def fuzz_own(name: str, runs: int, out: Path, seed: int) -> None:
    """Runs here, and ends the process."""
    case, record, rng = fuzz_cases.own()[name], Record(name, out), random.Random(seed)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as scratch:
        stage = fuzz_stage.Stage(case, Path(scratch) / "input")
        started = _peak()

        def one(data: bytes) -> None:
            stage.set(data)
            before = time.process_time()
            said = fuzz_stage.verdict(case, stage.folder, stored=record.inputs % 32 == 0)
            record.add(said, time.process_time() - before, data)
            if record.inputs >= runs:
                growth = (_peak() - started) / 1024
                print(json.dumps(record.row(growth)), flush=True)
                subprocess.run(["rm", "-rf", scratch], check=False)
                os._exit(0)

        if atheris:
            corpus, words = Path(scratch) / "corpus", Path(scratch) / "words"
            corpus.mkdir()
            for place, data in enumerate(stage.seeds()):
                (corpus / str(place)).write_bytes(data)
            tokens = ("".join(f"\\x{byte:02x}" for byte in token) for token in fuzz_stage.TOKENS)
            words.write_text("".join(f'"{token}"\n' for token in tokens if token))
            limits = [
                f"-timeout={STUCK}",
                f"-rss_limit_mb={(MOST_MEMORY >> 20) + 1000}",
                f"-max_len={LONGEST}",
                "-len_control=0",
            ]
            atheris.Setup(
                ["fuzz", *limits, f"-dict={words}", f"-artifact_prefix={out}/{name}-", f"-seed={seed}", str(corpus)],
                one,
            )
            atheris.Fuzz()
        while True:
            one(fuzz_stage.mutated(rng, rng.choice(stage.seeds())))


def work(name: str, folder: Path) -> None:
    """Reads what stands in a folder at each line that comes in; in a process that may die."""
    resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))
    faulthandler.enable()
    case = fuzz_cases.outside()[name]
    print("ready", flush=True)
    for _ in sys.stdin:
        before = time.process_time()
        said, seconds = fuzz_stage.verdict(case, folder), time.process_time() - before
        print(json.dumps([said, seconds, _peak()]), flush=True)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KB


class Worker:
    """A process that reads; it is asked again and again, and another takes its place when it dies."""

    def __init__(self, name: str, folder: Path):
        self._command = [sys.executable, "-m", "tests.fuzz", "--worker", name, "--out", str(folder)]
        self._stderr = folder.parent / "stderr"
        self._process: Any = None
        self._first, self.growth = 0, 0.0  # KB, MB

    def ask(self) -> tuple[str, float]:
        """The verdict on what stands in the folder, and the seconds it took."""
        if self._process is None:
            with self._stderr.open("w") as errors:
                pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors}
                self._process, self._first = subprocess.Popen(self._command, text=True, bufsize=1, **pipes), 0
            self._process.stdout.readline()
        before = time.perf_counter()
        print(file=self._process.stdin, flush=True)
        if not select.select([self._process.stdout], [], [], STUCK)[0]:
            self._process.send_signal(signal.SIGABRT)
        answer = self._process.stdout.readline()
        if not answer:
            return self._death(), time.perf_counter() - before
        said, seconds, memory = json.loads(answer)
        self._first = self._first or memory
        self.growth = max(self.growth, (memory - self._first) / 1024)
        return said, seconds

    def end(self) -> None:
        """Ends the process."""
        if self._process:
            self._process.kill()

    def _death(self) -> str:
        number, self._process = self._process.wait(), None
        frames = re.findall(r'File "(.*)", line (\d+) in', self._stderr.read_text().rpartition("recent call first")[2])
        where = "/".join(Path(frames[0][0]).parts[-3:]) if frames else "nowhere"
        return f"{LIBRARY if where.startswith(OUTSIDE) else ''}{signal.Signals(-number).name} in {where}"


def fuzz_outside(name: str, runs: int, out: Path, seed: int) -> None:
    """Runs in another process."""
    case, record, rng = fuzz_cases.outside()[name], Record(name, out, LIBRARY), random.Random(seed)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as scratch:
        stage = fuzz_stage.Stage(case, Path(scratch) / "input")
        worker = Worker(name, stage.folder)
        for _ in range(runs):
            data = fuzz_stage.mutated(rng, rng.choice(stage.seeds())[1:])
            stage.set(b"\0" + data)
            record.add(*worker.ask(), data)
        worker.end()
    print(json.dumps(record.row(worker.growth)), flush=True)


def fuzz(name: str, runs: int, out: Path, seed: int) -> dict:
    """The row of a parser, from a process of its own."""
    command = [sys.executable, "-m", "tests.fuzz", "--child", name, "--runs", str(runs), "--out", str(out)]
    with (out / f"{name}.log").open("w") as log:
        done = subprocess.run(
            [*command, "--seed", str(seed)], stdout=subprocess.PIPE, stderr=log, text=True, check=False
        )
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"parser"')]
    failed = {"parser": name, "inputs": 0, "read": 0, "crashes": 1, "library": 0, "slowest_s": 0, "growth_mb": 0}
    return json.loads(lines[-1]) if lines else failed | {"what": {f"ended with {done.returncode}": 1}}


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parser", action="append", help="one of them; again for more (default: all)")
    parser.add_argument("--runs", type=int, default=100_000, help="inputs for each (libraries in C: at most 2,000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "dlgm-fuzz", help="for what crashed")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    warnings.simplefilter("ignore")
    flags.out.mkdir(parents=True, exist_ok=True)
    if flags.worker:
        work(flags.worker, flags.out)
    elif flags.child:
        run: Callable = fuzz_own if flags.child in fuzz_cases.own() else fuzz_outside
        run(flags.child, flags.runs, flags.out, flags.seed)
    else:
        names = flags.parser or [*fuzz_cases.outside(), *fuzz_cases.own()]
        limits = {name: min(flags.runs, 2000) if name in fuzz_cases.outside() else flags.runs for name in names}
        form = "{parser:<16}{inputs:>9}{read:>9}{crashes:>9}{library:>9}{slowest_s:>11}{growth_mb:>11}"
        print(
            form.format_map(
                {key: key for key in ("parser", "inputs", "read", "crashes", "library", "slowest_s", "growth_mb")}
            )
        )
        failed = 0
        with ThreadPoolExecutor(flags.jobs) as pool:
            for row in pool.map(lambda name: fuzz(name, limits[name], flags.out, flags.seed), names):
                print(
                    form.format_map(row),
                    *(f"\n    {n} x {what}" for what, n in row["what"].items()),
                    sep="",
                    flush=True,
                )
                failed += row["crashes"]
        return int(failed > 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
