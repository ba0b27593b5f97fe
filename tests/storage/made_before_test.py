"""A run that was made before the code moved into its rooms: run_made_before.tar.gz.

Made by `python -m experiments.train --dataset=corpus --model=1 --K=2 --inference_widths=3 --M=3 --eval_M=3
--valid_size=10 --batch_size=16 --epochs=2 --learning_rate=0.01` with jax 0.10.2 and orbax-checkpoint 0.12.8 at commit
9483518, which then went on to epoch 4 with the scores in went_on.json.
"""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from dlgm_jax import load_run
from experiments import train


@pytest.fixture
def before(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with tarfile.open(Path(__file__).with_name("run_made_before.tar.gz")) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "before"


def test_it_still_loads(before):
    run = load_run(before / "run")
    assert run.params.theta.output.weights.shape == (2, 12)
    assert run.params.phi.hidden.layers[0].weights.shape == (12, 3)
    assert run.vocabulary == tuple(f"w{word}" for word in range(12))


def test_it_goes_on_as_it_did(before):
    """Scores of later epochs, which depend on every parameter, moment and key."""
    flags = ["--model=1", "--K=2", "--inference_widths=3", "--M=3", "--eval_M=3", "--valid_size=10", "--batch_size=16"]
    flags += ["--epochs=4", "--learning_rate=0.01", f"--dataset={before / 'corpus'}", f"--workdir={before / 'run'}"]
    train.main(["train", *flags])
    found = [json.loads(line) for line in (before / "run" / "metrics.jsonl").read_text().splitlines()]
    expected = json.loads((before / "went_on.json").read_text())
    assert [(line["split"], line["epoch"]) for line in found] == [(line["split"], line["epoch"]) for line in expected]
    for name in ("perplexity", "perplexity_refined"):
        np.testing.assert_allclose([line[name] for line in found], [line[name] for line in expected], rtol=1e-5)
