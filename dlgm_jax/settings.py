"""What the values of settings have to be, wherever they are given."""

from collections.abc import Callable
from dataclasses import field, fields
from math import isfinite
from numbers import Integral, Real
from typing import Any

from dlgm_jax.features import FEATURES
from dlgm_jax.inference.batched import REFINERS
from dlgm_jax.inference.fisher import EVALUATIONS_PER_STEP
from dlgm_jax.networks import ACTIVATIONS

LIKELIHOODS = ("multinomial", "dirichlet_multinomial")  # of counts
Check = tuple[str, Callable[[Any], bool]]  # what is expected, whether a value is that


def setting(default: Any, help: str, check: str | Check = "") -> Any:
    """A field of a frozen dataclass that becomes a flag: its help, and its check or the name of one in CHECKS."""
    return field(default=default, metadata={"help": help, "check": check})


def first_wrong(settings: Any, checks: dict[str, Check]) -> str | None:
    """`--flag: expected ..., found ...` of the first field that is not what its check expects, or None."""
    for item in fields(settings):
        check, value = item.metadata.get("check"), getattr(settings, item.name)
        if check and (found := wrong(value, checks[check] if isinstance(check, str) else check)):
            return f"--{item.name}: {found}"
    return None


def _whole(low: int, high: int = 2**31 - 1) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, Integral) and not isinstance(v, bool) and low <= int(v) <= high


def _number(holds: Callable[[float], bool]) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, Real) and not isinstance(v, bool) and isfinite(v) and holds(float(v))


def one_of(names) -> Check:
    """Expects one of these names."""
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
    "features": one_of(FEATURES),
    "refiner": one_of(REFINERS),
    "activation": one_of(ACTIVATIONS),
    "likelihood": one_of(LIKELIHOODS),
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
