"""From a Config to the pieces of a run."""

import numpy as np

from dlgm_jax.evaluation import scoring
from dlgm_jax.inference import batched
from dlgm_jax.inference.batched import chosen
from dlgm_jax.learning import steps
from experiments.flags.config import Config
from experiments.workdir.assembly import assemble, build_model, described

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
    "beta": 0.5,
}


AT_THE_END = {"iwae_samples": 5, "full_steps": 7}


def test_every_setting_arrives_where_it_belongs(nvdm_folder, monkeypatch):
    assembly = assemble(Config.of(dataset=str(nvdm_folder), **SETTINGS, eval_iwae_samples=5, eval_full_steps=7))
    calls = {}

    def spy(module, name):
        real = getattr(module, name)

        def record(*arguments, **settings):
            calls.setdefault(name, []).append((arguments, settings))
            return real(*arguments, **settings)

        monkeypatch.setattr(module, name, record)

    monkeypatch.setattr(batched, "adam", lambda *settings: settings)
    spy(steps, "algorithm1")
    spy(steps, "adam")
    spy(scoring, "scorer")
    monkeypatch.setattr(steps, "adam", lambda rate, **more: calls.setdefault("optimiser", (rate, more)))
    assembly.training_step()
    _, settings = calls["algorithm1"][0]
    assert settings.pop("refinement") == (6, 0.02, 0.3)
    assert settings == {
        "beta": 0.5,
        "kl_anneal_steps": 11,
        "input_dropout": 0.25,
        "length_weighting": 0.5,
        "mesh": None,
    }
    assert calls["optimiser"] == (0.001, {"weight_decay": 0.125})
    assembly.score_with(at_the_end=True)
    _, settings = calls["scorer"][0]
    plain = {"refinement": (8, 0.04, 0.3), "num_samples": 3, "mesh": None}
    assert settings == plain | AT_THE_END
    assembly.score_with()
    assert calls["scorer"][1][1] == plain


def test_m_minus_1_evaluations():
    assert chosen("adam", 100, 0.01, 0.1).num_steps == 99
    assert chosen("fisher", 11, 0.01, 0.1).num_steps == 5
    assert chosen("fisher", 1, 0.01, 0.1).num_steps == 0
    assert chosen("adam", 100, 0.01, 0.1).evaluations == 99
    assert chosen("fisher", 11, 0.01, 0.1).evaluations == 10


def test_the_work_of_refinement_is_said():
    def of(refiner, M):
        return described(refiner, chosen(refiner, M, 0.01, 0.1), model, batch_size=500, vocab_size=400)

    # 40,000 of 200,000 products are of hidden layers at V=400
    model = build_model(Config.of(K=100, generative_widths=(400,)), np.ones(400))

    assert of("adam", 1) == of("fisher", 1) == "not refined"
    assert of("adam", 100) == "refined by adam, 99 gradient evaluations a document"
    assert of("fisher", 13) == "refined by fisher, 12 gradient evaluations a document and other work worth 1.5 more"


def test_the_fisher_refiner_arrives_in_training_and_in_evaluation(nvdm_folder, monkeypatch):
    config = Config.of(dataset=str(nvdm_folder), valid_size=40, refiner="fisher", M=9, eval_refiner="fisher", eval_M=5)
    calls = []
    monkeypatch.setattr(batched, "preconditioned", lambda num_steps: calls.append(num_steps) or batched.adam(1))
    assembly = assemble(config)
    assembly.training_step()
    assembly.score_with()
    assert calls == [4, 2]


def test_dropped_validation_documents_are_not_trained_on(nvdm_folder):
    assembly = assemble(Config.of(dataset=str(nvdm_folder), valid_size=40))
    assert not set(assembly.train.ids) & set(assembly.splits["validation"].ids)
    assert assembly.batch_size == 360
