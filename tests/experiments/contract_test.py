"""What every model of the registry does, by the commands, on a corpus of toy size."""

from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlgm_jax import load_run
from dlgm_jax.data import batches
from dlgm_jax.errors import BadInput
from dlgm_jax.evaluation.scoring import scorer
from dlgm_jax.inference import batched
from dlgm_jax.introspection.jacobian import mean_jacobian, variants_of
from dlgm_jax.models import registry, sampling
from experiments.flags.config import Config
from experiments.workdir.assembly import assemble, check_able
from tests.conftest import likelihoods_of
from tests.experiments.conftest import lines

SMALL = {"K": 3, "generative_widths": (8,), "inference_widths": (8,)}
RUN = {"batch_size": 100, "valid_size": 40, "M": 3, "eval_M": 3, "learning_rate": 0.01, "weight_decay": 0.0}
# every model, and besides each other likelihood that it has
CASES = [(name, {}) for name in registry.MODELS]
CASES += [
    (name, {"likelihood": likelihood})
    for name, entry in registry.MODELS.items()
    for likelihood in likelihoods_of(entry)[1:]
]
IDS = ["-".join([name, *own.values()]) for name, own in CASES]


def settings(name, own):
    """Those of a run: the sizes that the model has, small."""
    has = {item.name for item in fields(registry.entry(name).settings)}
    return {"model": name} | {one: value for one, value in SMALL.items() if one in has} | RUN | own


def flags(values):
    return [f"--{name}={','.join(map(str, v)) if isinstance(v, tuple) else v}" for name, v in values.items()]


@pytest.fixture(scope="module", params=CASES, ids=IDS)
def case(request):
    return request.param


@pytest.fixture(scope="module")
def assembly(case, nvdm_folder):
    return assemble(Config.of(dataset=str(nvdm_folder), epochs=1, **settings(*case)))


@pytest.fixture(scope="module")
def state(assembly):
    """After five epochs."""
    found, step = assembly.init_state(), assembly.training_step()
    for epoch in range(1, 6):
        for batch in assembly.training_batches(epoch):
            found, info = step(found, batch, jax.random.key(epoch))
            assert info.whole
    return found


def test_steps_raise_the_bound(assembly, state):
    score = assembly.score_with()
    before, after = (score(params, "train") for params in (assembly.init_state().params, state.params))
    assert after.loss < before.loss
    assert np.isnan(after.perplexity) == (not assembly.model.of_words)


def test_refinement_raises_the_bound_of_the_guess(assembly, state):
    """By Adam, which every model has: the mean over documents, each of 20 draws."""
    score = scorer(assembly.model, refinement=batched.adam(30), num_samples=20)
    (batch,) = batches.ordered_batches(
        assembly.splits["test"], 60, sizes=batches.padded_sizes(60, assembly.splits["test"])
    )
    scores = score(state.params, batch, jax.random.key(1))
    assert np.mean(scores.elbo_refined) > np.mean(scores.elbo)
    if assembly.model.family.log_prob is None:
        assert not np.any(scores.kl)
    else:
        assert np.all(np.asarray(scores.kl_refined) > 0)


def test_the_kl_has_the_parts_that_the_model_says(assembly, state):
    model, params = assembly.model, state.params
    psi = model.family.start(3)
    if model.unit_kl:
        moved = jax.tree.map(lambda leaf: leaf + jnp.arange(1.0, 4), psi)
        np.testing.assert_allclose(model.unit_kl(params, moved).sum(), model.kl(params, moved, moved.mean), rtol=1e-5)
    assert np.shape(model.family.mean(psi)) == (3,)


def test_samples_and_jacobians_are_of_the_model(assembly, state):
    model, params = assembly.model, state.params
    drawn = np.asarray(sampling.sample(model, params, jax.random.key(0), 50))
    assert drawn.shape == (30,)
    if model.of_words:
        assert drawn.sum() == 50
    for variant in variants_of(model):
        fast = mean_jacobian(model, params, jax.random.key(2), num_samples=40, variant=variant)
        slow = mean_jacobian(replace(model, decoder=None), params, jax.random.key(2), num_samples=40, variant=variant)
        assert fast.shape == (30, 3)
        np.testing.assert_allclose(fast, slow, atol=1e-4 * np.abs(slow).max())
    with pytest.raises(ValueError, match="variant is one of"):
        mean_jacobian(model, params, jax.random.key(2), variant="other")


def test_commands_train_go_on_score_transform_and_look_inside(case, nvdm_folder, tmp_path, command):
    own = flags(settings(*case))
    run = [*own, f"--dataset={nvdm_folder}", f"--workdir={tmp_path}/run"]
    code, out, err = command("train", *run, "--epochs=1")
    assert code == 0, err
    code, out, err = command("train", *run, "--epochs=2")
    assert code == 0, err
    assert "goes on after epoch 1" in out
    straight = [*own, f"--dataset={nvdm_folder}", f"--workdir={tmp_path}/straight", "--epochs=2"]
    assert command("train", *straight)[0] == 0
    ends = [load_run(tmp_path / name) for name in ("run", "straight")]
    assert jax.tree.all(jax.tree.map(lambda a, b: np.array_equal(a, b), *(end.params for end in ends)))
    last = [next(line for line in lines(tmp_path / name) if line["split"] == "test") for name in ("run", "straight")]
    assert last[0] == last[1]

    code, out, err = command("evaluate", f"--workdir={tmp_path}/run")
    assert code == 0, err
    figure = "perplexity_refined" if ends[0].model.of_words else "bound_refined"
    assert f"{last[0][figure]:.{1 if ends[0].model.of_words else 2}f}" in out
    said = "bounds nothing" in out or "bound nothing" in out
    assert said == (ends[0].model.family.log_prob is None)

    code, out, err = command(
        "introspect", f"--workdir={tmp_path}/run", "--query=w1", "--context=w2 w3", "--map_words=0"
    )
    assert code == 0, err
    assert (tmp_path / "run/introspection/report.html").exists()
    assert len((tmp_path / "run/introspection/vectors.txt").read_text().splitlines()) == 31

    source = tmp_path / "new"
    source.mkdir()
    (source / "vocabulary.txt").write_text("w1\nw2\nw5\nunknown\n")
    (source / "corpus.tsv").write_text("w1 w2 w2 w5\nunknown\n")
    code, out, err = command(
        "transform", f"--workdir={tmp_path}/run", f"--input={source}", f"--output={tmp_path}/out.npz"
    )
    assert code == 0, err
    with np.load(tmp_path / "out.npz") as found:
        start = ends[0].model.family.start(3)._asdict()
        assert found["is_prior"].tolist() == [False, True]
        for name, values in start.items():
            assert found[name].shape == (2, 3)
            np.testing.assert_array_equal(found[name][1], values)
        assert np.isnan(found["perplexity"][0]) == (not ends[0].model.of_words)
        assert np.isfinite(found["bound"]).all()

    code, out, err = command("evaluate", f"--workdir={tmp_path}/run", "--completion", "--samples=3")
    if ends[0].model.of_words:
        assert code == 0, err
    else:
        assert (code, err) == (
            2,
            "error: completion: expected a model of counts, found one of real rows, which gives words no probability\n",
        )


def test_what_a_model_does_not_read_or_cannot_do_is_one_line(case, assembly, command, tmp_path):
    name, own = case
    entry = registry.entry(name)
    shared = {item.name for one in registry.MODELS.values() for item in fields(one.settings)}
    unread = [*entry.unread, *(shared - {item.name for item in fields(entry.settings)})]
    for setting in unread:
        code, _, err = command(
            "train",
            f"--model={name}",
            f"--{setting}={'gaussian' if setting == 'likelihood' else 1}",
            f"--workdir={tmp_path}/no",
        )
        readers = [other for other in registry.MODELS if registry.unread(other, setting) is None]
        assert readers
        assert name not in readers
        expected = f"--{setting}: expected a model that reads it ({', '.join(readers)}), found --model={name}"
        assert (code, err) == (2, f"error: {expected}\n")
    able = {
        "refiner": ({"M": 7, "refiner": "fisher"}, assembly.model.linear),
        "eval_refiner": ({"eval_M": 7, "eval_refiner": "fisher"}, assembly.model.linear),
        "eval_full_steps": ({"eval_full_steps": 2}, assembly.model.linear),
        "eval_iwae_samples": ({"eval_iwae_samples": 2}, assembly.model.family.log_prob and assembly.model.of_words),
        "length_weighting": ({"length_weighting": 0.5}, assembly.model.of_words),
    }
    for flag, (asked, has) in able.items():
        config = Config.of(**settings(name, own) | asked)
        if has:
            check_able(assembly.model, config)
        else:
            with pytest.raises(BadInput, match=rf"^--{flag}: expected [^\n]*$"):
                check_able(assembly.model, config)


def test_help_shows_the_flags_that_a_model_reads(case, command):
    name, _ = case
    code, out, _ = command("train", "--help", f"--model={name}")
    assert code == 0
    assert command("train", "--model", name, "--help")[1] == out
    shown = {line.split()[0].removeprefix("--") for line in out.splitlines() if line.startswith("  --")}
    own = {item.name for item in fields(registry.entry(name).settings)}
    assert own <= shown
    assert not shown & set(registry.entry(name).unread)
    assert not (registry.own_settings().keys() - own) & shown
    for other, entry in registry.MODELS.items():
        assert f"  {other:<8}{entry.about}" in out
