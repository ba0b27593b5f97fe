"""From a Config to the pieces of a run."""

import pytest

from dlgm_jax import BadInput
from dlgm_jax.inference import refine
from dlgm_jax.learning import scoring, steps
from experiments.assembly import assemble, num_steps
from experiments.config import Config

SETTINGS = {
    "M": 7,
    "eval_M": 9,
    "psi_learning_rate": 0.02,
    "psi_beta1": 0.3,
    "eval_psi_learning_rate": 0.04,
    "eval_samples": 3,
    "kl_anneal_steps": 11,
    "input_dropout": 0.25,
    "weight_decay": 0.125,
    "length_weighting": 0.5,
    "learning_rate": 0.001,
    "valid_size": 40,
}


def test_every_setting_arrives_where_it_belongs(nvdm_folder, monkeypatch):
    assembly = assemble(Config(dataset=str(nvdm_folder), **SETTINGS).resolved())
    calls = {}

    def spy(module, name):
        real = getattr(module, name)

        def record(*arguments, **settings):
            calls.setdefault(name, []).append((arguments, settings))
            return real(*arguments, **settings)

        monkeypatch.setattr(module, name, record)

    spy(refine, "adam")
    spy(steps, "algorithm1")
    spy(steps, "adam")
    spy(scoring, "scorer")
    monkeypatch.setattr(steps, "adam", lambda rate, **more: calls.setdefault("optimiser", (rate, more)))
    assembly.training_step()
    _, settings = calls["algorithm1"][0]
    assert settings.pop("num_steps") == 6
    calls["adam"].clear()
    settings.pop("refiner")(0.25)
    assert calls["adam"] == [((0.02, 0.3), {"beta": 0.25})]
    assert settings == {"kl_anneal_steps": 11, "input_dropout": 0.25, "length_weighting": 0.5}
    assert calls["optimiser"] == (0.001, {"weight_decay": 0.125})
    calls["adam"].clear()
    assembly.score_with(iwae_samples=5)
    assert calls["adam"] == [((0.04, 0.3), {})]
    _, settings = calls["scorer"][0]
    assert (settings["num_steps"], settings["num_samples"], settings["iwae_samples"]) == (8, 3, 5)


def test_m_minus_1_evaluations_or_a_refusal():
    pairs = refine.Refiner(init=lambda psi: psi, step=lambda *a: a, evaluations_per_step=2)
    assert num_steps("M", 11, pairs) == 5
    assert num_steps("M", 1, pairs) == 0
    with pytest.raises(BadInput, match="--M: expected 1 plus a multiple of 2, found 100"):
        num_steps("M", 100, pairs)


def test_dropped_validation_documents_are_not_trained_on(nvdm_folder):
    assembly = assemble(Config(dataset=str(nvdm_folder), valid_size=40).resolved())
    assert not set(assembly.train.ids) & set(assembly.splits["validation"].ids)
    assert assembly.batch_size == 360
