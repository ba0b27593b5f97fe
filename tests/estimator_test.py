import pickle
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.estimator_checks import check_estimator

from dlgm_jax import DLGM, BadInput, NonFinite, infer, jacobian_mean, refine, tfidf, token_information
from dlgm_jax.data.batches import marked_batches
from dlgm_jax.data.corpus import Corpus
from dlgm_jax.estimator import INFER, ROWS
from tests import oracles
from tests.conftest import as_corpus, log_linear_corpus

SMALL = {"n_components": 3, "generative_widths": (6,), "inference_widths": (7,), "M": 3, "eval_M": 5, "max_iter": 2}
LOG_LINEAR = {**SMALL, "generative_widths": ()}
X = np.random.default_rng(0).poisson(0.7, (70, 12))
X[5] = 0


@pytest.fixture(scope="module", autouse=True)
def quick_compilation():
    """Compilation is most of the time here."""
    with jax.disable_most_optimizations():
        yield


@pytest.fixture(scope="module")
def fitted():
    return DLGM(**SMALL, random_state=0).fit(X)


def noise_key(estimator, row):
    """The key of one row: of its seed and of what the row holds."""
    corpus = Corpus(row[None], tuple(map(str, range(row.size))), ("0",), whole=False)
    mark = next(iter(marked_batches(corpus, 1, sizes=(1024,)))).document[0]
    return partial(jax.random.fold_in, data=mark), jax.random.fold_in(jax.random.key(estimator.seed_), INFER)
