"""Do two commits compute the same? Their states after some steps are compared bit by bit, in separate processes.

python -m tests.same_bits --against=COMMIT [--steps=20]

Both commits, this one as it stands and the other one, train the same small corpus from checkouts of their own, on one
device and on eight virtual ones; the other one runs twice, to see that it is equal to itself. For every cell the
digests of parameters, moments and bounds are compared; where they differ, the largest relative difference after one and
after all steps is printed. Ends with 1 where something differs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent

CHILD = r"""
import hashlib, importlib, json, os, sys
from pathlib import Path
import jax, numpy as np

def module(*names):
    for name in names:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise SystemExit(f"none of {names}")

assembly = module("experiments.workdir.assembly", "experiments.assembly")
config = module("experiments.flags.config", "experiments.config")
meshes = module("dlgm_jax.devices.meshes", "dlgm_jax.learning.sharding")
folder, out, steps = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

def leaves(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(meshes.whole(tree))]

HOW = {"adam": {"M": 6}, "fisher": {"M": 7, "refiner": "fisher"}, "M=1": {"M": 1}}
MORE = {"kl_anneal_steps": 10, "input_dropout": 0.3, "length_weighting": 0.7}
found = {}
for mesh_text in ("none", "data:4,vocab:2"):
    for model in (1, 3):
        for name, how in {**HOW, "adam, annealing, dropout, weighting": HOW["adam"] | MORE}.items():
            flags = {"dataset": str(folder), "model": model, "valid_size": 40, "batch_size": 64} | how
            chosen = config.Config.of(**flags) if hasattr(config.Config, "of") else config.Config(**flags).resolved()
            mesh = None if mesh_text == "none" else meshes.mesh(mesh_text, 64)
            ready = assembly.assemble(chosen, mesh=mesh)
            state, step, epoch, count, bounds = ready.init_state(), ready.training_step(), 0, 0, []
            cell, arrays = f"{'log-linear' if model == 1 else '400-400'}, {name}, {mesh_text}", {}
            while count < steps:
                for batch in ready.training_batches(epoch):
                    state, info = step(state, batch, jax.random.fold_in(ready.key(assembly.TRAIN), epoch))
                    bounds.append(np.asarray(info.bounds))
                    count += 1
                    if count in (1, steps):
                        arrays[str(count)] = leaves((state.params, state.moments)) + bounds[-1:]
                    if count == steps:
                        break
                epoch += 1
            digest = hashlib.sha256()
            for array in [*arrays[str(steps)], *bounds]:
                digest.update(np.ascontiguousarray(array).tobytes())
            found[cell] = digest.hexdigest()
            np.savez(out / f"{len(found)}.npz", **{f"{k}-{i}": a for k, v in arrays.items() for i, a in enumerate(v)})
(out / "digests.json").write_text(json.dumps(found))
"""


def corpus(folder: Path) -> None:
    """A small corpus in the NVDM form: 400 documents and 60 test documents over 200 words."""
    import numpy as np

    rng = np.random.default_rng(0)
    topics = rng.dirichlet(np.full(200, 0.05), 8)
    folder.mkdir()
    for name, documents in (("train", 400), ("test", 60)):
        lines = []
        for _ in range(documents):
            counts = rng.multinomial(rng.integers(5, 60), rng.dirichlet(np.full(8, 0.2)) @ topics)
            lines.append("0 " + " ".join(f"{word + 1}:{counts[word]}" for word in np.flatnonzero(counts)))
        (folder / f"{name}.feat").write_text("\n".join(lines) + "\n")
    (folder / "vocab.new").write_text("".join(f"w{word} {word + 1}\n" for word in range(200)))


def run(tree: Path, folder: Path, out: Path, steps: int) -> dict[str, str]:
    """The digests of a checkout, by cell."""
    out.mkdir()
    env = dict(os.environ) | {
        "PYTHONPATH": str(tree),
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        "JAX_PLATFORMS": "cpu",
    }
    subprocess.run([sys.executable, "-c", CHILD, str(folder), str(out), str(steps)], cwd=tree, env=env, check=True)
    return json.loads((out / "digests.json").read_text())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", required=True, help="a commit")
    parser.add_argument("--steps", type=int, default=20)
    asked = parser.parse_args()
    import numpy as np

    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        corpus(place / "corpus")
        other = place / "other"
        subprocess.run(["git", "worktree", "add", "--detach", "-q", str(other), asked.against], cwd=ROOT, check=True)
        try:
            before, again = (run(other, place / "corpus", place / name, asked.steps) for name in ("before", "again"))
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(other)], cwd=ROOT, check=True)
        now = run(ROOT, place / "corpus", place / "now", asked.steps)
        differ = 0
        for number, cell in enumerate(now, 1):
            if before[cell] != again[cell]:
                verdict = "the other commit differs from itself"
            elif before[cell] == now[cell]:
                verdict = "the same bits"
            else:
                differ += 1
                arrays = [np.load(place / name / f"{number}.npz") for name in ("before", "now")]
                gaps = {}
                for key in arrays[0].files:
                    step, (a, b) = key.split("-")[0], (part[key].astype(np.float64) for part in arrays)
                    gap = np.max(np.abs(a - b)) / max(np.max(np.abs(a)), 1e-30)
                    gaps[step] = max(gaps.get(step, 0.0), gap)
                shown = ", ".join(f"{gap:.1e} after step {step}" for step, gap in gaps.items())
                verdict = f"differ, of the largest of an array by {shown}"
            print(f"{cell}: {verdict}", flush=True)
    print(f"{len(now) - differ} of {len(now)} cells are equal to {asked.against}")
    return int(differ > 0)


if __name__ == "__main__":
    sys.exit(main())
