"""Printing that outlives its reader."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any


class Lasting:
    """A text stream that drops what is written to it once nobody reads it any more, as after `| head -1`.

    All else is the stream's own. A file on a full disk is no such case: its error is raised.
    """

    def __init__(self, stream: Any):
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes a text while someone reads."""
        self._while_read(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Hands on what was written, while someone reads."""
        self._while_read(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _while_read(self, act: Any) -> None:
        try:
            act()
        except OSError as error:
            # what waits in the stream's buffer has to go somewhere, or Python complains at its end
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
            if not isinstance(error, BrokenPipeError):
                raise


@contextmanager
def lasting() -> Iterator[None]:
    """Inside, stdout and stderr may lose their readers, or be closed from the beginning (`>&-`), and work goes on.

    A character that their encoding lacks is written in another form.
    """
    with ExitStack() as stack:
        for name, redirect in (("stdout", redirect_stdout), ("stderr", redirect_stderr)):
            stream: Any = getattr(sys, name)
            if stream is None:  # this one holds its number, lest a file of the run gets it that libraries then write to
                stream = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
            if hasattr(stream, "reconfigure"):  # a notebook's has none
                stream.reconfigure(errors="replace" if name == "stdout" else "backslashreplace")
            stack.enter_context(redirect(Lasting(stream)))
        yield
