"""The rows of a table: runs, trained one after another, whose figures are kept as they come."""

import contextlib
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import jax
import numpy as np

from dlgm_jax import load_run
from dlgm_jax.data import datasets
from dlgm_jax.data.inputs import TEXT, looks_like
from dlgm_jax.data.places import check_utf8, check_writable
from dlgm_jax.data.source import Reading
from dlgm_jax.data.words import ASCII_WORD
from dlgm_jax.errors import BadInput, quantity
from dlgm_jax.introspection.jacobian import mean_jacobian, variants_of
from dlgm_jax.introspection.spectrum import log_singular_values
from dlgm_jax.models import registry
from dlgm_jax.storage.files import write_whole
from dlgm_jax.storage.run import read_config
from experiments import prepare, train
from experiments.flags.command import Command
from experiments.flags.config import PRESETS, Config, own_of_runs
from experiments.recipes.keys import asked, digest, state
from experiments.report.page import Table, plain
from experiments.workdir.assembly import INTROSPECT, prepare_runtime
from experiments.workdir.locks import in_turn
from experiments.workdir.surroundings import surroundings
from experiments.workdir.workdir import Metrics

FLAGS = {
    "seeds": (1, "runs of each row, with the seeds 0, 1, ...; more than one shows a spread"),
    "quick": (False, "small layers and two epochs, to see that it runs; its figures mean nothing"),
    "folder": ("runs/recipes", "where runs, tables and pictures go"),
    "results": (None, "the JSON file of the figures; unset: <folder>/<recipe>.json"),
}
JUDGED = {  # of recipes that look into trained models
    "workdir": (None, "folders of runs of your own, by commas, to look into instead of training"),
    **{name: flag for name, flag in FLAGS.items() if name != "seeds"},
}
SMALL: dict[str, Any] = {"K": 4, "epochs": 2, "eval_M": 5, "valid_size": 40}  # of --quick
WIDTHS = ("generative_widths", "inference_widths")
LEAST = {"adam": 3, "fisher": 7}  # M of --quick

Figures = dict[str, Any]  # of one run, as the JSON file holds them


@dataclass(frozen=True)
class Row:
    """A run by its name in a table, and the fields of its Config that are not as in --preset=paper."""

    name: str
    settings: dict[str, Any]

    def chosen(self, seed: int, quick: bool) -> dict[str, Any]:
        """The settings of the run with this seed."""
        if not quick:
            return self.settings | {"seed": seed}
        whole = config_of(self.settings)
        less = SMALL | {"M": min(whole.M, LEAST[whole.refiner]), "seed": seed}
        less["refined_epochs"] = min(whole.refined_epochs, 1)
        for name in WIDTHS:
            if hasattr(whole.settings, name):
                less[name] = (8,) * len(getattr(whole.settings, name))
        named = isinstance(whole.model, str)  # others are what their widths say
        return {name: value for name, value in self.settings.items() if named or name != "model"} | less


class Sweep:
    """The runs of a recipe. What the JSON file already holds is not run again; a run that was stopped goes on."""

    def __init__(self, recipe: str, command: Command):
        self.quick, self.folder = command.own["quick"], Path(command.text("folder"))
        seeds = range(command.number("seeds")) if "seeds" in command.own else [command.given.get("seed", 0)]
        self.seeds, self._corpora = seeds, dict[str, str]()
        given = command.own["results"]
        self.path = Path(given) if given else self.folder / f"{recipe}{'-quick' * self.quick}.json"
        check_utf8(self.folder, "--folder")
        for flag, place in (("--folder", self.folder), ("--results", self.path.parent)):
            check_writable(place, flag)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = self.path.with_name(f".{self.path.name}.lock")
        self.figures, _ = read(self.path)
        self._asked = asked(command)
        self.workdirs: dict[str, Path] = {}  # of the rows with the first seed, by name
        prepare_runtime()

    def prepared(self, name: str, *flags: str) -> str:
        """The folder of a corpus that `prepare` writes by these flags, or wrote before from files like these.

        Texts are cut by the ASCII pattern, by which every figure of the recipes was taken.
        """
        counts = self.folder / f"{name}-{digest([state(flag) for flag in flags])}"
        if not counts.exists():
            path = Path(next(flag for flag in flags if flag.startswith("--input=")).removeprefix("--input="))
            of_texts = path.exists() and looks_like(path, Reading()) == TEXT
            pattern = [f"--token_pattern={ASCII_WORD}"] if of_texts else []
            prepare.main(["prepare", *flags, *pattern, f"--output={counts}"])
        return str(counts)

    def run(self, rows: Sequence[Row], *, score: str = "test", models: bool = False) -> dict[str, list[Figures]]:
        """The figures of every row, by its name, one for each seed; with `models` the folders of all runs are there.

        Raises BadInput and what a run raises.
        """
        todo = [(row, row.chosen(seed, self.quick)) for seed in self.seeds for row in rows]
        done: dict[str, list[Figures]] = {row.name: [] for row in rows}
        wanted = {"validation", *filter(None, score.split(","))}
        for number, (row, settings) in enumerate(todo, 1):
            config = config_of(settings)
            key = self._key(decided(config))
            found = self._found(key, wanted)
            workdir = self.folder / f"{config.name}-{key}"
            if config.seed == self.seeds[0]:
                self.workdirs[row.name] = workdir
            if found is None or (models and not (workdir / "report.txt").exists()):
                if not (workdir / "report.txt").exists():  # another recipe may have trained it
                    print(
                        f"[{number}/{len(todo)}] {row.name}, seed {config.seed}: "
                        f"{quantity(config.epochs, 'epoch')} in {workdir}/"
                    )
                found = {"row": row.name, "key": key} | trained(
                    settings | self._held_by(workdir, config.dataset), workdir, score
                )
                self.keep(found)
            done[row.name].append(found)
        return done

    def folders(self, rows: Sequence[Row]) -> dict[str, Path]:
        """The folders of the runs of these rows, by name; what is not there yet is trained."""
        self.run(rows, score="", models=True)
        return {row.name: self.workdirs[row.name] for row in rows}

    def measured(self, name: str, settings: dict[str, Any], measure: Callable[[], Figures]) -> Figures:
        """The figures of a row that is no run of ours, by its settings and the counts of its dataset."""
        key = self._key(settings)
        found = self._found(key, {"validation", "test"})
        if found is None:
            print(f"{name}, seed {settings['seed']} ...", flush=True)
            shown = settings | {"dataset": Path(settings["dataset"]).name}
            found = {"row": name, "key": key, "settings": shown} | measure()
            self.keep(found)
        return found

    def keep(self, figures: Figures) -> None:
        """Adds figures to the JSON file: to the scores of other splits, where it holds the same training."""
        with in_turn(self._lock):
            self.figures, tables = read(self.path)
            before = next((one for one in self.figures if one["key"] == figures["key"]), {})
            if before.get("curve") == figures.get("curve"):
                for form in figures.keys() & before.keys() & {"scores", "corpus"}:
                    figures[form] = before[form] | figures[form]
            self.figures = [one for one in self.figures if one["key"] != figures["key"]] + [figures | taken()]
            self._write(tables)

    def show(self, table: Table) -> None:
        """Prints a table and puts it into the JSON file."""
        rows = [list(map(known, row)) for row in table.rows]
        with in_turn(self._lock):
            self.figures, tables = read(self.path)
            shown = {"note": table.note, "header": table.header, "rows": rows}
            tables[f"{table.title} [{self._asked}]"] = shown | taken()
            self._write(tables)
        print(f"\n{plain(table)}\n\nWritten to {self.path}", flush=True)

    def picture(self, name: str) -> Path:
        """Where a picture goes that belongs to the JSON file."""
        return self.path.with_name(f"{self.path.stem}-{name.replace(' ', '-')}.png")

    def _write(self, tables: dict[str, dict[str, Any]]) -> None:
        runs = ",\n".join(map(json.dumps, self.figures))
        shown = ",\n".join(f"{json.dumps(title)}: {json.dumps(one)}" for title, one in tables.items())
        write_whole(self.path, f'{{"runs": [\n{runs}\n],\n"tables": {{\n{shown}\n}}}}\n')

    def _found(self, key: str, wanted: set[str]) -> Figures | None:
        """What the JSON file holds by this key, when it has scores of these splits."""
        return next((one for one in self.figures if one["key"] == key and one["scores"].keys() >= wanted), None)

    def _key(self, settings: dict[str, Any]) -> str:
        """The same for the same settings on the same counts, wherever these lie."""
        return digest(settings | {"dataset": self._counts(settings["dataset"])})

    def _counts(self, dataset: str) -> str:
        """The digests of the documents of a dataset."""
        if dataset not in self._corpora:
            loaded = datasets.load(dataset)
            self._corpora[dataset] = loaded.train.fingerprint() + loaded.test.fingerprint()
        return self._corpora[dataset]

    def _held_by(self, workdir: Path, dataset: str) -> dict[str, Any]:
        """The dataset of a run that is there, while it holds the same counts: by another name of them the run would
        have moved, and be scored again.
        """
        if not (workdir / "config.json").exists():
            return {}
        there = read_config(workdir)["dataset"]
        try:
            return {"dataset": there} if self._counts(there) == self._counts(dataset) else {}
        except BadInput:
            return {}


def known(value: object) -> object:
    """A cell for JSON, which has neither NaN nor infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def config_of(settings: dict[str, Any]) -> Config:
    """The paper's settings, or where they differ the model's own, with these on top. Raises BadInput."""
    return Config.of(**(PRESETS["paper"] | own_of_runs(settings.get("model", registry.DEFAULT)) | settings))


def decided(config: Config) -> dict[str, Any]:
    """The settings that are not as by default, the dataset, and the widths, by which figures of before are known."""
    kept = (*WIDTHS, "likelihood") if isinstance(config.model, str) else WIDTHS  # figures of named models hold it
    default = {name: value for name, value in Config().to_json().items() if name not in kept}
    own = {name: value for name, value in config.to_json().items() if name not in default or value != default[name]}
    return own | {"dataset": config.dataset}


def trained(settings: dict[str, Any], workdir: Path, score: str) -> Figures:
    """Trains a run to its end and reads what it measured."""
    flags = {name: ",".join(map(str, v)) if isinstance(v, tuple) else v for name, v in settings.items()}
    own = {"preset": "paper", "workdir": workdir, "score": score}
    with contextlib.redirect_stdout(io.StringIO()):
        train.main(["train", *(f"--{name}={value}" for name, value in (flags | own).items())])
    metrics = Metrics(workdir)
    curve = metrics.read("validation")
    best = best_of(curve)
    scored = {"validation": best} | {split: metrics.read(split)[-1] for split in filter(None, score.split(","))}
    key = jax.random.fold_in(jax.random.key(settings["seed"]), INTROSPECT)
    run = load_run(workdir)
    jacobian = mean_jacobian(run.model, run.params, key, variant=variants_of(run.model)[0])
    spectrum = log_singular_values(np.asarray(jacobian))
    return {
        "settings": settings | {"dataset": Path(settings["dataset"]).name},
        "epochs": curve[-1]["epoch"],
        "best_epoch": best["epoch"],
        "seconds": round(sum(line["seconds"] for line in curve), 1),
        "scores": {split: both(line) for split, line in scored.items()},
        "corpus": {split: both(line, "corpus_perplexity") for split, line in scored.items()},
        "curve": [[line["epoch"], *both(line)] for line in curve],
        "log_singular_values": spectrum.round(3).tolist(),
    }


def best_of(curve: list[dict[str, Any]]) -> dict[str, Any]:
    """The epoch of lowest validation loss, which is infinite where it is null; older runs have their refined perplexity
    in its place.
    """

    def loss(line: dict[str, Any]) -> float:
        found = line.get("loss", line["perplexity_refined"])
        return math.inf if found is None else found

    return min(curve, key=loss)


def both(line: dict[str, Any], name: str = "perplexity") -> list[float | None]:
    """The perplexities of a line of metrics at M=1 and refined; None: infinite."""
    return [value and round(value, 1) for value in (line[name], line[f"{name}_refined"])]


def taken() -> dict[str, Any]:
    """When, and on what."""
    found = surroundings()
    on = {name: found[name] for name in ("versions", "processor", "threads", "devices")}
    return {"date": str(date.today()), "taken_on": on}


def read(path: Path) -> tuple[list[Figures], dict[str, dict[str, Any]]]:
    """The runs and the tables that a JSON file holds; nothing where there is none. Raises BadInput."""
    if not path.exists():
        return [], {}
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        if any(len(one["key"]) != 8 or len(one["scores"]["validation"]) != 2 for one in held["runs"]):
            raise ValueError("a run without figures")
        return list(held["runs"]), dict(held["tables"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInput(f"--results: expected the figures of a recipe, found {path} damaged ({error!r})") from error


def perplexities(figures: Sequence[Figures], split: str, refined: bool = True, kind: str = "scores") -> list[float]:
    """Of a row, one for each seed."""
    return [math.inf if (value := one[kind][split][refined]) is None else value for one in figures]


def over_seeds(figures: Sequence[Figures], split: str, refined: bool, kind: str = "scores") -> float | str:
    """The perplexity of a row: of one seed as it is, of several their mean and standard deviation."""
    return summarised(perplexities(figures, split, refined, kind))


def summarised(values: Sequence[float]) -> float | str:
    """One value as it is, of several the mean and the standard deviation."""
    if len(values) == 1 or not np.isfinite(values).all():
        return float(np.mean(values))
    return f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}"
