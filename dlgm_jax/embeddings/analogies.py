"""Analogies: a is to b as c is to d, by cosines (Mikolov et al. 2013; Levy & Goldberg 2014)."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from dlgm_jax.embeddings.neighbours import largest, unit_rows

BLOCK = 256
SMALL = 1e-3


class Accuracy(NamedTuple):
    """Of questions a : b :: c : d whose four words are all known."""

    correct: int
    asked: int
    left_out: int  # a word is not in the vocabulary, or two are found in the same row

    @property
    def share(self) -> float:
        """Of the questions asked; nan when there were none."""
        return self.correct / self.asked if self.asked else float("nan")


def cos_add(with_a: np.ndarray, with_b: np.ndarray, with_c: np.ndarray) -> np.ndarray:
    """3CosAdd: cos(d, b) - cos(d, a) + cos(d, c)."""
    return with_b - with_a + with_c


def cos_mul(with_a: np.ndarray, with_b: np.ndarray, with_c: np.ndarray) -> np.ndarray:
    """3CosMul: cos(d, b) cos(d, c) / (cos(d, a) + 0.001), with cosines moved to [0, 1]."""
    a, b, c = ((1 + cosines) / 2 for cosines in (with_a, with_b, with_c))
    return b * c / (a + SMALL)


def complete(
    embeddings: np.ndarray, questions: np.ndarray, *, num_answers: int = 1, objective: Callable = cos_add
) -> np.ndarray:
    """The best rows d for each question (a, b, c) of [Q, 3] row numbers, never one of these: [Q, n]."""
    units, questions = unit_rows(embeddings), np.asarray(questions)
    number = max(0, min(num_answers, len(units) - 3))
    answers = np.empty((len(questions), number), int)
    for start in range(0, len(questions), BLOCK):
        block = questions[start : start + BLOCK]
        scores = objective(*(units[block[:, place]] @ units.T for place in range(3)))
        np.put_along_axis(scores, block, -np.inf, axis=1)
        for row, values in enumerate(scores, start):
            answers[row] = largest(values, number)
    return answers


def known_questions(find: Callable[[str], int | None], questions: Iterable[tuple[str, str, str, str]]) -> np.ndarray:
    """The rows of those questions whose words are all known, and no two the same row: [Q, 4]."""
    rows = [[find(word) for word in question] for question in questions]
    return np.array([row for row in rows if None not in row and len(set(row)) == 4], int).reshape(-1, 4)


def accuracy(
    embeddings: np.ndarray,
    find: Callable[[str], int | None],
    questions: Sequence[tuple[str, str, str, str]],
    *,
    objective: Callable = cos_add,
) -> Accuracy:
    """How often the best answer is the right one; `find` gives the row of a word, or None."""
    known = known_questions(find, questions)
    answers = complete(embeddings, known[:, :3], objective=objective)
    correct = int(np.sum(answers[:, 0] == known[:, 3])) if answers.size else 0
    return Accuracy(correct, len(known), len(questions) - len(known))
