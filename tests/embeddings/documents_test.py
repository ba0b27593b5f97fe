import numpy as np
import scipy.sparse
from sklearn.feature_extraction.text import TfidfTransformer

from dlgm_jax.embeddings.documents import label_scores, log_normalised_components, lsa, tfidf_rows, with_labels


def test_labels_of_separate_groups_are_found_and_those_of_noise_are_chance():
    rng = np.random.default_rng(0)
    labels = rng.integers(4, size=600)
    rows = 3 * np.eye(6)[labels] + rng.normal(size=(600, 6))
    names = np.array(["a", "b", "c", "d"])[labels]
    good = label_scores(rows[:400], names[:400], rows[400:], names[400:])
    assert min(good) > 0.9
    noise = label_scores(rng.normal(size=(400, 6)), names[:400], rng.normal(size=(200, 6)), names[400:])
    assert max(noise) < 0.4


def test_documents_without_a_label_are_no_class():
    rows, labels = with_labels(np.arange(8).reshape(4, 2), ["a", "", "b", ""])
    assert (rows.tolist(), labels) == ([[0, 1], [4, 5]], ["a", "b"])


def test_tfidf_rows_are_scikit_learns():
    counts = scipy.sparse.csr_matrix(np.random.default_rng(0).poisson(0.5, (20, 9)))
    transformer = TfidfTransformer(smooth_idf=True).fit(counts)
    expected = transformer.transform(counts).toarray()
    np.testing.assert_allclose(tfidf_rows(counts, transformer.idf_).toarray(), expected, rtol=1e-12)


def test_lsa_has_the_singular_values_of_the_rows():
    counts = scipy.sparse.csr_matrix(np.random.default_rng(0).poisson(0.5, (40, 12)).astype(float))
    idf = np.linspace(1, 3, 12)
    found = lsa(counts, idf, 5)
    expected = np.linalg.svd(tfidf_rows(counts, idf).toarray(), compute_uv=False)[:5]
    np.testing.assert_allclose(found.singular_values_, expected, rtol=0.02)
    assert lsa(counts, idf, 500).components_.shape == (11, 12)


def test_log_normalised_components_are_those_of_a_dense_svd():
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.0, (30, 8)) * rng.integers(1, 9, (30, 1))
    counts[3] = 0
    lengths = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = np.log1p(1e4 * counts / lengths)
    project = log_normalised_components(scipy.sparse.csr_matrix(counts[:20]), 3)
    found = project(scipy.sparse.csr_matrix(counts))
    _, _, right = np.linalg.svd(rows[:20] - rows[:20].mean(axis=0))
    expected = (rows - rows[:20].mean(axis=0)) @ right[:3].T
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-6)


def test_neighbours_vote_by_direction_and_not_by_length():
    angles = np.repeat([0.3, 1.2], 15)
    rows = np.column_stack([np.cos(angles), np.sin(angles)])
    labels = np.repeat(["a", "b"], 15)
    train = rows * np.where(labels == "a", 10.0, 1.0)[:, None]
    assert label_scores(train, labels, rows, labels).neighbours == 1


def test_the_probe_sees_columns_on_the_scale_of_the_training_documents():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 100)
    rows = np.column_stack([1e-3 * (2 * labels - 1), rng.normal(size=200)]) + 5
    assert label_scores(rows, labels, rows, labels).linear == 1
    assert label_scores(rows, labels, rows[:100], labels[:100]).linear == 1  # one label, far from the mean of training
