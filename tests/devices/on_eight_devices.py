"""What meshes of eight virtual devices compute beside one device, as JSON; `sharding_test` runs it and judges.

python -m tests.devices.on_eight_devices CORPUS ROOM    (a small one in the NVDM form; a folder for checkpoints)
"""

import json
import sys
from functools import partial
from itertools import islice
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec as P

from dlgm_jax import features
from dlgm_jax.data import batches
from dlgm_jax.devices import meshes
from dlgm_jax.devices.collectives import DATA, VOCAB, agreed, gathered, logsumexp_across, shared, summed
from dlgm_jax.inference import batched
from dlgm_jax.inference.softmax import logsumexp_linear
from dlgm_jax.learning import steps
from dlgm_jax.models import registry
from dlgm_jax.models.dlgm import dlgm, token_information
from dlgm_jax.storage.checkpoints import Checkpoints
from experiments.flags.config import Config
from experiments.workdir.assembly import assemble
from tests.conftest import as_corpus, likelihoods_of
from tests.learning.compiled_text import collectives

MESHES = ("data:8", "data:4,vocab:2", "data:2,vocab:4", "vocab:8")
B, V = 16, 40
UNUSED = 32  # a word of no document, among the five of a block that is empty over vocab:8
COUNTS = np.random.default_rng(0).poisson(0.4, (53, V))
COUNTS[:, 30:35] = 0
COUNTS[5] = 0
COUNTS[7:10] = 0
COUNTS[7:10, 3] = 1
CORPUS = as_corpus(COUNTS)
DEEP = {"generative_widths": (6,), "inference_widths": (7,)}
SHALLOW = {"generative_widths": (), "inference_widths": ()}
EVERYTHING = {"input_dropout": 0.2, "kl_anneal_steps": 7, "length_weighting": 0.5}
CASES = {  # features, widths, refinement, settings of the step
    "joint": ("norm", SHALLOW, batched.adam(0), {}),
    "adam": ("tfidf", DEEP, batched.adam(3, 0.05), EVERYTHING),
    "fisher": ("tfidf", SHALLOW | {"generative_widths": (6,)}, batched.preconditioned(2), {"kl_anneal_steps": 7}),
}


def make(case, mesh, dtype):
    """The step and the function that makes the state before the first."""
    name, widths, how, settings = CASES[case]
    axis, idf = meshes.axis(mesh, VOCAB), features.idf(CORPUS.document_frequencies(), len(COUNTS))
    read = features.reader(name, idf, vocab_axis=axis)
    model = dlgm(read, vocab_axis=axis, latent_dim=3, dtype=dtype, **widths)
    optimiser = steps.adam(0.01, weight_decay=0.1)
    step = steps.algorithm1(model, optimiser, refinement=how, mesh=mesh, **settings)
    return step, (lambda: steps.init_state(model, optimiser, jax.random.key(0), V)), model.word_axis


def epoch_batches(mesh, epoch):
    """The batches of an epoch, on their devices."""
    sizes = batches.padded_sizes(B // (mesh.shape[DATA] if mesh else 1), CORPUS)
    split = meshes.blocks(mesh) if mesh else None
    for batch in batches.epoch_batches(CORPUS, B, seed=0, epoch=epoch, sizes=sizes, blocks=split):
        yield meshes.placed(batch, mesh) if mesh else batch


def trace(step, state, mesh, num_steps):
    """The bounds of so many steps."""
    found, epoch = [], 0
    while len(found) < num_steps:
        for batch in epoch_batches(mesh, epoch):
            state, info = step(state, batch, jax.random.key(epoch))
            found.append(float(info.elbo))
        epoch += 1
    return found[:num_steps]


def placed_state(tree, mesh, word_axis):
    """A whole tree of the host, on its devices."""
    return jax.device_put(tree) if mesh is None else jax.device_put(tree, meshes.shardings(mesh, tree, word_axis))


def traces(case, texts, dtype):
    """By mesh: the bounds of 50 steps, where the compiled step communicates, and what it does with bad parameters."""
    found, start = {}, meshes.whole(make(case, None, dtype)[1]())
    for text in ("none", *texts):
        mesh = None if text == "none" else meshes.mesh(text, B)
        step, _, word_axis = make(case, mesh, dtype)
        arguments = placed_state(start, mesh, word_axis), next(epoch_batches(mesh, 0)), jax.random.key(0)
        step = step.lower(*arguments).compile()  # which refuses a state that lies otherwise
        found[text] = {
            "bounds": trace(step, arguments[0], mesh, 50),
            "collectives": collectives(step.as_text()),
            "skipped": [skipped(step, start, mesh, word_axis, spoil) for spoil in (spoil_a_row, spoil_the_bias)],
        }
    return found


def spoil_a_row(params):
    first = (*params.phi.hidden.layers, params.phi.mean)[0]
    first.weights[UNUSED, 0] = np.inf


def spoil_the_bias(params):
    params.theta.output.bias[3] = np.nan


def skipped(step, start, mesh, word_axis, spoil):
    """What a step says of parameters that are not finite, and whether it left them alone on every device."""
    start = jax.tree.map(np.copy, start)
    spoil(start.params)
    state, info = step(placed_state(start, mesh, word_axis), next(epoch_batches(mesh, 0)), jax.random.key(0))
    same = [
        np.array_equal(shard.data, before[shard.index], equal_nan=True)
        for before, after in zip(jax.tree.leaves(start[:2]), jax.tree.leaves(state[:2]))
        for shard in after.addressable_shards
    ]
    return {
        "left alone": all(same),
        "step": int(state.step),
        "words": float(info.words),
        "whole": bool(info.whole),
        "bounds": np.isfinite([info.elbo, *info.bounds]).tolist(),
        "arrays": [bool(flag) for flag in jax.tree.leaves(info.finite)],
    }


def inits(texts):
    """Tells whether the state before the first step has the same bits, and lies in shares."""
    found = {}
    for text in texts:
        mesh = meshes.mesh(text, B)
        _, init, word_axis = make("adam", mesh, jnp.float32)
        state, one = meshes.made(mesh, init, word_axis), init()
        same = [np.array_equal(a, b) for a, b in zip(jax.tree.leaves(meshes.whole(state)), jax.tree.leaves(one))]
        as_said = jax.tree.map(lambda a, b: a.sharding == b.sharding, state, meshes.shapes(mesh, init, word_axis))
        theta, phi = state.params
        cut = theta.output.weights, theta.output.bias, phi.hidden.layers[0].weights, state.moments.phi[0].mu.hidden
        shapes = [leaf.addressable_shards[0].data.shape for leaf in (*cut[:3], cut[3].layers[0].weights)]
        found[text] = [all(same), all(jax.tree.leaves(as_said)), shapes]
    return found


def informations(texts):
    """The information of a token, on every device of a mesh."""
    _, init, word_axis = make("adam", None, jnp.float64)
    theta = init().params.theta
    key, found = jax.random.key(4), {"none": token_information(theta, jax.random.key(4))}
    for text in texts:
        mesh = meshes.mesh(text, B)

        def on_a_device(theta, key):
            here = token_information(theta, key, vocab_axis=VOCAB)
            return jax.tree.map(lambda leaf: jax.lax.all_gather(leaf, (DATA, VOCAB)), here)

        share = meshes.specs(mesh, {"theta": theta}, word_axis)["theta"]
        over = jax.shard_map(on_a_device, mesh=mesh, in_specs=(share, P()), out_specs=P(), check_vma=False)
        found[text] = jax.jit(over)(theta, key)
    return {text: jax.tree.map(lambda leaf: np.asarray(leaf).tolist(), tuple(value)) for text, value in found.items()}


def operators():
    """A loss of shares over eight devices with its gradients, beside the plain one."""
    rows, weights = jax.random.normal(jax.random.key(8), (4, V)), jax.random.normal(jax.random.key(2), (6, V))
    h, bias = rows[:, :6], rows[0]

    def loss(h, weights, bias, rows, axis):
        normaliser = logsumexp_across(logsumexp_linear(shared(jnp.tanh(h), axis), weights, bias, block=2), axis)
        return jnp.sum(normaliser**2) + jnp.sum(jnp.sin(summed(rows @ weights.T, axis)))

    def on_a_device(*shares):
        value, gradients = jax.value_and_grad(partial(loss, axis=VOCAB), argnums=(0, 1, 2))(*shares)
        here = jax.lax.axis_index(VOCAB)
        return value, gradients, [agreed(here < n, VOCAB) for n in (7, 8)], gathered(here[None], VOCAB)

    places = P(), P(None, VOCAB), P(VOCAB)
    over = jax.shard_map(
        on_a_device,
        mesh=meshes.mesh("vocab:8", B),
        in_specs=(*places, P(None, VOCAB)),
        out_specs=(P(), places, P(), P()),
        check_vma=False,
    )
    *ours, flags, order = jax.jit(over)(h, weights, bias, rows)
    theirs = jax.value_and_grad(partial(loss, axis=None), argnums=(0, 1, 2))(h, weights, bias, rows)
    gaps = [float(jnp.max(jnp.abs(a - b))) for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True)]
    return {"gaps": gaps, "flags": [bool(flag) for flag in flags], "order": order.tolist()}


def assemblies(corpus: str, room: Path):
    """Two epochs and the scores of an assembly; the middle goes through a checkpoint to another mesh."""
    config = Config.of(
        dataset=corpus, M=3, eval_M=3, K=3, generative_widths=(5,), inference_widths=(6,), batch_size=64,
        valid_size=40, eval_iwae_samples=2, eval_full_steps=2, model=None,
    )  # fmt: skip
    found = {}
    for texts in (("none", "none"), ("data:8", "data:4,vocab:2")):
        state, elbo = None, 0.0
        checkpoints = Checkpoints(room / "-".join(texts).replace(":", ""))
        for epoch, text in enumerate(texts):
            assembly = assemble(config, mesh=None if text == "none" else meshes.mesh(text, 64))
            state = assembly.init_state() if state is None else checkpoints.restore(0, assembly.shapes())[0]
            step, key = assembly.training_step(), jax.random.key(epoch)
            for batch in assembly.training_batches(epoch, first=epoch):
                state, info = step(state, batch, key)
                elbo += float(info.elbo)
            if epoch == 0:
                checkpoints.save(0, state, {})
                checkpoints.wait()
        scores = assembly.score_with(at_the_end=True)(state.params, "test")
        found[" to ".join(texts)] = {"elbo": elbo, **vars(scores)}
    return found


def tenants(corpus: str):
    """Two steps and the scores of every model of the registry, on one device and on a mesh."""
    found = {}
    for name, entry in registry.MODELS.items():
        for likelihood in likelihoods_of(entry):
            twice = "dirichlet_multinomial" if name not in {"3", "ae"} else "multinomial" if name == "3" else ""
            if likelihood == twice or name == "1":  # the same model under another name, or one that is seen above
                continue
            config = Config.of(
                dataset=corpus, model=name, likelihood=likelihood, M=3, eval_M=3, K=3, generative_widths=(5,),
                inference_widths=(6,), batch_size=64, valid_size=40,
            )  # fmt: skip
            for text in ("none", "data:4,vocab:2"):
                assembly = assemble(config, mesh=None if text == "none" else meshes.mesh(text, 64))
                state, step = assembly.init_state(), assembly.training_step()
                for batch in islice(assembly.training_batches(1), 2):
                    state, info = step(state, batch, jax.random.key(0))
                scores = vars(assembly.score_with()(state.params, "test"))
                known = {one: value for one, value in scores.items() if value == value and value is not None}
                found.setdefault(f"{name} {likelihood}", {})[text] = {"elbo": float(info.elbo), **known}
    return found


def main(corpus: str, room: str) -> None:
    found = {
        "float32": {"adam": traces("adam", MESHES, jnp.float32)},
        "init": inits(("data:8", "data:2,vocab:4")),
        "assemblies": assemblies(corpus, Path(room)),
        "tenants": tenants(corpus),
    }
    with jax.enable_x64(True):
        found["operators"] = operators()
        found["information"] = informations(("data:2,vocab:4",))
        found["float64"] = {
            "adam": traces("adam", ("data:4,vocab:2",), jnp.float64),
            "fisher": traces("fisher", ("data:2,vocab:4",), jnp.float64),
            "joint": traces("joint", ("data:4,vocab:2",), jnp.float64),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
