"""A user's mistake is one line on stderr and exit code 2, never a traceback."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dlgm_jax.models.registry import MODELS
from experiments.flags.config import PRESETS, Config, all_settings
from tests.experiments.conftest import SMALL

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--dataset=nowhere", "--dataset: expected docstrings, 20news or a folder, found '"),
        ("--M=0", "--M: expected a whole number from 1 to 2147483647, found 0"),
        ("--K=-3", "--K: expected a whole number from 1 to 100,000, found -3"),
        ("--K=many", "flag --K=many"),
        ("--K=99999999999999", "--K: expected a whole number from 1 to 100,000"),
        ("--kl_anneal_steps=4294967295", "--kl_anneal_steps: expected a whole number from 0 to 2147483647"),
        ("--generative_widths=4_0", "--generative_widths: expected widths as 400,400 or nothing, found '4_0'"),
        ("--generative_widths=,,", "--generative_widths: expected widths as 400,400 or nothing, found ',,'"),
        ("--dataset=", "--dataset: expected a name or a folder, found ''"),
        ("--dataset=" + "x" * 300, "--dataset: expected docstrings, 20news or a folder"),
        ("--undefok=zzz", "undefok"),
        ("--generative_widths=" + "9" * 5000, "--generative_widths: expected widths as 400,400"),
        ("--model=2", "--model: expected 1, 3, ae, dae, vae, found '2'"),
        ("--features=bag", "--features: expected one of tfidf, tfidf_smooth, norm, counts, found 'bag'"),
        ("--learning_rate=0", "--learning_rate: expected a number above 0, found 0.0"),
        ("--learning_rate=nan", "--learning_rate: expected a number above 0, found nan"),
        ("--learning_rate=inf", "--learning_rate: expected a number above 0, found inf"),
        ("--input_dropout=1", "--input_dropout: expected a number from 0 to below 1, found 1.0"),
        ("--psi_beta1=1.5", "--psi_beta1: expected a number from 0 to below 1, found 1.5"),
        ("--weight_decay=-1", "--weight_decay: expected a number from 0, found -1.0"),
        ("--generative_widths=400,x", "--generative_widths: expected widths as 400,400 or nothing, found '400,x'"),
        ("--inference_widths=0", "--inference_widths: expected whole numbers from 1 to 100,000, found (0,)"),
        ("--activation=sine", "--activation: expected one of relu"),
        ("--preset=mine", "--preset: expected one of default, paper, found 'mine'"),
        ("--seed=-1", "--seed: expected a whole number from 0 to 2147483647, found -1"),
        ("--valid_size=400", "--valid_size: expected 1 to 399"),
        ("--refiner=newton", "--refiner: expected one of adam, fisher, found 'newton'"),
        ("--refiner=fisher", "--M: expected an odd number as 13, two evaluations a step of fisher, found 100"),
        (
            "--eval_refiner=fisher",
            "--eval_M: expected an odd number as 13, two evaluations a step of fisher, found ",
        ),
        ("--precision=half", "--precision: expected one of float32, tf32, bf16, found 'half'"),
        ("--precision=bf16", "--precision: expected float32 on a CPU, found bf16"),
        ("--refiner=fisher --M=13 --psi_learning_rate=0.1", "--psi_learning_rate: expected to go with --refiner=adam"),
        ("--eval_refiner=fisher --eval_M=13 --eval_psi_learning_rate=0.1", "--eval_psi_learning_rate: expected to go"),
        ("--refiner=fisher --M=13 --eval_refiner=fisher --eval_M=13 --psi_beta1=0.5", "--psi_beta1: expected to go"),
        ("--no_such_flag=1", "no_such_flag"),
        ("surplus", "expected flags as --name=value, found 'surplus'"),
    ],
)
def test_flags(command, nvdm_folder, tmp_path, flag, message):
    dataset = [] if "dataset" in flag else [f"--dataset={nvdm_folder}"]
    code, _, err = command("train", *dataset, f"--workdir={tmp_path / 'run'}", *flag.split())
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
    assert str(tmp_path / "file") in err


def test_a_corpus_of_empty_documents(command, tmp_path):
    (tmp_path / "vocab.txt").write_text("a\nb\n")
    (tmp_path / "train.feat").write_text("1\n" * 10)
    (tmp_path / "test.feat").write_text("1 1:1\n")
    code, _, err = command("train", f"--dataset={tmp_path}", "--valid_size=3", f"--workdir={tmp_path / 'run'}")
    assert code == 2
    assert "expected words in the train documents, found only empty ones" in err


DAMAGE = [
    ("config.json", '{"K": 3}'),
    ("config.json", "[]"),
    ("config.json", '"K"'),
    ("config.json", None),
    ("environment.json", "{"),
    ("environment.json", "[]"),
    ("environment.json", "{}"),
    ("idf.npy", ""),
    ("idf.npy", "PK garbage"),
    ("config.json", "[" * 100_000),
    ("vocab.txt", "w0\n"),
]


@pytest.fixture(scope="module")
def small_run(tmp_path_factory, nvdm_folder):
    workdir = tmp_path_factory.mktemp("runs") / "run"
    arguments = [*SMALL, f"--dataset={nvdm_folder}", "--M=1", "--epochs=1"]
    subprocess.run(
        [sys.executable, "-m", "experiments.train", *arguments, f"--workdir={workdir}"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return workdir, arguments


@pytest.mark.parametrize(("name", "text"), DAMAGE)
def test_a_damaged_workdir_is_one_line(command, small_run, tmp_path, name, text):
    workdir, arguments = tmp_path / "run", small_run[1]
    shutil.copytree(small_run[0], workdir)
    (workdir / name).unlink()
    if text is None:
        (workdir / name).mkdir()
    else:
        (workdir / name).write_text(text)
    code, _, err = command("evaluate", f"--workdir={workdir}")
    assert (code, err.count("\n")) == (2, 1), err
    assert err.startswith("error: ")
    if name.endswith(".json"):
        code, _, err = command(
            "train", *[a for a in arguments if "epochs" not in a], "--epochs=2", f"--workdir={workdir}"
        )
        assert (code, err.count("\n")) == (2, 1), err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("K", "3"),
        ("K", 4),
        ("generative_widths", 5),
        ("inference_widths", ["a"]),
        ("activation", "foo"),
        ("activation", []),
        ("learning_rate", 10**400),
        ("epochs", "1"),
        ("seed", 1.5),
    ],
)
def test_a_config_json_of_other_types_is_one_line(command, small_run, tmp_path, name, value):
    workdir = tmp_path / "run"
    shutil.copytree(small_run[0], workdir)
    config = json.loads((workdir / "config.json").read_text()) | {name: value}
    (workdir / "config.json").write_text(json.dumps(config))
    code, _, err = command("evaluate", f"--workdir={workdir}")
    assert (code, err.count("\n")) == (2, 1), err


@pytest.mark.parametrize("text", ["nonsense\n", "{}\n", "[1]\n"])
def test_damaged_metrics_name_the_line(command, small_run, tmp_path, text):
    workdir, arguments = tmp_path / "run", small_run[1]
    shutil.copytree(small_run[0], workdir)
    (workdir / "metrics.jsonl").write_text(text)
    code, _, err = command("train", *[a for a in arguments if "epochs" not in a], "--epochs=2", f"--workdir={workdir}")
    assert code == 2
    assert "metrics.jsonl:1: expected a measurement" in err


def test_a_best_model_of_other_shapes_is_one_line_also_from_a_shell(small_run, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(small_run[0], workdir)
    config = json.loads((workdir / "config.json").read_text()) | {"K": 4}
    (workdir / "config.json").write_text(json.dumps(config))
    done = subprocess.run(
        [sys.executable, "-m", "experiments.evaluate", f"--workdir={workdir}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "expected a whole checkpoint of this model" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_named_corpus_wins_over_a_folder_of_that_name(monkeypatch, tmp_path):
    (tmp_path / "20news").mkdir()
    monkeypatch.chdir(tmp_path)
    assert Config.of(dataset="20news").dataset == "20news"
    assert Config.of(dataset="other").dataset == str(tmp_path / "other")


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
    for arguments in ([], ["--workdir="]):
        code, _, err = command("evaluate", *arguments)
        assert code == 2
        assert "--workdir: expected a folder" in err
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
    assert all(f"--{item.name} " in out for item in all_settings())
    assert all(f"  {name:<8}{entry.about}" in out for name, entry in MODELS.items())


def test_from_a_shell():
    done = subprocess.run(
        [sys.executable, "-m", "experiments.train", "--M=0"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "error: --M: expected a whole number from 1 to 2147483647, found 0\n"


def test_the_paper_s_preset_is_the_paper_s_settings():
    config = Config.of(**PRESETS["paper"], model=3, M=100)
    assert (config.learning_rate, config.psi_learning_rate, config.psi_beta1) == (0.0008, 0.01, 0.1)
    assert (config.batch_size, config.epochs, config.settings.K, config.features) == (500, 200, 100, "tfidf")
    assert (config.eval_M, config.eval_psi_learning_rate, config.eval_samples) == (100, 0.008, 1)
    assert (config.kl_anneal_steps, config.input_dropout, config.weight_decay) == (0, 0.0, 0.0)
    assert (config.settings.generative_widths, config.settings.inference_widths) == ((400, 400), (400, 400))
    assert config.name == "3-M100-tfidf"
