"""What a corpus that was made holds, and what was left out of it."""

from dataclasses import dataclass, field

import numpy as np

from dlgm_jax.data.corpus import Corpus
from dlgm_jax.data.words import Letters
from dlgm_jax.errors import quantity


@dataclass
class Dropped:
    """What a user should know was left out."""

    documents: int = 0  # without a word of the vocabulary
    words: int = 0  # of training documents
    tokens: int = 0  # that these words are, where it was counted
    unknown: int = 0  # tokens of test documents whose words no training document has
    analysed: int = 0  # tokens of texts before those that --vocab does not have are left out
    letters: Letters = field(default_factory=Letters)  # of the texts whose words were counted


@dataclass
class Summary:
    """What a split holds, added up part by part."""

    documents: int = 0
    tokens: int = 0
    entries: int = 0
    longest: int = 0
    empty: int = 0
    labelled: int = 0

    def add(self, corpus: Corpus) -> None:
        """Takes some more documents."""
        self.documents += corpus.num_documents
        self.tokens += int(corpus.lengths.sum())
        self.entries += corpus.counts.nnz
        self.longest = max(self.longest, int(corpus.lengths.max()))
        self.empty += int(np.sum(corpus.lengths == 0))
        self.labelled += sum(map(bool, corpus.labels or ()))


def labels(found: Summary) -> str:
    """Says how many documents of a split have a label."""
    if 0 < found.labelled < found.documents:
        return f"labels of {found.labelled:,} of them"
    return "labelled" if found.labelled else "no labels"


def summary(splits: dict[str, Summary], vocab_size: int, dropped: Dropped) -> str:
    """What the corpus holds and what was left out."""
    lines = [
        f"{name:<11}{quantity(found.documents, 'document'):>19}, {quantity(vocab_size, 'word')}, "
        f"{quantity(found.tokens, 'token')}, "
        f"{quantity(found.entries, 'non-zero')} ({100 * found.entries / (found.documents * vocab_size):.2f}%), "
        f"longest document {found.longest:,}, empty {found.empty:,}, {labels(found)}"
        for name, found in splits.items()
    ]
    if dropped.documents:
        lines.append(f"Left out: {quantity(dropped.documents, 'document')} without a word of the vocabulary.")
    if dropped.words:
        tokens = f", {dropped.tokens:,} tokens" if dropped.tokens else ""
        lines.append(
            f"Left out: {quantity(dropped.words, 'word')} of training documents, too rare or stop words{tokens}."
        )
    if dropped.unknown:
        lines.append(
            f"Left out: {quantity(dropped.unknown, 'token')} of test documents, whose words no training document has."
        )
    outside = dropped.analysed - sum(found.tokens for found in splits.values())
    if dropped.analysed and outside:
        lines.append(f"Left out: {outside:,} of {dropped.analysed:,} tokens, whose words are not in --vocab.")
    return "\n".join(lines)
