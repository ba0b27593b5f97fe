"""Table 2: nearest neighbours of words and of medical codes, and of words that have two meanings, in context.

python -m experiments.recipes.table2 --texts=wiki.jsonl.xz --similarity=EN-WS-353-ALL.txt,scws_ratings.txt.gz
python -m experiments.recipes.table2 --texts=wiki.jsonl.xz --synthea=synthea

(a) and (b) are by J_mean^log of 3-M100-tfidf on --texts (any articles that prepare reads, one JSON object with id and
text a line); with the --similarity of table3 they share its corpus and run. In (b) a query is read under the posterior
of a document of words from the context's page, which the paper does not name: here they are chosen by hand. (c) is of
codes that are not public; the synthetic patients of Synthea (conditions.csv, medications.csv ...; most of the paper's
codes are not there, and codes of ours stand below) show the same thing.

Expected from 34,672 articles of 2018 and later, 8 epochs: of (a) intelligence and military are among words of their
subject, zen and artificial hardly; (b) follows the context for bank by money and fires by burn, hardly for crane; of
(c) metformin is near to what diabetes brings. Words depend on the articles: the paper's are 1.2 million of 2010.
Time on 2 cores: 50 minutes beside other work, half a minute after table3 and table8.
"""

from collections.abc import Iterable

import jax

from experiments.findings.contexts import contextual_vectors, counted
from experiments.findings.model import Learned, models_of
from experiments.findings.vectors import listed, neighbours
from experiments.flags.command import Command, parse, run_main
from experiments.recipes import runs
from experiments.recipes.sweep import JUDGED, Sweep
from experiments.report.page import Table

OWN_FLAGS = (
    JUDGED
    | runs.WIKI_FLAGS
    | {
        "similarity": ("", runs.WIKI_FLAGS["similarity"][1] + "; unset: none"),
        "synthea": ("", "a folder of Synthea's tables; unset: no codes"),
        "variant": ("log", "of the Jacobian vectors: pot, log or prob"),
        "samples": (400, "draws from the prior for the mean Jacobian"),
        "neighbours": (5, "neighbours of a word"),
    }
)
WORDS = {  # Table 2a: the paper's neighbours
    "intelligence": "espionage, secrecy, interrogation, counterterrorism",
    "zen": "dharma, buddhism, buddhas, meditation, yoga",
    "artificial": "artificially, molecules, synthetic, soluble",
    "military": "civilian, armys, commanders, infantry",
}
CONTEXTS = (  # Table 2b: query, context, our words of the context's page, the paper's neighbours
    (
        "crane",
        "construction",
        "construction building engineering contractor steel concrete machinery site",
        "lifting, usaaf, spanned, crushed, lift",
    ),
    (
        "crane",
        "bird",
        "bird birds species feathers wings nest eggs wetland habitat",
        "erected, parkland, locally, farmland, causeway",
    ),
    (
        "bank",
        "river",
        "river water stream valley flow tributary basin flood",
        "watershed, footpath, confluence, drains, tributary",
    ),
    (
        "bank",
        "money",
        "money currency finance credit debt payment loan",
        "banking, government, bankers, comptroller, fiscal",
    ),
    ("fires", "burn", "burn burns heat flames combustion hot skin", "ignition, combustion, engines, fuel, engine"),
    (
        "fires",
        "layoff",
        "layoff layoffs employment workers job company dismissal staff",
        "thunderstorm, grassy, surrounded, walkway, burning",
    ),
)
CODES = {  # Table 2c, and below it codes that Synthea has
    "Metformin": "Glimepiride, Avandia, Contour Meter, Pioglitazone",
    "Spiriva": "Advair, Albuterol, Proventil",
    "Asbestosis": "Exposure To Asbestos, Coal Workers' Pneumoconiosis, Ct Scan Chest",
    "Albuterol": "-",
    "Simvastatin": "-",
    "Alzheimer": "-",
}
ABSENT = "not in the vocabulary"


def main(argv: list[str]) -> None:
    command = parse(argv, about=__doc__ or "", own=OWN_FLAGS, settings=["seed"])
    command.number("neighbours")
    sweep = Sweep("table2", command)
    patients = runs.patients(sweep, command.own["synthea"]) if command.own["synthea"] else []
    for model in runs.models(command, sweep, lambda: runs.wiki(command, sweep, runs.BEST)):
        sweep.show(word_table(model, command))
        sweep.show(context_table(model, command))
    if patients:
        (model,) = models_of(command, sweep.folders(patients))
        sweep.show(code_table(model, command))


def word_table(model: Learned, command: Command) -> Table:
    """Table 2a."""
    nearest = nearest_of(model, map(model.find, WORDS), command)
    rows = list(zip(WORDS, nearest, WORDS.values()))
    return Table(f"(a) Neighbours of words, {model.label}", "", ("word", "nearest", "paper"), rows)


def context_table(model: Learned, command: Command) -> Table:
    """Table 2b."""
    rows = []
    for (query, context, words, paper), key in zip(CONTEXTS, jax.random.split(model.context_key, len(CONTEXTS))):
        row, (counts, _) = model.find(query), counted(model, words)
        alone = ABSENT if row is None else listed(model, near(model, model.vectors, row, command))
        inside = ABSENT
        if row is not None and counts.any():
            vectors = contextual_vectors(model, counts, key, command.own["variant"])
            inside = listed(model, near(model, vectors, row, command))
        rows.append((query, context, int(counts.sum()), alone, inside, paper))
    note = "Words: those of the context's document that the vocabulary has."
    header = ("word", "context", "words", "nearest without context", "nearest in context", "paper in context")
    return Table(f"(b) Neighbours in context, {model.label}", note, header, rows)


def code_table(model: Learned, command: Command) -> Table:
    """Table 2c, on a stand-in."""
    found = list(map(model.containing, CODES))
    names = [query if row is None else model.vocabulary[row] for query, row in zip(CODES, found)]
    rows = list(zip(names, nearest_of(model, found, command), CODES.values()))
    note = "Synthetic patients (Synthea) stand in for the paper's records."
    return Table(f"(c) Neighbours of medical codes, {model.label}", note, ("code", "nearest", "paper"), rows)


def nearest_of(model: Learned, rows: Iterable[int | None], command: Command) -> list[str]:
    """The neighbours of every query by commas, or that it is not there."""
    return [ABSENT if row is None else listed(model, near(model, model.vectors, row, command)) for row in rows]


def near(model: Learned, vectors, row: int, command: Command) -> list[int]:
    """The neighbours of one word, without plurals as in Table 2."""
    return neighbours(model, vectors, [row], command.own["neighbours"], plurals=False)[0]


if __name__ == "__main__":
    run_main(main)
