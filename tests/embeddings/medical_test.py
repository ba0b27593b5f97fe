"""MRM against loops, and on a synthetic hierarchy whose answers are known."""

import numpy as np
import pytest

from dlgm_jax.embeddings.medical import mrm_ccs, mrm_ndfrt


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def slow_ccs(rows, groups, num_neighbours):
    total = []
    for v, group in enumerate(groups):
        if group < 0:
            continue
        others = sorted((u for u in range(len(rows)) if u != v), key=lambda u, v=v: -cosine(rows[v], rows[u]))
        total.append(sum(1 / np.log2(i + 1) for i, u in enumerate(others[:num_neighbours], 1) if groups[u] == group))
    return np.mean(total)


def test_ccs_is_equation_6():
    rng = np.random.default_rng(0)
    rows, groups = rng.normal(size=(30, 4)), rng.integers(-1, 4, size=30)
    expected = slow_ccs(rows, groups, 5)
    assert mrm_ccs(rows, groups, num_neighbours=5) == pytest.approx(expected)
    best = sum(1 / np.log2(i + 1) for i in range(1, 6))
    assert mrm_ccs(rows, groups, num_neighbours=5, normalised=True) == pytest.approx(100 * expected / best)


def hierarchy(spread):
    """Four chapters of five groups of eight codes: a chapter, a group and a code of its own in each vector."""
    rng = np.random.default_rng(1)
    chapters, groups = rng.normal(size=(4, 40)), rng.normal(size=(20, 40))
    fine = np.repeat(np.arange(20), 8)
    rows = chapters[fine // 5] * 2 + groups[fine] + spread * rng.normal(size=(160, 40))
    return rows, fine, fine // 5


def test_a_hierarchy_without_noise_is_perfect():
    rows, fine, coarse = hierarchy(0.01)
    assert mrm_ccs(rows, fine, num_neighbours=7, normalised=True) == pytest.approx(100)
    assert mrm_ccs(rows, coarse, num_neighbours=39, normalised=True) == pytest.approx(100)
    assert mrm_ccs(rows, coarse, normalised=True) < 100  # the 40th cannot be of the chapter


def test_noise_lowers_it_and_nothing_known_is_chance():
    scores = [mrm_ccs(hierarchy(spread)[0], hierarchy(spread)[1]) for spread in (0.1, 1.0, 5.0)]
    assert scores[0] > scores[1] > scores[2]
    rows, _, coarse = hierarchy(0.1)
    shuffled = np.random.default_rng(2).permutation(coarse)
    assert mrm_ccs(rows, shuffled, normalised=True) == pytest.approx(25, abs=4)


def relations(noise):
    """Twelve drugs, each at its disease plus one vector; eight other codes."""
    rng = np.random.default_rng(3)
    diseases, others = rng.normal(size=(12, 20)), rng.normal(size=(8, 20))
    drugs = diseases + 0.5 * rng.normal(size=20) + noise * rng.normal(size=(12, 20))
    return np.concatenate([drugs, diseases, others]), [(d, 12 + d) for d in range(12)]


def slow_ndfrt(rows, pairs, num_neighbours):
    units = [row / np.linalg.norm(row) for row in rows]
    drugs = sorted({drug for drug, _ in pairs})
    shares = []
    for seed_drug, seed_disease in pairs:
        hits = []
        for drug in drugs:
            if drug == seed_drug:
                continue
            aim = units[drug] - (units[seed_drug] - units[seed_disease])
            others = sorted((u for u in range(len(rows)) if u != drug), key=lambda u, aim=aim: -cosine(aim, units[u]))
            hits.append(any((drug, u) in pairs for u in others[:num_neighbours]))
        shares.append(np.mean(hits))
    return 100 * np.mean(shares), 100 * np.max(shares)


def test_ndfrt_is_a_loop_over_seeds_and_drugs():
    rows, pairs = relations(2.0)
    pairs = [*pairs, (0, 15), (3, 12)]
    expected = slow_ndfrt(rows, pairs, 3)
    assert 0 < expected[0] < expected[1] < 100
    assert mrm_ndfrt(rows, pairs, num_neighbours=3) == pytest.approx(expected)


def test_one_vector_from_disease_to_drug_is_found():
    rows, pairs = relations(0.01)
    assert mrm_ndfrt(rows, pairs, num_neighbours=1) == (100, 100)


def test_nothing_to_judge_is_named():
    with pytest.raises(ValueError, match="codes with a group, found none"):
        mrm_ccs(np.eye(3), [-1, -1, -1])
    with pytest.raises(ValueError, match="at least two drugs, found 1"):
        mrm_ndfrt(np.eye(3), [(0, 1), (0, 2)])
