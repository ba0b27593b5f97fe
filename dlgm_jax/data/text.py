"""Raw text to counts, by scikit-learn."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from dlgm_jax.data.corpus import Corpus
from dlgm_jax.types import BadInput


def count_words(
    train: Sequence[str],
    test: Sequence[str],
    *,
    vocab_size: int,
    token_pattern: str,
    train_labels: Sequence[str],
    test_labels: Sequence[str],
    train_ids: Sequence[str],
    test_ids: Sequence[str],
) -> tuple[Corpus, Corpus]:
    """Lower-cased words without English stop words, the `vocab_size` most frequent of the training texts.

    Columns go from the most frequent word down. Documents that are left without a word are dropped.
    """
    vectoriser = CountVectorizer(stop_words="english", token_pattern=token_pattern, max_features=vocab_size)
    try:
        train_counts: Any = vectoriser.fit_transform(train)
    except ValueError as error:
        raise BadInput(f"texts: expected words, found none that are not stop words ({error})") from error
    words = vectoriser.get_feature_names_out()
    order = np.argsort(-np.asarray(train_counts.sum(axis=0)).ravel(), kind="stable")

    def corpus(counts, ids, labels):
        kept = np.flatnonzero(np.diff(counts.indptr))
        return Corpus(
            counts[kept][:, order],
            tuple(words[order].tolist()),
            tuple(ids[row] for row in kept),
            tuple(labels[row] for row in kept),
        )

    return (
        corpus(train_counts, train_ids, train_labels),
        corpus(vectoriser.transform(test), test_ids, test_labels),
    )
