"""Settings of training that fit a corpus of any size."""

from math import ceil
from typing import NamedTuple

LARGE = 10_000  # documents, from which the settings found on 20 Newsgroups hold
MANY = 20_000  # documents, from which fewer passes take enough steps
FEWEST_STEPS = 64  # below them not even the words' frequencies are learned
FEW, ENOUGH = 100, 400  # training tokens for each word of the vocabulary: nothing keeps from overfitting from ENOUGH on


class Sized(NamedTuple):
    """Settings by the size of a corpus, under the names of the flags."""

    batch_size: int
    epochs: int
    valid_size: int
    learning_rate: float
    input_dropout: float
    weight_decay: float


def by_size(documents: int, words: int, mean_length: float, batch_size: int | None = None) -> Sized:
    """The settings that fit a corpus of so many training documents, validation documents among them.

    Steps go by the number of documents. Two ends were found on validation documents, with refinement by fisher, M=13:
    batches of 500 at rate 0.003 from 10,000 documents on, and batches of 32 at rate 0.001 for some hundred, with which
    larger steps fit the training documents at once and forget the others. Between the ends settings change in
    proportion to the number of documents. A corpus above 20,000 documents has enough steps in fewer passes.

    What keeps the model from learning documents by heart goes by the training tokens for each word, since nearly all
    parameters are those of the words. With up to 100 of them, half of a document's words are hidden from the inference
    network, and weights decay; from 400 on (20 Newsgroups has 564) neither.

    Args:
        documents: number of training documents, from 1.
        words: size of the vocabulary, from 1.
        mean_length: tokens of a training document, on average.
        batch_size: where it is settled already; the epochs take enough steps of it.

    Returns:
        Sized, whole numbers and numbers of two digits.

    >>> by_size(238, words=8000, mean_length=350)
    Sized(batch_size=32, epochs=10, valid_size=23, learning_rate=0.001, input_dropout=0.5, weight_decay=1.0)
    >>> by_size(11_314, words=2000, mean_length=100)
    Sized(batch_size=500, epochs=15, valid_size=500, learning_rate=0.003, input_dropout=0.0, weight_decay=0.0)
    """
    share = min(documents / LARGE, 1.0)
    tokens = documents * mean_length / words
    missing = min(max((ENOUGH - tokens) / (ENOUGH - FEW), 0.0), 1.0)
    valid_size = min(max(documents // 10, 1), 500)
    batch_size = batch_size or max(4 * round(125 * share), 32)
    steps = ceil(max(documents - valid_size, 1) / batch_size)
    passes = (8 + 7 * share) * (min(MANY / documents, 1.0) ** 0.5)
    return Sized(
        batch_size=batch_size,
        epochs=max(round(passes), ceil(FEWEST_STEPS / steps)),
        valid_size=valid_size,
        learning_rate=float(f"{0.001 + 0.002 * share:.2g}"),
        input_dropout=round(0.5 * missing, 2),
        weight_decay=round(missing, 2),
    )
