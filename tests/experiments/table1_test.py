"""Table 1 and the recipes that train as it does, by runs of toy files and by runs that are made up."""

import json
import shutil

import numpy as np
import pytest

from experiments.recipes import annealing, best, fig2ab, sweep, table1, table5
from experiments.recipes.sweep import Sweep
from experiments.report.page import Table
from tests.experiments.conftest import results, rows_of


def test_table1_and_the_recipes_that_share_its_runs(recipe, nvdm_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(table1, "NVDM", (30, 60))

    def quick(name):
        code, out, err = recipe(name, "--quick", f"--dataset={nvdm_folder}", f"--folder={tmp_path}")
        assert code == 0, err
        return out, results(tmp_path / f"{name}-quick.json")["runs"]

    out, runs = quick("table1")
    check_table1(out, runs, tmp_path)
    assert all(str(nvdm_folder) not in json.dumps(run) for run in runs)
    check_table5(*quick("table5"))
    check_annealing(*quick("annealing"))
    found = quick("best")
    check_best(*found, tmp_path)
    monkeypatch.setattr(sweep.train.loop, "fit", None)  # nothing is trained any more
    monkeypatch.setattr(best, "scored", lambda *_: pytest.fail("scored again"))
    assert quick("best")[1] == found[1]
    moved = shutil.copytree(nvdm_folder, tmp_path / "moved")
    where = [f"--dataset={moved}", f"--folder={tmp_path}", f"--results={tmp_path / 'moved.json'}"]
    code, _, err = recipe("table1", "--quick", *where)
    assert code == 0, err
    assert [run["scores"] for run in results(tmp_path / "moved.json")["runs"]] == [run["scores"] for run in runs]
    assert quick("table1") == (out[out.index("\nTest perplexity") :], runs)
    check_curves(*quick("fig2ab"))
    check_spectra(*quick("fig2de"))
    for name in ("fig2ab", "fig2de"):
        assert (tmp_path / f"{name}-quick-20-Newsgroups.png").read_bytes()[:4] == b"\x89PNG"


def check_table1(out, runs, folder):
    assert [run["row"] for run in runs] == list(table1.PAPER["20 Newsgroups"])
    _, *lines, note = rows_of(out, "Test perplexity on 20 Newsgroups")
    for run, line in zip(runs, lines, strict=True):
        workdir = next(folder.glob(f"*-{run['key']}"))
        test = [json.loads(text) for text in (workdir / "metrics.jsonl").read_text().splitlines()][-1]
        ours = [round(test[name], 1) for name in ("perplexity", "perplexity_refined")]
        assert run["scores"]["test"] == ours
        assert [run["epochs"], len(run["curve"])] == [2, 2]
        paper = table1.PAPER["20 Newsgroups"][run["row"]]
        assert line == [run["row"], *map(cell, ours), *(f"{value:,}" for value in paper)]
    assert note[:3] == ["16", "of", "16"]  # toy documents have 30 words


def test_cells_are_counted_against_the_papers_of_their_column():
    paper = table1.PAPER["20 Newsgroups"]
    done = {name: [{"scores": {"test": [guess, refined + 0.1]}}] for name, (guess, refined) in paper.items()}
    assert table1.table("20 Newsgroups", done).note == "8 of 16 cells are at or below the paper's."
    done = {name: [{"scores": {"test": list(values)}}] for name, values in paper.items()}
    assert table1.table("20 Newsgroups", done).note.startswith("16 of 16")
    done = {name: [{"scores": {"test": list(reversed(values))}}] for name, values in paper.items()}
    assert table1.table("20 Newsgroups", done).note.startswith("8 of 16")


def check_table5(out, runs):
    assert [(run["settings"]["M"], len(run["settings"]["inference_widths"])) for run in runs] == [
        (M, layers) for M in (1, 7) for layers in (1, 2, 3)
    ]  # widths are all 8
    lines = rows_of(out, "Inference networks on 20 Newsgroups")[1:13]
    for place, run in enumerate(runs):
        assert lines[place + 3 * (place > 2)][4:6] == [
            cell(run["scores"][split][1]) for split in ("train", "validation")
        ]


def check_best(out, runs, folder):
    *candidates, _, fisher = runs
    assert [run["row"] for run in candidates] == ["log-linear, K=100", "3-M100"]  # K is 4 for all
    assert all(run["scores"].keys() == {"validation"} for run in candidates)
    chosen = min(candidates, key=lambda run: run["scores"]["validation"][1])
    lines = rows_of(out, "The lowest perplexity on 20 Newsgroups")
    guess, refined = chosen["scores"]["validation"]
    assert lines[1][3] == cell(guess)
    assert lines[2][5] == cell(refined)
    assert " ".join(lines[-1]).startswith(f"Of {chosen['row']}. ")
    shown = list(results(folder / "best-quick.json")["tables"].values())[1]["rows"]
    by = {name: scores for name, *scores in shown}
    assert list(by)[2:] == ["fisher, 20 evaluations", "full covariance, 8 steps"]
    assert by["fisher, 20 evaluations"] == [fisher["scores"][split][1] for split in ("validation", "test")]
    assert by["full covariance, 8 steps"] == fisher["full_covariance"] != by["fisher, 20 evaluations"]
    for tighter in list(by.values())[2:]:
        assert all(one < 1.01 * other for one, other in zip(tighter, by["Adam, 99 steps (the paper's)"], strict=True))


def check_annealing(out, runs):
    first = [run["settings"].get("refined_epochs", 0) for run in runs]
    assert [(run["settings"].get("kl_anneal_steps", 0), epochs) for run, epochs in zip(runs, first, strict=True)] == [
        *((steps, 0) for _ in range(2) for steps in (0, 1)),
        (0, 1),
        (1, 1),
    ]
    assert len({run["key"] for run in runs}) == 6


def check_curves(out, runs):
    curves = {run["row"]: run["curve"] for run in runs}
    header, *lines, _ = rows_of(out, "Validation perplexity on 20 Newsgroups")
    assert header == ["epoch", *curves] == ["epoch", "1-M1-tfidf", "1-M100-tfidf", "3-M1-tfidf", "3-M100-tfidf"]
    for place, line in enumerate(lines):
        assert line == [str(place + 1), *(cell(curve[place][2]) for curve in curves.values())]


def check_spectra(out, runs):
    for run, line in zip(runs, rows_of(out, "J_mean^log on 20 Newsgroups")[1:]):
        values = run["log_singular_values"]
        assert values == sorted(values, reverse=True)
        assert line[:3] == [run["row"], str(sum(value > 0 for value in values)), "4"]


def cell(value):
    """As a table shows a perplexity."""
    return f"{value:.1f}" if value >= 100 else f"{value:.3g}"


def test_figure_2c_prepares_its_vocabulary(recipe, texts, tmp_path):
    code, out, err = recipe("fig2c", "--quick", f"--input={texts}", "--vocabularies=30", f"--folder={tmp_path}")
    assert code == 0, err
    assert len(next(tmp_path.glob("words-30-*/vocab.txt")).read_text().split()) == 30
    plain, refined = (run["scores"]["validation"][1] for run in results(tmp_path / "fig2c-quick.json")["runs"])
    _, line, _ = rows_of(out, "Held-out perplexity by the size of the vocabulary")
    assert line[:3] == ["30", f"{plain:.3g}", f"{refined:.3g}"]
    np.testing.assert_allclose(float(line[3]), 100 * (plain / refined - 1), atol=5e-3)


def test_figure_2c_shows_the_gain_of_every_seed(recipe, texts, tmp_path, made_up):
    sizes = "--vocabularies=12,30"
    code, out, err = recipe("fig2c", f"--input={texts}", sizes, "--seeds=2", f"--folder={tmp_path}")
    assert code == 0, err
    assert [(run["M"], run["seed"]) for run in made_up] == [(1, 0), (13, 0), (1, 1), (13, 1)] * 2
    first = [100 * (790 / 780 - 1), 100 * (770 / 760 - 1)]
    shown = f"{np.mean(first):.1f} ± {np.std(first, ddof=1):.1f}"
    assert rows_of(out, "Held-out perplexity by the size of the vocabulary")[1] == (
        f"12 780.0 ± 14.1 770.0 ± 14.1 {shown} -".split()
    )


def test_table5_says_how_far_networks_lie_apart(recipe, nvdm_folder, tmp_path, made_up):
    code, out, err = recipe("table5", f"--dataset={nvdm_folder}", f"--folder={tmp_path}", "--epochs=3")
    assert code == 0, err
    shapes = [(width,) * layers for width in (100, 400) for layers in (1, 2, 3)]
    assert [run["inference_widths"] for run in made_up] == shapes * 2
    assert [run["M"] for run in made_up] == [1] * 6 + [13] * 6
    assert all(run["epochs"] == 3 and run["model"] == 3 for run in made_up)
    lines = rows_of(out, "Inference networks on small")
    assert lines[1][4:6] == ["590.0", "790.0"]
    apart = f"M1 {100 * (790 / 740 - 1):.1f}%, M100 {100 * (730 / 680 - 1):.1f}%"
    assert f"{apart} (the paper: 19.6%, 1.2%)" in " ".join(out.split())
    for trained, said in (("M1", 19.6), ("M100", 1.2)):
        values = [pair[1] for (name, _), pairs in table5.PAPER.items() if name == trained for pair in pairs]
        assert round(100 * (max(values) / min(values) - 1), 1) == said


def test_annealing_takes_a_tenth_or_half_of_the_steps_and_refinement_an_eighth_of_the_epochs():
    asked = [row.settings for row in annealing.rows({"epochs": 40}, 200)]
    assert [how.get("kl_anneal_steps", 0) for how in asked] == [0, 20, 100, 0, 20, 0, 20]
    assert [how.get("refined_epochs", 0) for how in asked] == [0] * 5 + [5] * 2
    assert [how["M"] for how in asked] == [1] * 3 + [13] * 4


def test_annealing_counts_its_steps(recipe, nvdm_folder, tmp_path, made_up):
    code, out, err = recipe("annealing", "--quick", f"--dataset={nvdm_folder}", f"--folder={tmp_path}", "--epochs=40")
    assert code == 0, err
    # of two steps a tenth and a half are one: the rows share a run
    assert [run.get("kl_anneal_steps", 0) for run in made_up] == [0, 1] * 3
    assert [run.get("refined_epochs", 0) for run in made_up] == [0] * 4 + [1] * 2
    lines = rows_of(out, "Annealing and refinement on small")
    assert len(lines) == 1 + 7 + 1
    assert lines[1][1:] == ["790.0", "1,090.0", "890.0", "2", "1"]


def test_curves_show_the_mean_of_the_seeds(recipe, nvdm_folder, tmp_path, made_up, monkeypatch):
    drawn = {}
    monkeypatch.setattr(fig2ab, "plot_lines", lambda path, lines, **_: drawn.update(lines))
    code, out, err = recipe("fig2ab", f"--dataset={nvdm_folder}", f"--folder={tmp_path}", "--seeds=2")
    assert code == 0, err
    assert drawn["3-M100-tfidf"] == [(1, 1900.0), (2, 800.0 - 10 * (4 + 8) / 2), (3, 1400.0)]
    assert rows_of(out, "Validation perplexity on small")[2][1:] == ["770.0", "760.0", "750.0", "740.0"]


def test_table1_by_our_own_settings(recipe, nvdm_folder, tmp_path, made_up):
    for ours in ([], ["--ours"]):
        code, out, _ = recipe("table1", f"--dataset={nvdm_folder}", f"--folder={tmp_path}", *ours)
        assert code == 0
        assert f"Test perplexity on small{' by our settings' * bool(ours)}\n" in out
    theirs, ours = made_up[:8], made_up[8:]
    for one, other in zip(theirs, ours, strict=True):
        assert other.pop("epochs") <= one.pop("epochs") * 2
        own = table1.OURS_BY_ROW[one["model"], "M1" if one["M"] == 1 else "M100"]
        assert other == one | table1.OURS | own
    held = results(tmp_path / "table1.json")
    assert len(held["runs"]) == 16
    assert len(held["tables"]) == 2
    assert recipe("table1", f"--dataset={nvdm_folder}", f"--folder={tmp_path}", "--adam")[0] == 0
    assert [(run["model"], run["M"], "refiner" in run) for run in made_up[16:]] == [
        (1, 100, False),
        (3, 100, False),
    ] * 2


def test_table1_of_other_corpora(recipe, nvdm_folder, tmp_path, made_up, monkeypatch):
    prepared = []
    monkeypatch.setattr(Sweep, "prepared", lambda sweep, *flags: (prepared.append(flags), str(nvdm_folder))[1])
    where = "--dataset=", f"--folder={tmp_path}"
    code, out, err = recipe("table1", *where, f"--imdb={nvdm_folder}", f"--rcv1_dir={tmp_path}")
    assert code == 0, err
    assert prepared == [("rcv1", f"--input={tmp_path}", "--format=lyrl2004", "--vocab_size=10000", "--test_size=10000")]
    assert [(run["epochs"], run.get("valid_size")) for run in made_up] == [(200, 5000)] * 8 + [(10, None)] * 8
    lines = rows_of(out, "Test perplexity on RCV1-v2")
    assert lines[8] == ["3-M100-tfidf", "1,020.0", "820.0", "377", "327"]
    assert lines[9][:3] == ["0", "of", "16"]
    assert rows_of(out, "Test perplexity on film reviews")[1:] == [
        [run["row"], f"{1100 - 10 * place:,.1f}", f"{900 - 10 * place:.1f}"]
        for place, run in enumerate(results(tmp_path / "table1.json")["runs"][8:], 9)
    ]


def test_the_best_is_chosen_on_validation(recipe, nvdm_folder, tmp_path, made_up, monkeypatch):
    monkeypatch.setattr(best, "CANDIDATES", {"20 Newsgroups": {name: {"K": K} for name, K in zip("abc", (2, 3, 4))}})
    monkeypatch.setattr(Sweep, "folders", lambda self, rows: {row.name: tmp_path for row in rows})
    better = iter((700.0, 650.0, 680.0))
    trained = sweep.trained

    def worse_at_last(*arguments):
        found = trained(*arguments)
        found["scores"]["validation"][1] = next(better)
        return found

    monkeypatch.setattr(sweep, "trained", worse_at_last)
    asked = []

    monkeypatch.setattr(best, "load_run", str)

    def tested(sweep, corpus, chosen, run):
        asked.append(chosen)
        return Table("of the chosen", "", ("evaluation",), [])

    monkeypatch.setattr(best, "tested", tested)
    code, out, err = recipe("best", f"--dataset={nvdm_folder}", f"--folder={tmp_path}")
    assert code == 0, err
    assert asked == ["b"]
    assert [line[0] for line in rows_of(out, "Validation perplexity on small")[1:4]] == ["a", "b", "c"]
    assert "of the chosen" in out
