"""Sweeps: what they keep, what they find again, what they refuse."""

import json
import shutil
import threading
from typing import NamedTuple

import numpy as np
import pytest

from dlgm_jax.errors import Stopped
from experiments.flags.command import parse
from experiments.recipes import keys, sweep
from experiments.workdir.locks import in_turn
from experiments.workdir.workdir import Metrics
from tests.experiments.conftest import results, rows_of


class Run(NamedTuple):
    """As `load_run` gives it."""

    params: object
    model: object = None


def test_what_a_run_measured_is_of_its_best_epoch(tmp_path, monkeypatch):
    values = {1: (None, None), 2: (900.0, 800.04), 3: (850.0, 810.0)}

    def run(argv):
        assert {"--preset=paper", "--score=test", "--seed=3", "--inference_widths=8,8"} < set(argv)
        metrics = Metrics(tmp_path)
        for split, epochs in (("validation", values), ("test", [2])):
            for epoch in epochs:
                names = ("perplexity", "perplexity_refined", "corpus_perplexity", "corpus_perplexity_refined")
                line = dict(zip(names, (*values[epoch], 5.0, 4.0))) | {"seconds": 2.0, "split": split, "epoch": epoch}
                with (tmp_path / "metrics.jsonl").open("a") as file:
                    file.write(json.dumps(line) + "\n")
        assert metrics.read("test")

    monkeypatch.setattr(sweep.train, "main", run)
    monkeypatch.setattr(sweep, "load_run", lambda workdir: Run(None))
    monkeypatch.setattr(sweep, "variants_of", lambda model: ("log",))
    monkeypatch.setattr(sweep, "mean_jacobian", lambda model, params, key, variant: np.eye(3))
    settings = {"dataset": "/a/corpus", "seed": 3, "inference_widths": (8, 8)}
    found = sweep.trained(settings, tmp_path, "test")
    assert found["settings"] == settings | {"dataset": "corpus"}
    assert (found["best_epoch"], found["epochs"], found["seconds"]) == (2, 3, 6.0)
    assert found["scores"] == {"validation": [900.0, 800.0], "test": [900.0, 800.0]}
    assert found["curve"][0] == [1, None, None]
    assert found["log_singular_values"] == [0.0, 0.0, 0.0]


def test_two_sweeps_at_once_keep_what_both_found(nvdm_folder, tmp_path, recipe, made_up, monkeypatch):
    trained, other = sweep.trained, shutil.copytree(nvdm_folder, tmp_path / "other")
    (other / "vocab.new").write_text("".join(f"v{v} 1\n" for v in range(30)))

    def between(*arguments):
        if len(made_up) == 1:
            made_up.append({})
            assert recipe("table1", f"--dataset={other}", f"--folder={tmp_path}")[0] == 0
        return trained(*arguments)

    monkeypatch.setattr(sweep, "trained", between)
    assert recipe("table1", f"--dataset={nvdm_folder}", f"--folder={tmp_path}")[0] == 0
    held = results(tmp_path / "table1.json")
    assert len(held["runs"]) == 16
    assert [title.split(" [")[0] for title in held["tables"]] == [f"Test perplexity on {n}" for n in ("other", "small")]


def test_a_sweep_that_was_stopped_goes_on_and_knows_its_corpus_by_its_counts(
    recipe, nvdm_folder, tmp_path, made_up, monkeypatch
):
    begun, trained = [], sweep.trained

    def stopped(*arguments):
        begun.append(arguments)
        if len(begun) == 3:
            raise Stopped("in epoch 1, after step 4")
        return trained(*arguments)

    monkeypatch.setattr(sweep, "trained", stopped)
    arguments = f"--folder={tmp_path}", "--seeds=2"
    code, _, err = recipe("table1", *arguments, f"--dataset={nvdm_folder}")
    assert (code, err) == (75, "error: stopped in epoch 1, after step 4; the same command goes on from there\n")
    assert [run["row"] for run in results(tmp_path / "table1.json")["runs"]] == ["1-M1-norm", "1-M100-norm"]
    moved = shutil.copytree(nvdm_folder, tmp_path / "elsewhere")
    code, out, err = recipe("table1", *arguments, f"--dataset={moved}")
    assert code == 0, err
    assert len(made_up) == 16
    assert begun[2][0] | {"dataset": ""} == begun[3][0] | {"dataset": ""}
    assert rows_of(out, "Test perplexity on elsewhere")[1] == ["1-M1-norm", "1050.0", "±", "56.6", "850.0", "±", "56.6"]


def test_recipes_that_share_a_file_keep_the_scores_of_each_other(nvdm_folder, tmp_path, recipe, made_up, monkeypatch):
    made, curve = sweep.trained, [[1, 1.0, 1.0]]

    def trained(settings, workdir, score):
        found = made(settings, workdir, score) | {"curve": curve}
        return found | {"corpus": {split: [2.0, 1.0] for split in found["scores"]}}

    def shared():
        runs = results(tmp_path / "shared.json")["runs"]
        both = [run for run in runs if len(run["scores"]) == 3]
        assert all(run["corpus"].keys() == run["scores"].keys() for run in runs)
        return len(runs), both

    monkeypatch.setattr(sweep, "trained", trained)
    where = f"--dataset={nvdm_folder}", f"--folder={tmp_path}", f"--results={tmp_path / 'shared.json'}"
    assert recipe("table1", *where)[0] == 0
    assert recipe("table5", "--epochs=200", *where)[0] == 0
    number, (run,) = shared()
    assert number == 8 + 12 - 1
    assert run["scores"]["validation"] == [1000 - 10 * 13, 800 - 10 * 13]  # as measured last: 13th in all, of table5
    assert run["scores"]["test"] == [1100 - 10 * 7, 900 - 10 * 7]

    held = json.loads((tmp_path / "shared.json").read_text())
    scores = {"validation": [1, 1], "train": [1, 1]}
    held["runs"] = [one | {"scores": scores, "corpus": scores} for one in held["runs"]]
    (tmp_path / "shared.json").write_text(json.dumps(held))
    curve.append([2, 0.5, 0.5])  # as if trained anew, elsewhere
    assert recipe("table1", *where)[0] == 0
    assert all(one["scores"].keys() == {"validation", "test"} for one in results(tmp_path / "shared.json")["runs"][-8:])


def test_whoever_writes_waits_for_the_one_before(tmp_path):
    order = []

    def other():
        with in_turn(tmp_path / "lock"):
            order.append("other")

    thread = threading.Thread(target=other)
    with in_turn(tmp_path / "lock"):
        thread.start()
        thread.join(0.3)
        order.append("one")
    thread.join(10)
    assert order == ["one", "other"]


def test_tables_are_told_apart_by_all_that_was_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some").mkdir()
    own = dict.fromkeys(("workdir", "input", "films", "folder"), (None, "")) | {"samples": (400, "")}
    flags = [f"--input={tmp_path / 'some'},.", "--workdir=a/run", "--seed=0", "--films=Face/Off; Heat, A", "--folder=b"]
    command = parse(["recipe", *flags], about="", own=own, settings=["seed", "eval_M"])
    assert keys.asked(command) == (
        f"--films=Face/Off; Heat, A --input=some,{tmp_path.name} --samples=400 --seed=0 --workdir=a/run"
    )
    films = "; ".join(f"Film {number} (1999)" for number in range(50))
    command = parse(["recipe", f"--films={films}"], about="", own=own, settings=[])
    assert keys.asked(command) == f"--films={films} --samples=400"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds=0"], "--seeds: expected a whole number from 1, found 0"),
        (["--dataset="], "--dataset: expected a corpus, or --rcv1_dir or --imdb, found none"),
        (["--imdb=nowhere"], "--imdb: expected a folder, found no nowhere"),
        (["--rcv1_dir=nowhere"], "--rcv1_dir: expected a folder, found no nowhere"),
        (["--dataset=nowhere"], "--dataset: expected docstrings, 20news or a folder, found"),
        (["--results=damaged.json"], "--results: expected the figures of a recipe, found damaged.json damaged"),
    ],
)
def test_bad_flags_are_one_line(recipe, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "damaged.json").write_text(
        '{"runs": [{"key": "12345678", "scores": {"validation": null}}], "tables": {}}'
    )
    code, _, err = recipe("table1", *arguments)
    assert code == 2
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1


def test_a_vocabulary_that_the_texts_do_not_have_is_one_line(recipe, texts, tmp_path):
    code, _, err = recipe("fig2c", f"--input={texts}", "--vocabularies=12,1000", f"--folder={tmp_path}")
    assert code == 2
    assert "error: --vocabularies: expected at most the 49 words of the texts, found 1,000" in err
    texts.write_text(texts.read_text().replace("wordaa", "elephant", 1))  # a word may occur once
    _, _, err = recipe("fig2c", f"--input={texts}", "--vocabularies=50,1000", f"--folder={tmp_path}")
    assert "at most the 50 words of the texts" in err
    assert "elephant" in next(tmp_path.glob("words-50-*/vocab.txt")).read_text()
    assert recipe("fig2c", f"--input={texts}", "--vocabularies=", f"--folder={tmp_path}")[2] == (
        "error: --vocabularies: expected sizes as 1000,2000, found none\n"
    )


def test_figures_of_before_are_known_by_their_settings():
    """The keys in results/table1.json were taken by these, the dataset by its counts in the place of its name."""
    run = {"dataset": "20news", "epochs": 200, "learning_rate": 0.0008, "inference_widths": (400, 400)}
    deep = sweep.decided(sweep.config_of({"dataset": "20news", "model": 3}))
    assert deep == run | {"generative_widths": (400, 400)}
    linear = sweep.decided(sweep.config_of({"dataset": "20news", "model": 1, "M": 1}))
    assert linear == run | {"generative_widths": (), "model": 1, "M": 1}
    assert "likelihood" not in deep
    assert sweep.decided(sweep.config_of({"dataset": "20news", "model": "vae"}))["likelihood"] == "multinomial"
    wide = sweep.decided(sweep.config_of({"dataset": "20news", "generative_widths": (200,)}))
    assert wide == run | {"generative_widths": (200,), "model": None}
