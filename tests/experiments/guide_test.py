"""The text of the guide runs as it stands there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import jax
import numpy as np
import pytest

import dlgm_jax
from dlgm_jax import load_run
from dlgm_jax.data import batches
from dlgm_jax.devices import meshes
from dlgm_jax.errors import BadInput
from dlgm_jax.models import registry
from experiments.flags.config import Config
from experiments.workdir.assembly import assemble
from tests.experiments.conftest import lines

PAGE = Path(__file__).parent.parent.parent / "experiments/guide/adding_a_model.md"
SMALL = ["--K=4", "--inference_widths=8", "--batch_size=50", "--valid_size=40", "--learning_rate=0.01"]


@pytest.fixture
def mixture(monkeypatch):
    """The model of the page, in the registry for the time of a test."""
    code, line = blocks()
    assert len(code.splitlines()) <= 60
    module = ModuleType("mixture")
    monkeypatch.setitem(sys.modules, "mixture", module)  # where the dataclass looks its types up
    exec(compile(code, str(PAGE), "exec"), vars(module))
    (added,) = eval(f"{{{line}}}", {"Entry": registry.Entry, "mixture": module}).items()
    monkeypatch.setitem(registry.MODELS, *added)
    return added[1]


def blocks():
    """The file of the model, and its line in the registry."""
    code, line = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return code, line


def test_the_page_can_be_followed_to_the_letter(tmp_path):
    """The file and the line, in a copy of the package."""
    code, line = blocks()
    package = Path(shutil.copytree(Path(dlgm_jax.__file__).parent, tmp_path / "dlgm_jax"))
    (package / "models/mixture.py").write_text(code, encoding="utf-8")
    written = (package / "models/registry.py").read_text(encoding="utf-8")
    for before, after in (
        ("import autoencoders, dlgm, likelihoods\n", "import autoencoders, dlgm, likelihoods, mixture\n"),
        ("MODELS = {\n", f"MODELS = {{\n{line}"),
    ):
        assert written.count(before) == 1
        written = written.replace(before, after)
    (package / "models/registry.py").write_text(written, encoding="utf-8")
    asked = "from dlgm_jax.models.registry import entry; print(entry('mixture').made({'K': 7}).K)"
    done = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("7\n", 0), done.stderr


def test_the_model_of_the_page_is_what_it_says(mixture, nvdm_folder):
    config = Config.of(dataset=str(nvdm_folder), model="mixture", K=4, inference_widths=(8,), valid_size=40)
    assembly = assemble(config)
    params, corpus = assembly.init_state().params, assembly.splits["test"]
    (batch,) = batches.ordered_batches(corpus, 60, sizes=batches.padded_sizes(60, corpus))
    z = np.random.default_rng(0).normal(size=(60, 4))
    topics = np.exp(np.asarray(params.theta.output.weights, np.float64))
    topics /= topics.sum(axis=1, keepdims=True)
    shares = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    expected = (corpus.in_memory().counts.toarray() * np.log(shares @ topics)).sum(axis=1)
    found = assembly.model.log_likelihood(params, z.astype(np.float32), assembly.model.evidence(params, batch))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_model_of_the_page_trains_goes_on_and_is_looked_into(mixture, command, nvdm_folder, tmp_path):
    run = ["--model=mixture", *SMALL, f"--dataset={nvdm_folder}", "--M=3", "--eval_M=11", f"--workdir={tmp_path}/run"]
    for epochs in (2, 25):
        code, _, err = command("train", *run, f"--epochs={epochs}")
        assert code == 0, err
    validation = [line for line in lines(tmp_path / "run") if line["split"] == "validation"]
    assert validation[-1]["perplexity_refined"] < 0.95 * validation[0]["perplexity_refined"]
    assert validation[-1]["perplexity_refined"] < validation[-1]["perplexity"]
    code, _, err = command("introspect", f"--workdir={tmp_path}/run", "--map_words=0")
    assert code == 0, err
    found = load_run(tmp_path / "run")
    z = found.model.prior(found.params, jax.random.key(0))
    np.testing.assert_allclose(np.exp(found.model.log_probs(found.params, z)).sum(), 1, rtol=1e-5)
    code, out, _ = command("train", "--help", "--model=mixture")
    assert code == 0
    assert "--generative_widths" not in out
    assert "  --K                       topics (default 50)" in out.splitlines()


def test_what_the_model_of_the_page_cannot_do_is_one_line(mixture, command, nvdm_folder, monkeypatch):
    code, _, err = command("train", "--model=mixture", f"--dataset={nvdm_folder}", "--M=7", "--refiner=fisher")
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("error: --refiner: expected adam, found fisher")
    code, _, err = command("train", "--model=mixture", "--generative_widths=4")
    assert (code, err.count("\n")) == (2, 1)
    assert "--generative_widths: expected a model that reads it (1, 3, ae, dae, vae), found --model=mixture" in err
    monkeypatch.setattr(meshes, "axis", lambda mesh, name: name)
    with pytest.raises(BadInput, match="--mesh: expected no vocab axis, since --model=mixture is not cut along words"):
        assemble(Config.of(dataset=str(nvdm_folder), model="mixture", K=4, valid_size=40))
