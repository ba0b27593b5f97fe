"""How much a newcomer reads to follow a run from `train.main` to the Jacobian vectors.

python -m tests.readers_road

Trains a toy with refinement by Adam, and writes down who of our functions calls whom. The direct road are the
shortest chains of calls from `main` to the landmarks of Algorithm 1 and of eq. 4: the model that is built and its
first parameters, the guess, the evidence, refinement with its bound and likelihood, the gradient steps of theta and
phi, and the mean Jacobian; what foretells the time and what scores lie beside it. Its length are the lines of the
functions on it, without docstrings and comments; what stands within another function counts once.
"""

import ast
import contextlib
import io
import sys
import tempfile
from collections import deque
from pathlib import Path
from types import SimpleNamespace

import numpy as np

ROOT = Path(__file__).parent.parent
LANDMARKS = (
    *("dlgm", "init_params", "algorithm1", "_infer", "batch_evidence", "refine", "elbo", "log_likelihood"),
    *("batch_loss", "_mean_jacobian"),
)
BESIDE = ("scoring.py",)
MOST = 350

Function = tuple[str, int]  # file and first line


def calls_of(folder: Path) -> dict[Function, set[Function]]:
    """The functions of ours that each of ours calls while a toy is trained, be it through JAX."""
    from experiments import train

    found: dict[Function, set[Function]] = {}
    places: dict[object, Function | None] = {}

    def place(code) -> Function | None:
        if code not in places:
            name = code.co_filename.removeprefix(f"{ROOT}/")
            ours = name.startswith(("dlgm_jax/", "experiments/"))
            places[code] = (name, code.co_firstlineno) if ours else None
        return places[code]

    def note(frame, event, _):
        here = place(frame.f_code) if event == "call" else None
        if here is None:
            return
        above = frame.f_back
        while above and place(above.f_code) is None:
            above = above.f_back
        if above and (caller := place(above.f_code)):
            found.setdefault(caller, set()).add(here)

    # what foretells the time would be the first to trace the step
    train.expected = lambda *_: SimpleNamespace(refining=1.0, plain=1.0, validation=1.0, closing=1.0)
    sizes = ["--K=3", "--generative_widths=8", "--inference_widths=8", "--batch_size=50", "--valid_size=40"]
    flags = [*sizes, f"--dataset={folder / 'toy'}", f"--workdir={folder / 'run'}", "--M=3", "--eval_M=3", "--epochs=1"]
    sys.setprofile(note)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            train.main(["train", *flags])
    finally:
        sys.setprofile(None)
    return found


def functions_of(name: str) -> dict[int, tuple[str, set[int]]]:
    """By the first line of each function of a file: its name, and the lines of its code."""
    source = (ROOT / name).read_text(encoding="utf-8")
    lines = source.splitlines()
    found = {}
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef):
            continue
        own = set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        for inner in ast.walk(node):
            if isinstance(inner, ast.FunctionDef) and ast.get_docstring(inner):
                text = inner.body[0]
                own -= set(range(text.lineno, (text.end_lineno or text.lineno) + 1))
        own = {line for line in own if lines[line - 1].strip() and not lines[line - 1].strip().startswith("#")}
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        found[first] = node.name, own
    return found


def road(calls: dict[Function, set[Function]]) -> list[tuple[str, str, int]]:
    """File, function and lines of the functions on the shortest chains from `main` to the landmarks, by file."""
    files = {
        name: functions_of(name) for name in {name for name, _ in calls} | {n for to in calls.values() for n, _ in to}
    }

    def title(function: Function) -> str:
        return files[function[0]].get(function[1], ("", set()))[0]

    start = next(one for one in calls if one[0] == "experiments/train.py" and title(one) == "main")
    before: dict[Function, Function | None] = {start: None}
    reached: dict[str, Function] = {}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        if title(here) in LANDMARKS:
            reached.setdefault(title(here), here)
        for other in sorted(calls.get(here, ())):
            if other not in before and not other[0].endswith(BESIDE):
                before[other] = here
                waiting.append(other)
    assert set(reached) == set(LANDMARKS), f"not reached: {set(LANDMARKS) - set(reached)}"
    on_road: set[Function] = set()
    for end in reached.values():
        step: Function | None = end
        while step:
            on_road.add(step)
            step = before[step]
    rows = []
    for name in sorted({name for name, _ in on_road}):
        counted: set[int] = set()
        for first in sorted(line for file, line in on_road if file == name and line in files[name]):
            function, lines = files[name][first]
            if lines - counted:
                rows.append((name, function, len(lines - counted)))
            counted |= lines
    return rows


def main() -> None:
    from tests.conftest import log_linear_corpus, write_nvdm

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        weights = np.random.default_rng(0).normal(size=(3, 30))
        train, test = (log_linear_corpus(size, weights, 0 * weights[0], seed=size)[0] for size in (200, 40))
        write_nvdm(folder / "toy", train, test)
        rows = road(calls_of(folder))
    for file, function, lines in rows:
        print(f"{file:<40}{function:<28}{lines:>4}")
    print(f"{len(rows)} functions, {sum(lines for *_, lines in rows)} lines; aimed at: {MOST}")


if __name__ == "__main__":
    main()
