"""Settings of training that fit a corpus of any size."""

from math import ceil
from typing import NamedTuple

LARGE = 10_000  # documents, from which the settings found on 20 Newsgroups hold
MANY = 20_000  # documents, from which fewer passes take enough steps
FEWEST_STEPS = 64  # below them not even the words' frequencies are learned


class Sized(NamedTuple):
    """Settings by the size of a corpus, under the names of the flags."""

    batch_size: int
    epochs: int
    valid_size: int
    learning_rate: float
    input_dropout: float
    weight_decay: float


def by_size(documents: int, words: int, mean_length: float) -> Sized:
    """The settings that fit a corpus of so many training documents, validation documents among them.

    Two ends were found on validation documents, with refinement by fisher, M=13. From 10,000 documents on: batches of
    500 at rate 0.003. Below, models of two layers of 400 fit the training documents at once and forget the others, so
    towards 100 documents steps are smaller (batches of 32, rate 0.001), half of a document's words are hidden from the
    inference network, and weights decay. Between the ends, settings change in proportion to the number of documents. A
    corpus above 20,000 documents has enough steps in fewer passes.

    Neither the number of words nor the mean length changed which settings were best, among corpora of 17 to 12,656
    words and of 2 to 352 tokens a document, so they decide nothing.

    Args:
        documents: number of training documents, from 1.
        words: size of the vocabulary.
        mean_length: tokens of a training document, on average.

    Returns:
        Sized, whole numbers and numbers of two digits.

    >>> by_size(238, words=8000, mean_length=350)
    Sized(batch_size=32, epochs=10, valid_size=23, learning_rate=0.001, input_dropout=0.49, weight_decay=0.98)
    >>> by_size(11_314, words=2000, mean_length=100)
    Sized(batch_size=500, epochs=15, valid_size=500, learning_rate=0.003, input_dropout=0.0, weight_decay=0.0)
    """
    del words, mean_length
    share = min(documents / LARGE, 1.0)
    valid_size = min(max(documents // 10, 1), 500)
    batch_size = max(4 * round(125 * share), 32)
    steps = ceil(max(documents - valid_size, 1) / batch_size)
    passes = (8 + 7 * share) * (min(MANY / documents, 1.0) ** 0.5 if documents else 1)
    return Sized(
        batch_size=batch_size,
        epochs=max(round(passes), ceil(FEWEST_STEPS / steps)),
        valid_size=valid_size,
        learning_rate=float(f"{0.001 + 0.002 * share:.2g}"),
        input_dropout=round(0.5 * (1 - share), 2),
        weight_decay=round(1 - share, 2),
    )
