"""Backends, paths and streams of other machines."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import jax
import pytest

from dlgm_jax.data import datasets, docstrings, places
from dlgm_jax.errors import BadInput
from experiments import train
from experiments.flags import command as command_line
from experiments.workdir.streams import Lasting, lasting
from tests.experiments.conftest import SMALL

ROOT = Path(__file__).parent.parent.parent
SURROGATE = os.fsdecode(b"caf\xe9")  # the bytes of a path that are no UTF-8, as Python reads them


def shell(arguments, *, stdout=subprocess.PIPE, stderr=subprocess.PIPE, streams="", **environment):
    """A command as from a shell, in a process of its own: what it printed, and its exit code."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, "-m", *arguments],
        cwd=ROOT,
        stdout=stdout,
        stderr=stderr,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | environment,
        check=False,
    )


@pytest.fixture
def toy(nvdm_folder, tmp_path):
    """The flags of a run of two epochs."""
    return [*SMALL, f"--dataset={nvdm_folder}", "--M=1", "--epochs=2", f"--workdir={tmp_path / 'run'}"]


@pytest.mark.parametrize("name", ["train", "evaluate", "introspect"])
def test_a_backend_that_cannot_start_is_one_line(name, finished, toy):
    arguments = toy if name == "train" else [f"--workdir={finished[0]}"]
    for platform in ["cuda", "nonsense"][: 2 if name == "train" else 1]:
        done = shell([f"experiments.{name}", *arguments], JAX_PLATFORMS=platform)
        last = done.stderr.decode().splitlines()
        said = f"error: JAX_PLATFORMS: expected a platform that starts here (cpu), found '{platform}'"
        assert (done.returncode, last) == (2, [said])


def test_a_backend_is_tried_before_the_corpus_is_read(command, toy, monkeypatch):
    def broken(*_):
        raise RuntimeError("Unable to initialize backend")

    monkeypatch.setattr(datasets, "load", lambda name: pytest.fail("was read"))
    monkeypatch.setattr(jax, "devices", broken)
    monkeypatch.setattr(command_line, "no_backend", lambda: "JAX_PLATFORMS: expected another")
    code, _, err = command("train", *toy)
    assert (code, err) == (2, "error: JAX_PLATFORMS: expected another\n")


def test_an_error_of_ours_is_not_taken_for_one_of_the_backend():
    assert command_line.no_backend() == ""


@pytest.mark.parametrize("name", ["train", "prepare", "transform"])
def test_places_that_cannot_be_written_to_are_said_before_anything_is_read(
    command, finished, toy, tmp_path, name, monkeypatch
):
    monkeypatch.setattr(datasets, "load", lambda name: pytest.fail("was read"))
    (tmp_path / "file").write_text("")
    source = tmp_path / "texts.jsonl"
    source.write_text('{"text": "a river"}\n' * 9)
    for place, what in ((tmp_path / "file" / "x.csv", "which is none"), (Path("/proc/x/y.csv"), "can be written to")):
        arguments, flag = {
            "train": ([*toy[:-1], f"--workdir={place}"], "--workdir"),
            "prepare": ([f"--input={source}", f"--output={place}"], "--output"),
            "transform": ([f"--workdir={finished[0]}", f"--input={source}", f"--output={place}"], "--output"),
        }[name]
        code, out, err = command(name, *arguments)
        assert (code, err.count("\n")) == (2, 1)
        assert err.startswith(f"error: {flag}: expected a")
        assert what in err
        assert "Reads" not in out


def test_a_cache_that_cannot_be_written_to_is_said_before_anything_is_read(command, toy, finished, monkeypatch):
    monkeypatch.setattr(datasets, "load", lambda name: pytest.fail("was read"))
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/x")
    for name, arguments in (("train", toy), ("evaluate", [f"--workdir={finished[0]}"])):
        code, _, err = command(name, *arguments)
        assert code == 2
        assert err.startswith("error: XDG_CACHE_HOME: expected a place that can be written to, found /proc/x/dlgm-jax")
    monkeypatch.setattr(docstrings, "build", lambda: pytest.fail("was read"))
    with pytest.raises(BadInput, match="XDG_CACHE_HOME: expected a place that can be written to"):
        datasets.load_docstrings()


def test_a_place_is_known_by_a_file_that_leaves_no_trace(tmp_path):
    places.check_writable(tmp_path / "a" / "b", "--output")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    with pytest.raises(BadInput, match=r"--output: expected a folder, found .*nowhere, which is none"):
        places.check_writable(tmp_path / "nowhere" / "x", "--output")


def test_workdirs_and_caches_are_in_utf8(command, toy, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "load", lambda name: pytest.fail("was read"))
    (tmp_path / SURROGATE).mkdir()
    code, _, err = command("train", *toy[:-1], f"--workdir={tmp_path / SURROGATE / 'run'}")
    assert code == 2
    assert err == f"error: --workdir: expected a path in UTF-8, found {tmp_path}/caf\\xe9/run\n"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / SURROGATE))
    code, _, err = command("train", *toy)
    assert code == 2
    assert err.startswith(f"error: XDG_CACHE_HOME: expected a path in UTF-8, found {tmp_path}/caf\\xe9")


def test_inputs_and_corpora_lie_anywhere(command, toy, tmp_path):
    """Their bytes need be no UTF-8: they are read and written by Python alone."""
    folder = tmp_path / SURROGATE
    folder.mkdir()
    lines = (f'{{"text": "river bank water {"fish" * (n % 2)} loan"}}\n' for n in range(120))
    (folder / "texts.jsonl").write_text("".join(lines))
    flags = [f"--input={folder / 'texts.jsonl'}", f"--output={folder / 'corpus'}", "--min_count=1", "--test_size=20"]
    code, _, err = command("prepare", *flags)
    assert code == 0, err
    arguments = [flag for flag in toy if not flag.startswith("--dataset")]
    code, _, err = command("train", *arguments, f"--dataset={folder / 'corpus'}")
    assert code == 0, err
    assert json.loads((tmp_path / "run" / "config.json").read_text())["dataset"] == str(folder / "corpus")
    code, _, err = command("introspect", f"--workdir={tmp_path / 'run'}", "--map_words=0")
    assert code == 0, err
    code, again, _ = command("train", *arguments, f"--dataset={folder / 'corpus'}")
    assert (code, again) == (0, (tmp_path / "run" / "report.txt").read_text())


def test_ascii_systems_read_paths_of_other_letters(toy, tmp_path):
    """In UTF-8 where Python is told so; else it is said how."""
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    arguments = ["experiments.train", *toy[:-1], f"--workdir={tmp_path / 'café'}"]
    refused = shell(arguments, **ascii_only)
    assert refused.returncode == 2
    assert refused.stderr.decode().endswith("; paths are ascii here, which PYTHONUTF8=1 changes\n")
    assert not (tmp_path / "café").exists()
    assert shell(arguments, **ascii_only | {"PYTHONUTF8": "1"}).returncode == 0
    assert (tmp_path / "café" / "report.txt").exists()


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_stop_no_run(toy, tmp_path, closed):
    done = shell(["experiments.train", *toy], streams=closed)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr.decode()
    assert (tmp_path / "run" / "report.txt").exists()


@pytest.mark.parametrize("gone", ["stdout", "stderr"])
def test_a_run_whose_reader_goes_away_trains_on_and_saves(toy, tmp_path, gone):
    ears, mouth = os.pipe()
    os.close(ears)
    done = shell(["experiments.train", *toy], **{gone: mouth})
    os.close(mouth)
    assert done.returncode == 0
    assert "Traceback" not in ((done.stderr or b"") + (done.stdout or b"")).decode()
    assert "rror" not in (done.stderr or b"").decode()
    assert (tmp_path / "run" / "report.txt").exists()


def test_a_reader_of_help_that_goes_away_sees_no_traceback():
    ears, mouth = os.pipe()
    os.close(ears)
    done = shell(["experiments.train", "--help"], stdout=mouth)
    os.close(mouth)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk_is_no_reader_that_went_away(finished):
    with open("/dev/full", "w") as full:
        done = shell(["experiments.evaluate", f"--workdir={finished[0]}"], stdout=full)
    assert done.returncode == 2
    assert done.stderr.decode().endswith("No space left on device\n")


class Notebook(io.TextIOBase):
    """A stream that has neither a number nor an encoding to change, as a notebook's."""

    def __init__(self):
        self.texts = []

    def write(self, text):
        self.texts.append(text)
        return len(text)


def test_a_notebook_s_streams_and_a_second_call(toy, tmp_path, monkeypatch):
    out, err = Notebook(), Notebook()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    train.main(["train", *toy])
    first = "".join(out.texts)
    assert first.endswith("larger --epochs.\n")
    train.main(["train", *toy])
    assert "".join(out.texts).removeprefix(first) == (tmp_path / "run" / "report.txt").read_text()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    with lasting():
        print("here")
    assert sys.stdout is out
    assert out.texts[-2:] == ["here", "\n"]


def test_a_run_in_a_thread_leaves_signals_alone(toy, tmp_path, capsys):
    thread = threading.Thread(target=train.main, args=(["train", *toy],))
    thread.start()
    thread.join()
    said = [line for line in capsys.readouterr().out.splitlines() if "signals" in line]
    assert said == [
        "Note: signals are left alone, since this is not the main thread; checkpoints are written as always."
    ]
    assert (tmp_path / "run" / "report.txt").exists()


def test_a_lasting_stream_gives_what_it_can():
    inner = io.StringIO()
    stream = Lasting(inner)
    assert stream.write("abc") == 3
    stream.flush()
    assert (inner.getvalue(), stream.getvalue()) == ("abc", "abc")
