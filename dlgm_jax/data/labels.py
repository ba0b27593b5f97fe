"""Names of classes, as the values of any format give them."""

import re
from decimal import Context, Decimal
from typing import Any

import numpy as np

from dlgm_jax.errors import BadInput, shown

MISSING = frozenset(("NA", "N/A", "NaN", "nan", "NULL", "null", "<NA>", r"\N"))  # of programs that write tables of text
# A number with zeros in front may be a code, in which they count: it is a class by how it is written.
NUMBER = re.compile(r"[-+]?(?:(?!0[0-9])[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
PLAIN = 40  # digits up to which a number is written without an exponent


def label_of(value: Any, where: str) -> str:
    """The name of the class that a value stands for; empty where the value is missing, which is no class.

    Bytes are decoded, 1.0 and 1 are one class, and other numbers that differ are different classes: they are written
    with as many digits as tell them apart. Also for names of documents and of words that are not text.

    Args:
        value: text, bytes, a number, a date; None, NaN, NaT, pandas' NA and blanks alone are missing.
        where: the file, and the line or member where there is one, for the message.

    Raises:
        BadInput: for a list or another collection, and for bytes that are not UTF-8.

    Example:
        >>> [label_of(value, "a.h5") for value in (1.0, 1, 0.5, b"T", float("nan"), None)]
        ['1', '1', '0.5', 'T', '', '']
    """
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError as error:
            raise BadInput(f"{where}: expected UTF-8 text, found the bytes {shown(repr(value))}") from error
    if isinstance(value, str):
        return value if value.strip() else ""
    if isinstance(value, list | tuple | dict | set | np.ndarray):
        raise BadInput(f"{where}: expected text or a number, found {shown(str(value))}")
    if value is None or type(value).__name__ == "NAType" or value != value:  # NaN and NaT differ from themselves
        return ""
    if isinstance(value, float | np.floating) and value.is_integer():
        return str(int(value))
    return str(value)


def class_of(label: str) -> str:
    """The class that a label names: `+1`, `1` and `1.0` are the class 1, text is itself, `nan` is none (empty).

    Numbers that differ are different classes, however long they are: none goes through a float.
    """
    if label.lstrip("+-").lower() == "nan":
        return ""  # the form has a number here, and this is how programs write the one that is missing
    if not NUMBER.fullmatch(label):
        return label
    value = Decimal(label)
    if not value:
        return "0"
    value = value.normalize(Context(prec=len(label)))
    return f"{value:f}" if max(abs(value.adjusted()), len(value.as_tuple().digits)) < PLAIN else str(value)
