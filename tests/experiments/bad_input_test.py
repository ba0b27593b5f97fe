"""A user's mistake is one line on stderr and exit code 2, never a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.config import PRESETS, Config
from tests.experiments.conftest import SMALL

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--dataset=nowhere", "--dataset: expected docstrings, 20news or a folder, found 'nowhere'"),
        ("--M=0", "--M: expected a whole number from 1, found 0"),
        ("--K=-3", "--K: expected a whole number from 1, found -3"),
        ("--K=many", "flag --K=many"),
        ("--model=2", "--model: expected 1 or 3, found 2"),
        ("--features=bag", "--features: expected one of tfidf, tfidf_smooth, norm, found 'bag'"),
        ("--learning_rate=0", "--learning_rate: expected a number above 0, found 0.0"),
        ("--learning_rate=nan", "--learning_rate: expected a number above 0, found nan"),
        ("--learning_rate=inf", "--learning_rate: expected a number above 0, found inf"),
        ("--input_dropout=1", "--input_dropout: expected a number from 0 to below 1, found 1.0"),
        ("--psi_beta1=1.5", "--psi_beta1: expected a number from 0 to below 1, found 1.5"),
        ("--weight_decay=-1", "--weight_decay: expected a number from 0, found -1.0"),
        ("--generative_widths=400,x", "--generative_widths: expected widths as 400,400 or nothing, found '400,x'"),
        ("--inference_widths=0", "--inference_widths: expected whole numbers above 0, found (0,)"),
        ("--activation=sine", "--activation: expected one of relu"),
        ("--preset=mine", "--preset: expected one of default, paper, found 'mine'"),
        ("--seed=-1", "--seed: expected a whole number from 0, found -1"),
        ("--valid_size=400", "--valid_size: expected 1 to 399"),
        ("--no_such_flag=1", "no_such_flag"),
        ("surplus", "expected flags as --name=value, found 'surplus'"),
    ],
)
def test_flags(command, nvdm_folder, tmp_path, flag, message):
    dataset = [] if "dataset" in flag else [f"--dataset={nvdm_folder}"]
    code, _, err = command("train", *dataset, f"--workdir={tmp_path / 'run'}", flag)
    assert code == 2
    assert message in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_malformed_line_is_named(command, nvdm_folder, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for path in nvdm_folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    with open(folder / "train.feat", "a") as file:
        file.write("1 31:2\n")
    code, _, err = command("train", f"--dataset={folder}", f"--workdir={tmp_path / 'run'}")
    assert code == 2
    assert "train.feat:401: expected an id from 1 to 30" in err
    assert err.count("\n") == 1


def test_a_workdir_that_holds_something_else_is_left_alone(command, nvdm_folder, tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    code, _, err = command("train", *SMALL, f"--dataset={nvdm_folder}", f"--workdir={tmp_path}")
    assert code == 2
    assert "which holds something else" in err
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_a_workdir_that_cannot_be_made(command, nvdm_folder, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = command("train", *SMALL, f"--dataset={nvdm_folder}", f"--workdir={tmp_path / 'file' / 'run'}")
    assert code == 2
    assert "--workdir: expected a folder to write to" in err


def test_a_corpus_of_empty_documents(command, tmp_path):
    (tmp_path / "vocab.txt").write_text("a\nb\n")
    (tmp_path / "train.feat").write_text("1\n" * 10)
    (tmp_path / "test.feat").write_text("1 1:1\n")
    code, _, err = command("train", f"--dataset={tmp_path}", "--valid_size=3", f"--workdir={tmp_path / 'run'}")
    assert code == 2
    assert "expected words in the train documents, found only empty ones" in err


def test_damaged_config_json(command, tmp_path):
    (tmp_path / "config.json").write_text("{")
    assert "expected JSON" in command("evaluate", f"--workdir={tmp_path}")[2]
    (tmp_path / "config.json").write_text("[]")
    code, _, err = command("evaluate", f"--workdir={tmp_path}")
    assert (code, err.count("\n")) == (2, 1)
    (tmp_path / "config.json").write_text('{"K": 3}')
    code, _, err = command("evaluate", f"--workdir={tmp_path}")
    assert (code, err.count("\n")) == (2, 1)


def test_evaluate_needs_a_run(command, tmp_path):
    assert command("evaluate")[0] == 2
    code, _, err = command("evaluate", f"--workdir={tmp_path / 'none'}")
    assert code == 2
    assert "expected the workdir of a run" in err


def test_help_reads_well_and_exits_with_0(command):
    for name in ("train", "evaluate"):
        code, out, err = command(name, "--help")
        assert (code, err) == (0, "")
        assert f"python -m experiments.{name}" in out
        assert max(map(len, out.splitlines())) <= 120
    code, out, _ = command("train", "--help")
    assert all(f"--{name}" in out for name in Config.__dataclass_fields__)


def test_from_a_shell():
    done = subprocess.run(
        [sys.executable, "-m", "experiments.train", "--M=0"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "error: --M: expected a whole number from 1, found 0\n"


def test_the_paper_s_preset_is_the_paper_s_settings():
    config = Config(**PRESETS["paper"], model=3, M=100).resolved()
    assert (config.learning_rate, config.psi_learning_rate, config.psi_beta1) == (0.0008, 0.01, 0.1)
    assert (config.batch_size, config.epochs, config.K, config.features) == (500, 200, 100, "tfidf")
    assert (config.eval_M, config.eval_psi_learning_rate, config.eval_samples) == (100, 0.008, 1)
    assert (config.kl_anneal_steps, config.input_dropout, config.weight_decay) == (0, 0.0, 0.0)
    assert (config.generative_widths, config.inference_widths) == ((400, 400), (400, 400))
    assert config.name == "3-M100-tfidf"
