"""What --dry_run and the first line say of the time, and what they do for it."""

import re
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from dlgm_jax.errors import Stopped
from dlgm_jax.evaluation import scoring
from dlgm_jax.learning.loop import Progress
from experiments import train
from experiments.flags.config import Config
from experiments.workdir import dry_run, expected
from experiments.workdir.assembly import Assembly, assemble
from experiments.workdir.expected import Seconds
from tests.experiments.conftest import SMALL

SIZES = {"K": 3, "generative_widths": (8,), "inference_widths": (8,), "valid_size": 40, "eval_M": 5, "batch_size": 50}


def test_dry_run_trains_nothing(command, nvdm_folder, tmp_path):
    workdir = tmp_path / "run"
    code, out, _ = command("train", *SMALL, f"--dataset={nvdm_folder}", f"--workdir={workdir}", "--dry_run")
    assert code == 0
    parameters = 3 * 8 + 8 + 8 * 30 + 30 + 30 * 8 + 8 + 2 * (8 * 3 + 3)
    assert f"parameters  {parameters:,}" in out
    assert re.search(r"8 epochs: about \S+ (s|minutes|hours) on cpu", out)
    assert not workdir.exists()


def test_a_dry_run_is_refused_what_the_run_would_be(command, finished):
    workdir, flags, _ = finished
    others = [flag for flag in flags if not flag.startswith(("--batch_size", "--workdir"))]
    code, _, err = command("train", *others, "--batch_size=60", f"--workdir={workdir}", "--dry_run")
    assert code == 2
    assert "batch_size was 50, is now 60" in err


def test_the_estimate_hears_a_signal(nvdm_folder):
    assembly = assemble(Config.of(dataset=str(nvdm_folder), **SIZES, M=4, epochs=5))
    with pytest.raises(Stopped, match="before the first step"):
        expected.expected(assembly, ["test"], lambda: True)


def test_the_first_call_is_not_timed(monkeypatch):
    clock = iter([0, 100, 200, 203, 300, 302])
    monkeypatch.setattr(expected.time, "perf_counter", lambda: next(clock))
    assert expected.seconds(lambda: None) == 2


def test_what_is_said_is_the_sum_of_its_parts(command, nvdm_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(dry_run, "expected", lambda assembly, splits: Seconds(10.0, 1.0, 7.0, 5.0 * len(splits)))
    flags = [*SMALL, f"--dataset={nvdm_folder}", f"--workdir={tmp_path / 'run'}", "--dry_run", "--epochs=5"]
    code, out, _ = command("train", *flags, "--refined_epochs=2", "--M=4", "--score=test")
    assert code == 0
    steps = 8  # of 50 of 360 documents
    total = 2 * steps * 10 + 3 * steps * 1 + 5 * 7 + 2 * 5
    assert "10 s a step, 1 s in epochs after the first 2, 8 steps and 7 s of validation an epoch, 10 s of scores" in out
    assert f"about {total / 60:.0f} minutes on cpu" in out
    code, out, _ = command("train", *flags, "--M=4")
    assert "10 s a step, 8 steps" in out


def test_what_is_left_of_a_run(nvdm_folder):
    assembly = assemble(Config.of(dataset=str(nvdm_folder), **SIZES, M=4, refined_epochs=2, epochs=5))
    parts = Seconds(10.0, 1.0, 7.0, 5.0)
    assert expected.of_training(assembly, parts) == 2 * 80 + 3 * 8 + 5 * 7
    assert expected.of_training(assembly, parts, Progress(epoch=1, batches=3)) == 80 - 30 + 3 * 8 + 4 * 7
    assert expected.of_training(assembly, parts, Progress(epoch=4, batches=8)) == 7
    assert expected.of_training(assembly, parts, Progress(epoch=5)) == 0


@pytest.mark.parametrize(
    ("duration", "text"), [(0.2, "1 s"), (89, "89 s"), (91, "2 minutes"), (5999, "100 minutes"), (6300, "1.8 hours")]
)
def test_durations(duration, text):
    assert expected.spelled(duration) == text


@pytest.mark.parametrize("bound", [None, "importance_weighted", "full_covariance"])
def test_only_one_batch_is_scored_and_only_at_the_end_by_the_tighter_bounds(bound, nvdm_folder, monkeypatch):
    asked = {None: {}, "importance_weighted": {"eval_iwae_samples": 3}, "full_covariance": {"eval_full_steps": 2}}[
        bound
    ]
    small = SIZES | {"batch_size": 20}
    assembly = assemble(Config.of(dataset=str(nvdm_folder), **small, **asked))
    taken, score_corpus = [], scoring.score_corpus

    def recorded(score, params, batches, key, **how):
        batches = list(batches)
        found = score_corpus(score, params, batches, key, **how)
        taken.append((len(batches), found))
        return found

    monkeypatch.setattr(scoring, "score_corpus", recorded)
    parts = expected.expected(assembly, ["validation", "test"])
    assert min(parts) > 0
    assert {number for number, _ in taken} == {1}
    if bound is None:
        assert parts.closing == pytest.approx(parts.validation * (2 + 3) / 2)  # batches of 40 and 60 documents
        return
    tight = [getattr(scores, f"perplexity_{bound}") is not None for _, scores in taken]
    assert tight == sorted(tight)
    assert any(tight)
    assert not all(tight)


def test_a_corpus_of_any_size_is_timed_by_one_batch(nvdm_folder, monkeypatch):
    """Of a step too: no batch but the first is made, and steps are repeated a few times only."""
    assembly = assemble(Config.of(dataset=str(nvdm_folder), **SIZES, M=4, refined_epochs=2, epochs=5))
    real, calls, made = Assembly.training_step, {True: 0, False: 0}, []

    def counted(self, *, refined=True):
        step = real(self, refined=refined)

        def go(*arguments):
            calls[refined] += 1
            return step(*arguments)

        return go

    monkeypatch.setattr(Assembly, "training_step", counted)
    batches = assembly.training_batches(1)
    first = next(batches)
    monkeypatch.setattr(Assembly, "training_batches", lambda self, epoch: iter([made.append(epoch) or first]))
    expected.expected(assembly, ["test"])
    assert made == [1]
    assert calls == {True: 1 + expected.CALLS, False: 1 + expected.CALLS}


def test_the_first_line_says_how_long(trained_once):
    assert re.search(r"; results go to \S+/; about \d+ s$", trained_once[2].splitlines()[0])


def test_timing_changes_no_bit_of_a_run(nvdm_folder):
    assembly = assemble(Config.of(dataset=str(nvdm_folder), **SIZES, M=4))
    before = jax.device_get(assembly.init_state())
    expected.expected(assembly, ["test"])
    jax.tree.map(np.testing.assert_array_equal, before, jax.device_get(assembly.init_state()))


def test_the_bar_goes_by_expected_seconds(nvdm_folder):
    """With steps of a hundredth of the time after the first epoch, most is done when that is over."""
    assembly = assemble(Config.of(dataset=str(nvdm_folder), **SIZES, M=4, refined_epochs=1, epochs=5))
    metrics = SimpleNamespace(append=lambda *arguments, **more: None)
    scores = SimpleNamespace(perplexity=2.0, perplexity_refined=1.0, loss=1.0)
    with train.Bar(assembly, Progress(), metrics, Seconds(1.0, 0.01, 0.5, 9.0)) as bar:
        assert bar.total == pytest.approx(8 + 4 * 0.08 + 5 * 0.5)
        for epoch in range(1, 6):
            for _ in range(8):
                bar.stepped(45, -3.0)
            bar.validated(epoch, scores, -3.0)
            if epoch == 1:
                assert bar.n == pytest.approx(8.5)
        assert bar.n == pytest.approx(bar.total)
    with train.Bar(assembly, Progress(epoch=1, batches=4), metrics, Seconds(1.0, 0.01, 0.5, 9.0)) as bar:
        assert bar.n == pytest.approx(8.5 + 0.04)
