"""Tables of documents, from posteriors that are told."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse

from dlgm_jax.data.corpus import Corpus
from dlgm_jax.errors import BadInput
from dlgm_jax.introspection.spectrum import units
from dlgm_jax.types import Gaussian
from experiments.findings import corpora
from tests.experiments.toys import asked, learned

WORDS = tuple("abcdefgh")


def corpus(number, name, seed=0, labels=True):
    """Documents of two groups: words a to d, and e to h."""
    rng = np.random.default_rng(seed)
    counts = np.zeros((number, 8), int)
    for row in range(number):
        counts[row, 4 * (row % 2) : 4 * (row % 2) + 4] = rng.integers(1, 9, 4)
    names = [f"group {row % 2}" for row in range(number)] if labels else None
    return Corpus(scipy.sparse.csr_matrix(counts), WORDS, [f"{name}/{row + 1}" for row in range(number)], names)


def model_of(label="one", labels=True):
    splits = {name: corpus(number, name, labels=labels) for name, number in (("train", 20), ("test", 10))}
    splits["validation"] = corpus(4, "validation")
    assembly = SimpleNamespace(splits=splits, train=splits["train"])
    return learned(WORDS, label=label, assembly=assembly)


def told(model, found):
    """Posteriors by model and split; the means of test documents point around a circle, a pair at each place."""
    split = found.ids[0].split("/")[0]
    rows = np.array([int(name.split("/")[1]) for name in found.ids])
    angles = {"test": rows // 2 * 1.2 + 0.01 * rows, "train": rows % 2 * np.pi, "validation": 0 * rows + 2.4}[split]
    scale = np.array([2, 0.05, 1e-4]) if model.label == "one" else np.array([0.3, 3, 1e-4])
    means = np.column_stack([np.cos(angles), np.sin(angles), np.sin(angles)]) * scale
    return Gaussian(means, np.zeros_like(means))


@pytest.fixture
def told_posteriors(monkeypatch):
    monkeypatch.setattr(corpora, "_posteriors", lambda model, _, *parts: [told(model, part) for part in parts])


def test_units_are_each_model_s_own_and_documents_are_test_documents(told_posteriors, tmp_path):
    models = [model_of("one"), model_of("two")]
    table, documents, labels = corpora.parts(models, None, asked(), tmp_path)
    lines = []
    for model, row in zip(models, table.rows):
        mean, log_var = told(model, model.assembly.splits["test"])
        found = units(mean, (mean**2 + np.exp(log_var) - 1 - log_var) / 2)
        kl = found.kl
        assert row[:3] == (model.label, 10, found.active)
        assert row[3:6] == pytest.approx((kl.sum(), kl.max(), np.median(kl)), rel=1e-5)
        assert kl.max() > 2 * np.median(kl)
        lines += [[model.label, f"z{k + 1}", found.variance[k], kl[k]] for k in range(3)]
    assert [row[6:] for row in table.rows] == [(2, "z2, z3"), (1, "z3")]
    with (tmp_path / "units.csv").open(newline="") as file:
        header, *written = csv.reader(file)
    assert header == ["run", "unit", "variance of means", "KL in nats"]
    assert [line[:2] for line in written] == [line[:2] for line in lines]
    np.testing.assert_allclose(
        [list(map(float, line[2:])) for line in written], [line[2:] for line in lines], rtol=1e-5, atol=1e-8
    )
    means = told(models[0], models[0].assembly.splits["test"]).mean
    for place, row in enumerate(documents.rows):
        cosines = means @ means[place] / np.linalg.norm(means, axis=1) / np.linalg.norm(means[place])
        cosines[place] = -2
        assert row[:3] == (f"test/{place + 1}", f"test/{np.argmax(cosines) + 1}", pytest.approx(cosines.max()))
    splits = {name: models[0].assembly.splits[name] for name in ("train", "test")}
    expected = corpora.label_table(
        models[0], splits, {name: told(models[0], part).mean for name, part in splits.items()}
    )
    assert labels == expected
    assert max(expected.rows[0][1:]) < 100


def test_labels_are_of_test_documents():
    model = model_of()
    corpora_of = {name: model.assembly.splits[name] for name in ("train", "test")}
    group = {name: np.arange(found.num_documents) % 2 for name, found in corpora_of.items()}
    right = {name: np.column_stack([1.0 - rows, rows]) for name, rows in group.items()}
    wrong = {"train": right["train"], "test": right["test"][:, ::-1]}
    for means, share in ((right, 100), (wrong, 0)):
        first, second = corpora.label_table(model, corpora_of, means).rows
        assert first == ("posterior means", share, share)
        assert second[1:] == (100, 100)
        assert second[0].startswith("tf-idf, SVD to 3")


def test_documents_without_labels_have_no_table_of_them(told_posteriors, tmp_path):
    assert len(list(corpora.parts([model_of(labels=False)], None, asked(), tmp_path))) == 2
    (tmp_path / "units.csv").write_text("old")
    assert list(corpora.parts([model_of()], None, asked(documents=0), tmp_path)) == []
    assert not (tmp_path / "units.csv").exists()


def test_telling_words_are_those_of_largest_tfidf():
    model = model_of()
    counts = scipy.sparse.csr_matrix([[9, 1, 0, 0, 0, 0, 0, 8]])
    assert corpora.telling(model, Corpus(counts, WORDS, ["one"]), 0, number=2) == "h, a"  # 2 x 8 above 1 x 9


def test_documents_are_asked_for_by_id_or_number(told_posteriors, tmp_path):
    model = model_of(labels=False)
    documents = corpora.asked_documents(model, asked(document="2, validation/1,test/2"))
    assert documents.ids == ("test/2", "validation/1", "test/2")
    documents = corpora.asked_documents(model, asked(document="2;train/3"))
    np.testing.assert_array_equal(documents.counts[[1]].toarray(), model.assembly.train.counts[[2]].toarray())
    documents = documents.select([0])
    _, _, table = corpora.parts([model], documents, asked(), tmp_path)
    means = told(model, model.assembly.splits["test"]).mean
    units_of = means / np.linalg.norm(means, axis=1, keepdims=True)
    order = [row for row in np.argsort(-(units_of @ units_of[1]), kind="stable") if row != 1][:5]
    assert [row[:2] for row in table.rows] == [
        ("test/2", "itself"),
        *(("test/2", f"test/{row + 1}") for row in order),
    ]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"document": "11"}, "--document: expected an id, or a number from 1 to 10, found '11'"),
        ({"document": "nowhere"}, "--document: expected an id, or a number from 1 to 10, found 'nowhere'"),
        ({"document": "1", "documents": 0}, "--document: expected documents to look among"),
    ],
)
def test_documents_that_are_not_there_are_refused(flags, message):
    with pytest.raises(BadInput, match=message):
        corpora.asked_documents(model_of(), asked(**flags))
