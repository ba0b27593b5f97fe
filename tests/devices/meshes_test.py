"""Meshes of devices: eight virtual ones of a process of its own, beside one."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import AbstractMesh, PartitionSpec

from dlgm_jax import init_params
from dlgm_jax.devices import meshes
from dlgm_jax.devices.collectives import DATA, VOCAB
from dlgm_jax.errors import BadInput
from dlgm_jax.models.dlgm import dlgm
from tests.conftest import QUICK

ROOT = Path(__file__).parents[2]
FLAGS = f"{QUICK} --xla_force_host_platform_device_count=8"
TRACES = [
    *(("float32", "adam", mesh) for mesh in ("data:8", "data:4,vocab:2", "data:2,vocab:4", "vocab:8")),
    ("float64", "adam", "data:4,vocab:2"),
    ("float64", "fisher", "data:2,vocab:4"),
    ("float64", "joint", "data:4,vocab:2"),
]


@pytest.fixture(scope="session")
def found(tmp_path_factory, nvdm_folder):
    """What `on_eight_devices` prints; run once, also where several workers share the tests."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    printed = folder / "on_eight_devices.json"
    with open(folder / "on_eight_devices.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not printed.exists():
            room = tmp_path_factory.mktemp("checkpoints")
            command = [sys.executable, "-m", "tests.devices.on_eight_devices", str(nvdm_folder), str(room)]
            environment = os.environ | {"XLA_FLAGS": FLAGS, "JAX_PLATFORMS": "cpu"}
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-3000:]
            printed.write_text(done.stdout)
    return json.loads(printed.read_text())


@pytest.mark.parametrize(("kind", "case", "mesh"), TRACES)
def test_every_mesh_takes_the_same_steps(found, kind, case, mesh):
    one, ours = (np.array(found[kind][case][text]["bounds"]) for text in ("none", mesh))
    assert len(one) == 50
    assert np.ptp(one) > 0.01 * abs(one.mean())
    first, later = (1e-5, 1e-3) if kind == "float32" else (1e-9, 1e-9)
    np.testing.assert_allclose(ours[:10], one[:10], rtol=first)
    np.testing.assert_allclose(ours, one, rtol=later)


@pytest.mark.parametrize(("kind", "case", "mesh"), TRACES)
def test_refinement_communicates_along_vocab_only(found, kind, case, mesh):
    seen = found[kind][case][mesh]["collectives"]
    vocab = meshes._sizes(mesh).get("vocab", 1)
    groups = ",".join("{" + ",".join(map(str, row)) + "}" for row in np.arange(8).reshape(-1, vocab))
    assert seen["all"] > 0
    assert set(seen["groups"]) == (set() if vocab == 1 or case == "joint" else {f"{{{groups}}}"})
    assert found[kind][case]["none"]["collectives"]["all"] == 0


@pytest.mark.parametrize(("kind", "case", "mesh"), TRACES)
def test_a_step_that_is_not_finite_changes_nothing_on_any_device(found, kind, case, mesh):
    ours, one = found[kind][case][mesh]["skipped"], found[kind][case]["none"]["skipped"]
    assert ours == one
    of_a_row, of_the_bias = ours
    for said in ours:
        assert said["left alone"]
        assert not said["whole"]
        assert said["step"] == 1
    assert all(of_a_row["bounds"])  # nothing but one array of one device along vocab shows it
    assert of_a_row["arrays"].count(False) == 1
    assert not any(of_the_bias["bounds"][:2])


@pytest.mark.parametrize("mesh", ["data:8", "data:2,vocab:4"])
def test_the_state_begins_with_the_same_bits_in_shares(found, mesh):
    same, as_said, shapes = found["init"][mesh]
    words = 40 // meshes._sizes(mesh).get("vocab", 1)
    assert same
    assert as_said
    assert shapes == [[6, words], [words], [words, 7], [words, 7]]


def test_a_run_goes_on_and_is_scored_on_another_mesh(found):
    one, ours = (found["assemblies"][name] for name in ("none to none", "data:8 to data:4,vocab:2"))
    assert one["documents"] == ours["documents"] == 60
    for name, value in one.items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-4, err_msg=name)


def test_every_model_computes_the_same_on_a_mesh(found):
    assert len(found["tenants"]) == 8
    for name, by_mesh in found["tenants"].items():
        one, ours = by_mesh["none"], by_mesh["data:4,vocab:2"]
        assert one.keys() == ours.keys()
        for figure, value in one.items():
            np.testing.assert_allclose(ours[figure], value, rtol=1e-4, atol=1e-6, err_msg=f"{name}: {figure}")


def test_the_information_of_a_token_is_the_same_on_every_device(found):
    one, ours = found["information"]["none"], found["information"]["data:2,vocab:4"]
    for expected, on_all in zip(one, ours, strict=True):
        for here in on_all:
            np.testing.assert_allclose(here, expected, rtol=1e-9, atol=1e-12)


def test_operators_have_the_gradients_of_the_whole(found):
    seen = found["operators"]
    assert max(seen["gaps"]) < 1e-12
    assert seen["flags"] == [False, True]
    assert seen["order"] == list(range(8))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected auto, or axes as data:4,vocab:2 with sizes from 1, found ''"),
        ("8", "found '8'"),
        ("data", "found 'data'"),
        ("data:4;vocab:2", "found 'data:4;vocab:2'"),
        ("rows:4", "found 'rows:4'"),
        ("data:0", "found 'data:0'"),
        ("data:-1", "found 'data:-1'"),
        ("data:1,", "found 'data:1,'"),
        ("data:²", "found 'data:²'"),
        ("data:1,data:1", "expected every axis once, found data twice in 'data:1,data:1'"),
        ("data:2,vocab:3", "expected at most 1 devices, found data:2,vocab:3 for 6"),
        ("data:" + "9" * 5000, "found 'data:99999"),
    ],
)
def test_a_mesh_that_cannot_be_is_refused_in_one_line(text, message):
    with pytest.raises(BadInput, match=r"^--mesh: ") as refused:
        meshes.mesh(text, 500)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("text", ["auto", "data:1", "vocab:1", " data : 1 , vocab : 1 "])
def test_one_device_needs_no_mesh(text):
    assert meshes.mesh(text, 500) is None


@pytest.mark.parametrize(
    ("batch_size", "vocab_size", "message"),
    [
        (62, 30, "--mesh, --batch_size: expected batches of a multiple of the 4 devices along data, found 62"),
        (64, 31, "--mesh: expected a vocabulary of a multiple of the 2 devices along vocab, found 31 words"),
    ],
)
def test_what_does_not_fall_into_equal_parts_is_refused(batch_size, vocab_size, message):
    with pytest.raises(BadInput) as refused:
        meshes.check(AbstractMesh((4, 2), (DATA, VOCAB)), batch_size, vocab_size)
    assert str(refused.value) == message


@pytest.mark.parametrize("widths", [(), (5,), (5, 5)])
def test_only_what_is_of_words_is_cut(widths):
    """Also where every other size is V."""
    params = init_params(jax.random.key(0), 5, latent_dim=5, generative_widths=widths, inference_widths=widths)
    mesh, model = AbstractMesh((4, 5), (DATA, VOCAB)), dlgm(lambda counts: counts, inference_widths=widths)
    cut = {
        jax.tree_util.keystr(path, simple=True, separator="."): spec
        for path, spec in jax.tree_util.tree_leaves_with_path(meshes.specs(mesh, {"params": params}, model.word_axis))
        if spec != PartitionSpec()
    }
    first = ["hidden.layers.0.weights"] if widths else ["mean.weights", "log_var.weights"]
    assert cut == {
        "params.theta.output.weights": PartitionSpec(None, VOCAB),
        "params.theta.output.bias": PartitionSpec(VOCAB),
        **{f"params.phi.{name}": PartitionSpec(VOCAB) for name in first},
    }
