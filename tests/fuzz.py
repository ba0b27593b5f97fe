"""Fuzzes the readers of dlgm_jax/data: `python -m tests.fuzz [--parser=NAME ...] [--runs=100000]`.

Every input is either read or refused by one BadInput of one line that names the file. Our own parsers are driven by
coverage where atheris is installed (else by random changes alone); those that rest on libraries in C are run in another
process by random changes, which is started again when it dies. Prints a table; exits 1 after any crash, death or hang.
"""

import argparse
import contextlib
import json
import os
import random
import resource
import select
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
try:
    import atheris
except ImportError:
    atheris = None

with atheris.instrument_imports(include=["dlgm_jax.data"]) if atheris else contextlib.nullcontext():
    from dlgm_jax.types import BadInput
    from tests import fuzz_cases

SLOW = 2.0  # seconds of an input, beyond which it counts as a hang
STUCK = 30  # seconds after which a process is ended
MOST_MEMORY = 2**30  # by which a process may grow
LONGEST = 4096  # bytes of an input of our own parsers
FRAMES = ("dlgm_jax", "tests")


class Record:
    """What was run and what came of it."""

    def __init__(self, name: str, out: Path):
        self.name, self.out = name, out
        self.inputs, self.read, self.slowest, self.crashes = 0, 0, 0.0, {}

    def add(self, verdict: str, seconds: float, data: bytes) -> None:
        """One more input."""
        self.inputs += 1
        self.read += verdict == "read"
        self.slowest = max(self.slowest, seconds)
        if seconds > SLOW and verdict in ("read", "refused"):
            verdict = f"slow: {seconds:.1f} s"
        if verdict not in ("read", "refused"):
            if verdict not in self.crashes:
                (self.out / f"{self.name}-{len(self.crashes)}").write_bytes(data)
            self.crashes[verdict] = self.crashes.get(verdict, 0) + 1

    def row(self, growth: float) -> dict:
        """As it is printed; a growth in MB."""
        facts = {"parser": self.name, "inputs": self.inputs, "read": self.read, "crashes": sum(self.crashes.values())}
        return facts | {"slowest_s": round(self.slowest, 2), "growth_mb": round(growth), "what": self.crashes}


class Stage:
    """A folder of whole files, one of which is replaced by an input: its first byte says which."""

    def __init__(self, case: fuzz_cases.Case, folder: Path):
        self.case, self.folder, self.names = case, folder, list(case.files)
        for place in range(len(self.names) - 1, -1, -1):
            self._write(place, case.files[self.names[place]][0])
        self._replaced = 0

    def seeds(self) -> list[bytes]:
        """Whole inputs."""
        return [bytes([place]) + data for place, name in enumerate(self.names) for data in self.case.files[name]]

    def set(self, data: bytes) -> None:
        """Writes an input; what the last one replaced is whole again."""
        self._write(self._replaced, self.case.files[self.names[self._replaced]][0])
        self._replaced = data[0] % len(self.names) if data else 0
        self._write(self._replaced, data[1:])

    def _write(self, place: int, content: bytes) -> None:
        path = self.folder / self.names[place].removesuffix("!")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(fuzz_cases.packed(self.names[place], content))


def verdict(case: fuzz_cases.Case, folder: Path, *, stored: bool = False) -> str:
    """`read`, `refused`, or what is wrong."""
    try:
        corpora = case.read(folder)
    except BadInput as error:
        one_line = "".join(str(error).splitlines()) == str(error) and len(str(error)) < 1000
        return "refused" if one_line and str(folder) in str(error) else f"message: {str(error)[:200]!r}"
    except Exception as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if any(name in f.filename for name in FRAMES)]
        return f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}: {str(error)[:80]!r}"
    if stored and isinstance(corpora, dict) and corpora:
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch, contextlib.suppress(BadInput):
            try:
                fuzz_cases.store_and_load(corpora, Path(scratch) / "stored")
            except (AssertionError, UnicodeError, OSError) as error:
                return f"stored: {type(error).__name__}: {str(error)[:80]!r}"
    return "read"


def mutated(rng: random.Random, data: bytes, tokens: list[bytes]) -> bytes:
    """Some random changes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        place, size = rng.randrange(len(changed) + 1), rng.choice((1, 1, 2, 4, 8, 64))
        new = rng.choice((rng.choice(tokens), rng.randbytes(size), b"\xff" * size, b"\0" * size))
        match rng.randrange(6):
            case 0:
                changed[place : place + len(new)] = new
            case 1:
                changed[place:place] = new
            case 2:
                del changed[place : place + size]
            case 3:
                changed[place:place] = changed[place : place + size]
            case 4 if place < len(changed):
                changed[place] ^= 1 << rng.randrange(8)
            case 5 if rng.random() < 0.1:
                del changed[place:]
    return bytes(changed)


def fuzz_own(name: str, runs: int, out: Path, seed: int) -> None:
    """Runs here, and ends the process."""
    case, record, rng = fuzz_cases.own()[name], Record(name, out), random.Random(seed)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as scratch:
        stage = Stage(case, Path(scratch) / "input")
        started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        def one(data: bytes) -> None:
            stage.set(data)
            before = time.process_time()
            said = verdict(case, stage.folder, stored=record.inputs % 8 == 0)
            record.add(said, time.process_time() - before, data)
            if record.inputs >= runs:
                growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - started) / 1024
                print(json.dumps(record.row(growth)), flush=True)
                subprocess.run(["rm", "-rf", scratch], check=False)
                os._exit(0)

        if atheris:
            corpus, words = Path(scratch) / "corpus", Path(scratch) / "words"
            corpus.mkdir()
            for place, data in enumerate(stage.seeds()):
                (corpus / str(place)).write_bytes(data)
            tokens = ("".join(f"\\x{byte:02x}" for byte in token) for token in fuzz_cases.tokens())
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
            one(mutated(rng, rng.choice(stage.seeds()), fuzz_cases.tokens()))


def work(name: str, folder: Path) -> None:
    """Reads what stands in a folder at each line that comes in; in a process that may die."""
    resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))
    case = fuzz_cases.outside()[name]
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps(verdict(case, folder)), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)


def fuzz_outside(name: str, runs: int, out: Path, seed: int) -> None:
    """Runs in another process, which is started again when it dies."""
    case, record, rng = fuzz_cases.outside()[name], Record(name, out), random.Random(seed)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as scratch:
        stage, worker, growth, first = Stage(case, Path(scratch) / "input"), None, 0.0, 0
        for _ in range(runs):
            if worker is None or worker.poll() is not None:
                command = [sys.executable, "-m", "tests.fuzz", "--worker", name, "--out", str(stage.folder)]
                pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
                worker, first = subprocess.Popen(command, text=True, bufsize=1, **pipes), 0
                worker.stdout.readline()
            data = mutated(rng, rng.choice(stage.seeds())[1:], fuzz_cases.tokens())
            stage.set(b"\0" + data)
            before = time.perf_counter()
            print(file=worker.stdin, flush=True)
            answered = select.select([worker.stdout], [], [], STUCK)[0]
            said, _, memory = worker.stdout.readline().rpartition(" ") if answered else ("", "", "")
            if said:
                first = first or int(memory)
                growth = max(growth, (int(memory) - first) / 1024)
            else:
                worker.kill()
                worker.wait()
            ended = f"the process ended with {worker.returncode}" if answered else "stuck"
            record.add(json.loads(said) if said else ended, time.perf_counter() - before, data)
        worker.kill()
    print(json.dumps(record.row(growth)), flush=True)


def fuzz(name: str, runs: int, out: Path, seed: int) -> dict:
    """The row of a parser, from a process of its own."""
    command = [sys.executable, "-m", "tests.fuzz", "--child", name, "--runs", str(runs), "--out", str(out)]
    with (out / f"{name}.log").open("w") as log:
        done = subprocess.run(
            [*command, "--seed", str(seed)], stdout=subprocess.PIPE, stderr=log, text=True, check=False
        )
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"parser"')]
    failed = {"parser": name, "inputs": 0, "read": 0, "crashes": 1, "slowest_s": 0, "growth_mb": 0}
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
        form = "{parser:<16}{inputs:>9}{read:>9}{crashes:>9}{slowest_s:>11}{growth_mb:>11}"
        print(form.format_map({key: key for key in ("parser", "inputs", "read", "crashes", "slowest_s", "growth_mb")}))
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
