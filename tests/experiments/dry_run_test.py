"""What --dry_run says."""

import pytest

from dlgm_jax.learning import scoring
from experiments import dry_run
from experiments.assembly import assemble
from experiments.config import Config
from tests.experiments.conftest import SMALL


def test_dry_run_trains_nothing(command, nvdm_folder, tmp_path):
    workdir = tmp_path / "run"
    code, out, _ = command("train", *SMALL, f"--dataset={nvdm_folder}", f"--workdir={workdir}", "--dry_run")
    assert code == 0
    parameters = 3 * 8 + 8 + 8 * 30 + 30 + 30 * 8 + 8 + 2 * (8 * 3 + 3)
    assert f"parameters  {parameters:,}" in out
    assert "minutes" in out
    assert not workdir.exists()


def test_the_scores_at_the_end_count_for_all_documents(command, nvdm_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(dry_run, "seconds_of_scores", lambda assembly, at_the_end: 60.0 * at_the_end)
    code, out, _ = command("train", *SMALL, f"--dataset={nvdm_folder}", f"--workdir={tmp_path / 'run'}", "--dry_run")
    assert code == 0
    documents, validation = 400 + 60, 40
    assert f"0.0 s of validation an epoch, {60 * documents // validation} s of scores at the end" in out


@pytest.mark.parametrize("bound", ["importance_weighted", "full_covariance"])
def test_only_the_scores_at_the_end_have_the_tighter_bounds(bound, nvdm_folder, monkeypatch):
    small = {"K": 3, "generative_widths": (8,), "inference_widths": (8,), "valid_size": 40, "eval_M": 5}
    asked = {"importance_weighted": {"eval_iwae_samples": 3}, "full_covariance": {"eval_full_steps": 2}}[bound]
    assembly = assemble(Config(dataset=str(nvdm_folder), **small, **asked))
    taken, score_corpus = [], scoring.score_corpus

    def recorded(*arguments):
        taken.append(score_corpus(*arguments))
        return taken[-1]

    monkeypatch.setattr(scoring, "score_corpus", recorded)
    for at_the_end in (False, True):
        taken.clear()
        assert dry_run.seconds_of_scores(assembly, at_the_end) > 0
        assert len(taken) == 2
        assert all((getattr(scores, f"perplexity_{bound}") is not None) == at_the_end for scores in taken)
