"""Errors that end a command with one line, and the form of values in such lines."""

import re
from collections.abc import Iterable


class BadInput(ValueError):
    """A user's data or flags are not what was expected; the message is one complete line."""


class NonFinite(ArithmeticError):
    """The bound became NaN or infinite; the message is one complete line."""


class Stopped(Exception):
    """Someone asked the run to stop; what is saved goes on from there."""


def shown(text: str) -> str:
    """Shortens a text for one line: to 40 characters, or 10 of those that are written as long escapes."""
    whole = [repr(text if len(text) <= most else text[:most] + "...") for most in (40, 10)]
    return whole[0] if len(whole[0]) <= 100 else whole[1]


def reason(error: Exception) -> str:
    """The message of an error of another library, on one line and not too long."""
    text = " ".join(str(error).split()) or type(error).__name__
    return "".join(c if c.isprintable() else "?" for c in text[:300])


def quantity(number: int, noun: str) -> str:
    """A number of things for people: 1 epoch, 1,200 documents, 2 queries, 1 latent dimension."""
    plural = re.sub(r"(?<![aeiou])y$", "ie", re.sub(r"(s|x|sh)$", r"\1e", noun)) + "s"
    return f"{number:,} {noun if number == 1 else plural}"


def listed(names: Iterable[str], most: int = 8) -> str:
    """Names by commas, up to `most` of them, such that they fit one line."""
    texts = [name if name.isprintable() and 0 < len(name) <= 40 else shown(name) for name in names]
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
