"""Says how far the training is, and measures how fast it goes.

The clock is read here only, and nothing that a stage keeps under a hash depends on it.
"""

import sys
import time
from typing import Any

from tqdm import tqdm

from stages.fine_tuning.learning import Learner

SECONDS_BETWEEN_LOSSES = 0.5  # on the bar: on a GPU each one waits for the steps before it


class Reporter:
    """A progress bar over the steps of all fits on a terminal; elsewhere a line for each look.

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

    def starts(self, done: int) -> None:
        """Note that the next fit begins, or goes on after ``done`` steps."""
        self.number += 1
        self._spare(done)
        if self.bar is not None:
            self.bar.set_description(self._name)

    def skips(self) -> None:
        """Note that the next fit is kept from a run before."""
        self.starts(0)
        self.ends(self.planned[self.number - 1])

    def learns(self, learner: Learner) -> None:
        """Let the learner take a step, and show what came of it."""
        looks, started, cpu = len(learner.points), time.perf_counter(), time.process_time()
        lengths = [learner.fitted.lengths[rows] for rows in learner.plan[learner.step]]
        learner.learn()
        self.seconds += time.perf_counter() - started
        self.cpu_seconds += time.process_time() - cpu
        self.steps += 1
        self.rows += sum(map(len, lengths))
        self.tokens += sum(int(it.sum()) for it in lengths)
        if self.bar is not None:
            self._advance(learner)
        elif len(learner.points) > looks and not self.quiet:
            self._line(learner)

    def ends(self, left: int) -> None:
        """Note that the fit needed none of the ``left`` steps that were planned for it."""
        self._spare(left)
        if self.bar is not None and self.number == len(self.planned):
            self.bar.close()

    def measured(self) -> dict[str, float]:
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

    def _advance(self, learner: Learner) -> None:
        if self.seconds >= self.shown + SECONDS_BETWEEN_LOSSES:
            self.shown = self.seconds
            text = f"{_losses(learner)}, {self.pace:,.0f} tokens/s"
            self.bar.set_postfix_str(text, refresh=False)
        self.bar.update()

    def _line(self, learner: Learner) -> None:
        done, total = learner.step, len(learner.plan)
        left = (total - done) * self.seconds / self.steps
        print(
            f"{self._name}, step {done} of {total}: {_losses(learner)}, "
            f"{self.pace:,.0f} tokens/s, at most {left:.0f} s left in this fit",
            flush=True,
        )


def _losses(learner: Learner) -> str:
    """Return the latest look's losses, or before the first one the loss so far."""
    if not learner.points:
        return f"loss {learner.loss:.3f}"
    _, fitted, watched = learner.points[-1]
    return f"loss {fitted:.3f}" + (f", held out {watched:.3f}" if len(learner.watched) else "")
