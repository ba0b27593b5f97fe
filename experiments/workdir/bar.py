"""The progress bar of a run."""

import sys
import time

from tqdm import tqdm

from dlgm_jax.evaluation.scoring import Scores
from dlgm_jax.learning.loop import Progress
from experiments.workdir import hosts
from experiments.workdir.assembly import Assembly
from experiments.workdir.expected import Seconds, of_epoch_step, of_training
from experiments.workdir.workdir import Metrics


class Bar(tqdm):
    """The progress bar of a run, which also writes the metrics of each epoch.

    It goes by the expected seconds of the `parts`: so the time that is left is right where epochs take unequal times.
    """

    def __init__(self, assembly: Assembly, progress: Progress, metrics: Metrics, parts: Seconds | None):
        self._assembly, self._metrics, self._epoch, self._validation = assembly, metrics, progress.epoch + 1, ""
        self._parts = parts or Seconds(0, 0, 0, 0)
        self._unit = "word" if assembly.model.of_words else "row"
        whole = of_training(assembly, self._parts)
        super().__init__(
            total=whole,
            initial=whole - of_training(assembly, self._parts, progress),
            bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}",
            dynamic_ncols=True,
            smoothing=0,
            mininterval=0.1 if sys.stderr.isatty() else 20,
            disable=not hosts.first(),
        )
        self._began, self._documents = time.monotonic(), 0

    def stepped(self, documents: int, elbo_per_word: float) -> None:
        """Moves on by a batch."""
        self._documents += documents
        speed = self._documents / (time.monotonic() - self._began)
        self.set_postfix_str(
            f"{speed:.0f} doc/s, ELBO/{self._unit} {elbo_per_word:.3f}{self._validation}", refresh=False
        )
        self.update(of_epoch_step(self._assembly, self._parts, self._epoch))

    def skipped(self, message: str) -> None:
        """Says that a batch was left out."""
        self.write(f"skipped {message}", file=sys.stderr)

    def validated(self, epoch: int, scores: Scores, elbo_per_word: float) -> None:
        """Shows and writes the validation perplexity of an epoch."""
        guess, refined = scores.perplexity, scores.perplexity_refined
        if not self._assembly.model.of_words:
            guess, refined = scores.bound, scores.bound_refined
        self._validation = f", validation {guess:.0f}, refined {refined:.0f}"
        self.set_description_str(f"after epoch {epoch}", refresh=False)
        self.set_postfix_str(f"ELBO/{self._unit} {elbo_per_word:.3f}{self._validation}", refresh=False)
        self.update(self._parts.validation)
        seconds, self._began = time.monotonic() - self._began, time.monotonic()
        self._documents, self._epoch = 0, epoch + 1
        if hosts.first():
            facts = {"train_elbo_per_word": elbo_per_word, "seconds": round(seconds, 2)}
            self._metrics.append("validation", epoch, scores, **facts)
