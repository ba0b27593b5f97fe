"""What the values of settings have to be, wherever they are given."""

from collections.abc import Callable
from math import isfinite
from numbers import Integral, Real
from typing import Any

from dlgm_jax.features import FEATURES
from dlgm_jax.inference.batched import REFINERS
from dlgm_jax.inference.fisher import EVALUATIONS_PER_STEP
from dlgm_jax.networks import ACTIVATIONS

Check = tuple[str, Callable[[Any], bool]]  # what is expected, whether a value is that


def _whole(low: int, high: int = 2**31 - 1) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, Integral) and not isinstance(v, bool) and low <= int(v) <= high


def _number(holds: Callable[[float], bool]) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, Real) and not isinstance(v, bool) and isfinite(v) and holds(float(v))


def _one_of(names) -> Check:
    return f"one of {', '.join(names)}", lambda v: isinstance(v, str) and v in names


CHECKS: dict[str, Check] = {
    "widths": (
        "whole numbers from 1 to 100,000",
        lambda v: isinstance(v, tuple | list) and all(map(_whole(1, 100_000), v)),
    ),
    "size": ("a whole number from 1 to 100,000", _whole(1, 100_000)),
    "positive": ("a whole number from 1 to 2147483647", _whole(1)),
    "natural": ("a whole number from 0 to 2147483647", _whole(0)),
    "above_zero": ("a number above 0", _number(lambda v: v > 0)),
    "not_negative": ("a number from 0", _number(lambda v: v >= 0)),
    "share": ("a number from 0 to below 1", _number(lambda v: 0 <= v < 1)),
    "features": _one_of(FEATURES),
    "refiner": _one_of(REFINERS),
    "activation": _one_of(ACTIVATIONS),
}


def wrong(value: Any, check: Check) -> str | None:
    """`expected ..., found ...` when the value of a setting does not pass."""
    expected, holds = check
    return None if holds(value) else f"expected {expected}, found {value!r}"


def wrong_evaluations(M: int, refiner: str) -> str | None:
    """`expected ..., found ...` when a refiner cannot spend M - 1 evaluations."""
    if refiner == "fisher" and (M - 1) % EVALUATIONS_PER_STEP:
        return f"expected an odd number as 13, two evaluations a step of fisher, found {M}"
    return None
