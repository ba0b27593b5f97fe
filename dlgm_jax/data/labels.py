"""Names of classes, as the values of any format give them."""

from typing import Any

import numpy as np

from dlgm_jax.data.corpus import shown
from dlgm_jax.types import BadInput


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
