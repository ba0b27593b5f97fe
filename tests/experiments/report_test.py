"""Words and numbers for people: quantities, and the help of every command."""

import importlib
import pkgutil
import re
from dataclasses import fields

import pytest

import experiments
from dlgm_jax.errors import quantity
from dlgm_jax.evaluation import scoring
from experiments.flags.config import Config
from experiments.report import tables


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (1, "epoch", "1 epoch"),
        (0, "epoch", "0 epochs"),
        (1200, "test document", "1,200 test documents"),
        (1, "query", "1 query"),
        (2, "query", "2 queries"),
        (3, "day", "3 days"),
        (2, "process", "2 processes"),
        (2, "latent dimension", "2 latent dimensions"),
    ],
)
def test_a_quantity_of_one_is_singular(number, noun, text):
    assert quantity(number, noun) == text


def test_the_first_line_counts_one_as_one(command, nvdm_folder, tmp_path):
    sizes = [
        "--K=1",
        "--generative_widths=",
        "--inference_widths=4",
        "--batch_size=500",
        "--valid_size=40",
        "--eval_M=1",
    ]
    arguments = [*sizes, f"--dataset={nvdm_folder}", "--M=2", "--epochs=1", f"--workdir={tmp_path / 'run'}"]
    code, out, err = command("train", *arguments)
    assert code == 0, err
    assert (
        "(360 documents, 30 words) begins: 1 epoch of 1 step, documents refined by adam, 1 gradient evaluation a" in out
    )
    assert " of 1 direction (" in out
    assert not re.search(r"\b1 (?!KL)\w+s\b", out.split("Perplexity")[0])


COMMANDS = [
    name
    for _, name, _ in pkgutil.walk_packages(experiments.__path__, "experiments.")
    if hasattr(importlib.import_module(name), "OWN_FLAGS") and hasattr(importlib.import_module(name), "main")
]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_names_every_flag_apart_from_its_text(name, capsys):
    module = importlib.import_module(name)
    with pytest.raises(SystemExit) as stop:
        module.main([name, "--help"])
    assert stop.value.code == 0
    lines = capsys.readouterr().out.split("Flags, as --name=value:\n")[1].split("\n\n")[0].splitlines()
    names = {match[1] for line in lines if (match := re.match(r"  --(\w+)(  *\S.*)?$", line))}
    assert names >= module.OWN_FLAGS.keys()
    assert max(map(len, lines)) <= 104


def test_a_model_that_knows_less_than_frequencies_is_warned_of_and_refined_scores_name_their_refiner():
    names = [item.name for item in fields(scoring.Scores)]
    scores = dict.fromkeys(names, 1) | {"perplexity_refined": 90.0, "empty_documents": 0}
    scores |= {name: None for name in names if "importance" in name or "full" in name}
    columns = {"validation": scores, "test": scores | {"perplexity_refined": 110.0}}
    config = Config.of(eval_M=13, eval_refiner="fisher")
    table = tables.score_table(columns, {"validation": 100.0, "test": 100.0}, config, "footnote", "unigram model")
    assert "M=13 by fisher, refined" in table
    assert "Warning: on test documents the unigram model is better than the refined one." in table
    fine = tables.score_table({"validation": scores}, {"validation": 100.0}, Config(), "", "unigram model")
    assert "Warning" not in fine
    codes = tables.score_table(columns, {"validation": 1.0, "test": 1.0}, config, "", "unigram model", bounded=False)
    assert "Warning" not in codes  # they do not compare
    rows = tables.row_table({"test": scores | {"bound_refined": -3.0}}, {"test": -2.0}, config, "")
    assert "Warning: on test documents the Gaussian is better than the refined one." in rows
    assert "subtract the means" in rows
    assert "Warning" not in tables.row_table({"test": scores | {"bound_refined": -1.0}}, {"test": -2.0}, config, "")
    assert "M=100, refined" in fine
