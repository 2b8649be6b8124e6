"""Says how far the training is, and measures how fast it goes.

The clock is read here only, and nothing that a stage keeps under a hash depends on it.
"""

import sys
import time
from typing import Any

from tqdm import tqdm

from stages.fine_tuning.trainer import Trainer

SECONDS_BETWEEN_LOSSES = 0.5  # on the bar: on a GPU each one waits for the steps before it


class Reporter:
    """A progress bar over the steps of all fits on a terminal; elsewhere a line an evaluation.

    ``steps`` are planned for each fit. What need not be done, because it is kept from a run before
    or because a fit stops early, is taken off the total: the time left is that of work left.
    """

    def __init__(self, steps: list[int], quiet: bool = False) -> None:
        self.planned, self.quiet = steps, quiet
        self.number = 0  # of the fit at work, from 1
        self.bar: Any = None
        if not quiet and any(steps) and sys.stderr.isatty():
            self.bar = tqdm(total=sum(steps), unit="step")
        self.seconds = self.cpu_seconds = 0.0  # spent on steps in this process's lifetime
        self.shown = 0.0  # of these, when the bar last showed a loss
        self.steps = self.rows = self.tokens = 0

    def start_fit(self, done: int) -> None:
        """Note that the next fit begins, or goes on after ``done`` steps."""
        self.number += 1
        self._spare(done)
        if self.bar is not None:
            self.bar.set_description(self._name)

    def skip_fit(self) -> None:
        """Note that the next fit is kept from a run before."""
        self.start_fit(0)
        self.end_fit(self.planned[self.number - 1])

    def train_step(self, trainer: Trainer) -> None:
        """Let the trainer take a step, and show what came of it."""
        evaluations, started, cpu = len(trainer.points), time.perf_counter(), time.process_time()
        lengths = [trainer.fitted.lengths[rows] for rows in trainer.schedule[trainer.step]]
        trainer.train_step()
        self.seconds += time.perf_counter() - started
        self.cpu_seconds += time.process_time() - cpu
        self.steps += 1
        self.rows += sum(map(len, lengths))
        self.tokens += sum(int(found.sum()) for found in lengths)
        if self.bar is not None:
            self._advance(trainer)
        elif len(trainer.points) > evaluations and not self.quiet:
            self._line(trainer)

    def end_fit(self, left: int) -> None:
        """Note that the fit needed none of the ``left`` steps that were planned for it."""
        self._spare(left)
        if self.bar is not None and self.number == len(self.planned):
            self.bar.close()

    def measure(self) -> dict[str, float]:
        """Return the seconds spent training, of time and of CPU, and what was done in a second."""
        texts = self.rows / self.seconds if self.seconds else 0.0
        return {
            "training_seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "texts_per_second": texts,
            "tokens_per_second": self.pace,
        }

    @property
    def pace(self) -> float:
        """Tokens a second, padding not counted."""
        return self.tokens / self.seconds if self.seconds else 0.0

    @property
    def _name(self) -> str:
        return f"fit {self.number} of {len(self.planned)}"

    def _spare(self, steps: int) -> None:
        if self.bar is not None:
            self.bar.total -= steps

    def _advance(self, trainer: Trainer) -> None:
        if self.seconds >= self.shown + SECONDS_BETWEEN_LOSSES:
            self.shown = self.seconds
            text = f"{_format_losses(trainer)}, {self.pace:,.0f} tokens/s"
            self.bar.set_postfix_str(text, refresh=False)
        self.bar.update()

    def _line(self, trainer: Trainer) -> None:
        done, total = trainer.step, len(trainer.schedule)
        left = (total - done) * self.seconds / self.steps
        print(
            f"{self._name}, step {done} of {total}: {_format_losses(trainer)}, "
            f"{self.pace:,.0f} tokens/s, at most {left:.0f} s left in this fit",
            flush=True,
        )


def _format_losses(trainer: Trainer) -> str:
    """Return the latest evaluation's losses, or before the first one the loss so far."""
    if not trainer.points:
        return f"loss {trainer.loss:.3f}"
    _, fitted, watched = trainer.points[-1]
    return f"loss {fitted:.3f}" + (f", held out {watched:.3f}" if len(trainer.watched) else "")
