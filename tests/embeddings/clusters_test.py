import numpy as np
import pytest
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score

from dlgm_jax.embeddings.clusters import agreement_with_labels, spectral_clusters, spectral_embedding
from dlgm_jax.embeddings.neighbours import unit_rows


def planted(num_rows=500, num_groups=5, dim=12, noise=0.35):
    rng = np.random.default_rng(0)
    groups = np.sort(rng.integers(num_groups, size=num_rows))
    centres = 2 * np.eye(dim)[:num_groups]
    return centres[groups] + noise * rng.normal(size=(num_rows, dim)), groups


@pytest.mark.parametrize("affinity", ["cosine", "neighbours"])
def test_planted_groups_are_found(affinity):
    rows, groups = planted()
    clusters = spectral_clusters(rows, 5, affinity=affinity)
    assert adjusted_rand_score(groups, clusters) > 0.95
    sizes = np.bincount(clusters)
    assert (np.diff(sizes) <= 0).all()


def test_the_embedding_is_that_of_the_dense_affinity():
    """Eigenvectors of D^-1/2 A D^-1/2 of the [500, 500] affinity, each up to its sign."""
    rows, _ = planted()
    units = unit_rows(rows)
    affinity = (1 + units @ units.T) / 2
    degrees = affinity.sum(axis=1)
    values, vectors = np.linalg.eigh(affinity / np.sqrt(np.outer(degrees, degrees)))
    assert values[0] > -1e-10
    np.testing.assert_allclose(values[: 500 - 13], 0, atol=1e-10)
    expected = vectors[:, ::-1][:, :6] / np.sqrt(degrees)[:, None]
    found = spectral_embedding(units, 6)
    signs = np.sign(np.sum(found * expected, axis=0))
    np.testing.assert_allclose(found * signs, expected, atol=1e-10)


def test_it_agrees_with_scikit_learn_on_the_dense_affinity():
    rows, _ = planted()
    units = unit_rows(rows)
    dense = SpectralClustering(5, affinity="precomputed", random_state=0).fit_predict((1 + units @ units.T) / 2)
    assert adjusted_rand_score(dense, spectral_clusters(rows, 5)) > 0.97


def test_more_clusters_than_the_rank_and_a_row_of_zeros():
    rows = np.random.default_rng(0).normal(size=(40, 2))
    rows[3] = 0
    clusters = spectral_clusters(rows, 9)
    assert len(set(clusters)) == 9
    assert spectral_clusters(rows, 40).shape == (40,)


def test_impossible_requests_are_named():
    with pytest.raises(ValueError, match="from 1 to the 3 rows; found 4"):
        spectral_clusters(np.eye(3), 4)
    with pytest.raises(ValueError, match="cosine, neighbours; found 'dense'"):
        spectral_clusters(np.eye(3), 2, affinity="dense")


def test_agreement_with_labels_is_one_for_groups_and_nought_for_noise():
    rows, groups = planted()
    assert agreement_with_labels(rows, [f"group {group}" for group in groups]) > 0.95
    noise = np.random.default_rng(0).integers(5, size=len(rows))
    assert abs(agreement_with_labels(rows, [str(label) for label in noise])) < 0.05


def test_a_row_has_ten_neighbours_in_the_graph():
    rows, _ = planted(80, noise=1.0)

    def graph(num_neighbours):
        settings = {"affinity": "nearest_neighbors", "n_neighbors": num_neighbours, "random_state": 0}
        return SpectralClustering(5, **settings).fit_predict(unit_rows(rows))

    found = spectral_clusters(rows, 5, affinity="neighbours")
    assert adjusted_rand_score(graph(10), found) == 1
    assert adjusted_rand_score(graph(3), found) < 0.9
