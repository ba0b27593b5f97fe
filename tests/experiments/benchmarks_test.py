"""The benchmarks at a tiny size: that they run, write what they found, and that the peers do the same work."""

import json
import os

import jax
import numpy as np
import pytest

from dlgm_jax import BadInput, init_params
from experiments.benchmarks import jacobian, meshes, peers, refinement, scaling, step
from experiments.flags.config import Config
from experiments.workdir.assembly import assemble

ARGUMENTS = {
    refinement: ["--epochs=1", "--vocab=30", "--K=4", "--batch_size=50", "--documents=40", "--samples=2"],
    step: ["--K=4", "--batch_size=50", "--valid_size=40", "--fisher_M=3", "--adam_M=3"],
    jacobian: ["--vocab=40", "--K=4", "--samples=7"],
    scaling: ["--documents=8", "--vocab=30", "--latent=3", "--widths=5", "--corpora=600", "--M=3"],
}


@pytest.mark.parametrize("benchmark", ARGUMENTS, ids=lambda module: module.__name__.split(".")[-1])
def test_a_benchmark_prints_its_tables_and_writes_them(benchmark, nvdm_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(peers, "pytorch", lambda: None)
    for module in (refinement, step, jacobian):
        monkeypatch.setattr(module, "WIDTHS", {"deep": (5, 4)})
    monkeypatch.setattr(refinement, "FISHER", (2,))
    monkeypatch.setattr(refinement, "ADAM", 2)
    monkeypatch.setattr(scaling, "BASE", {"B": 8, "V": 30, "K": 3, "H": 5})
    dataset = [f"--dataset={nvdm_folder}"] if benchmark in (refinement, step) else []
    path = tmp_path / "deep" / "found.json"
    benchmark.main([benchmark.__name__, *dataset, *ARGUMENTS[benchmark], "--repeats=1", f"--output={path}"])
    record = json.loads(path.read_text())
    printed = capsys.readouterr().out
    tables = [value for value in record.values() if isinstance(value, list)]
    assert tables
    for row in (row for rows in tables for row in rows):
        numbers = [value for value in row.values() if isinstance(value, float)]
        assert numbers
        assert np.isfinite(numbers).all()
    assert record["taken_on"]["threads"] >= 1
    assert str(path) in printed


def test_idle_threads_of_torch_are_told_to_sleep_before_it_is_loaded(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "")  # so that it is put back as it was
    monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    assert peers.pytorch() is None
    assert "OMP_WAIT_POLICY" not in os.environ
    monkeypatch.setattr(peers, "find_spec", lambda name: name)
    monkeypatch.setattr(peers, "import_module", lambda name: (name, os.environ["OMP_WAIT_POLICY"]))
    assert peers.pytorch() == ("torch", "PASSIVE")
    os.environ["OMP_WAIT_POLICY"] = "ACTIVE"
    assert peers.pytorch() == ("torch", "ACTIVE")


def test_meshes_compare_with_one_device(tmp_path, capsys):
    path = tmp_path / "meshes.json"
    asked = ["--meshes=data:1;vocab:1", "--steps=4", "--vocab=30", "--documents=64", "--batch_size=16", "--K=3"]
    meshes.main(["meshes", *asked, f"--output={path}"])
    rows = json.loads(path.read_text())["Meshes"]
    assert [row["mesh"] for row in rows] == ["one device", "data:1", "vocab:1"]
    assert all(row["away, all"] == 0 and row["state, MB a device"] > 0 for row in rows)
    assert str(path) in capsys.readouterr().out


def test_an_even_m_is_refused_for_fisher(nvdm_folder):
    with pytest.raises(BadInput, match="--M: expected an odd number as 13"):
        step.main(["step", f"--dataset={nvdm_folder}", "--fisher_M=8"])


def test_malformed_numbers_are_refused():
    with pytest.raises(BadInput, match="--repeats: expected a whole number from 1, found 0"):
        jacobian.main(["jacobian", "--repeats=0"])
    with pytest.raises(BadInput, match="--precision: expected float32 on a CPU, found bf16"):
        jacobian.main(["jacobian", "--vocab=5", "--precision=bf16"])
    with pytest.raises(BadInput, match="--vocab: expected whole numbers from 1 as 500,1000, found '5,x'"):
        jacobian.main(["jacobian", "--vocab=5,x"])
    with pytest.raises(BadInput, match="--vocab: expected whole numbers"):
        jacobian.main(["jacobian", "--vocab=" + "9" * 5000])


def test_a_place_that_cannot_be_written_is_found_before_measuring(tmp_path, monkeypatch):
    monkeypatch.setattr(jacobian, "times", None)
    with pytest.raises(IsADirectoryError):
        jacobian.main(["jacobian", "--vocab=5", f"--output={tmp_path}"])


@pytest.mark.parametrize("widths", [(), (6, 7)])
def test_the_denominators_do_their_products_once(widths, nvdm_folder):
    theta = init_params(jax.random.key(0), 11, latent_dim=3, generative_widths=widths).theta
    products = str(jax.make_jaxpr(peers.bare_products)(theta, np.ones((5, 3), np.float32)))
    assert products.count("dot_general[") == 2 * (len(widths) + 1)

    config = Config.of(dataset=str(nvdm_folder), K=3, generative_widths=widths, inference_widths=(8, 8), valid_size=40)
    assembly = assemble(config)
    x, features = step.dense(assembly, next(iter(assembly.training_batches(1))))
    gradient = step.plain_gradient(assembly.init_state().params, x, features, jax.random.key(0))
    assert jax.tree.structure(gradient) == jax.tree.structure(assembly.init_state().params)
    lowered = str(jax.make_jaxpr(step.plain_gradient)(assembly.init_state().params, x, features, jax.random.key(0)))
    forward = 4 + len(widths) + 1
    assert lowered.count("dot_general[") == 3 * forward - 1  # backwards two for each layer, one for the first


@pytest.mark.parametrize(("widths", "size"), [((), 0.01), ((6, 7), 10.0)], ids=["log-linear", "two-layers"])
def test_the_peers_do_the_same_work(widths, size, monkeypatch):
    """A few evaluations with steps that can be seen end at the same z."""
    monkeypatch.setattr(peers, "STEP", size)
    found = refinement.candidates(Config.of(K=3, batch_size=5), 11, widths)
    ends = {name: np.asarray(found[name]()) for name in found if name in ("ours", "plain scan", "torch eager")}
    assert len(ends) == (3 if peers.pytorch() else 2)
    for name, end in ends.items():
        assert np.isfinite(end).all()
        np.testing.assert_allclose(end, ends["ours"], atol=1e-3, err_msg=name)
    start = np.random.default_rng(0)
    start.poisson(60 / 11, (5, 11))
    assert np.abs(ends["ours"] - start.standard_normal((5, 3))).max() > 0.1
