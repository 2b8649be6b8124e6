"""Says how far the training is, and measures how fast it goes.

The clock is read here only, and nothing that a stage keeps under a hash depends on it.
"""

import sys
import time
from typing import Any

from tqdm import tqdm

from stages.fine_tuning.learning import Learner


class Reporter:
    """A progress bar over all steps of one fit on a terminal; elsewhere a line for each look."""

    def __init__(self, fits: int, quiet: bool = False) -> None:
        self.fits, self.number = fits, 0
        self.quiet = quiet
        self.bar: Any = None
        self.seconds = 0.0  # spent on training steps, in this process's lifetime
        self.steps = self.rows = self.tokens = 0

    def starts(self, learner: Learner | None = None) -> None:
        """Note that the next fit begins, or goes on where ``learner`` stands."""
        self.number += 1
        if learner is None or self.quiet or not sys.stderr.isatty():
            return
        title = f"fit {self.number} of {self.fits}"
        self.bar = tqdm(total=len(learner.plan), initial=learner.step, desc=title, unit="step")

    def learns(self, learner: Learner) -> None:
        """Let the learner take a step, and show what came of it."""
        looks, started = len(learner.points), time.perf_counter()
        lengths = [learner.fitted.lengths[rows] for rows in learner.plan[learner.step]]
        learner.learn()
        self.seconds += time.perf_counter() - started
        self.steps += 1
        self.rows += sum(map(len, lengths))
        self.tokens += sum(int(it.sum()) for it in lengths)
        if self.bar is not None:
            self.bar.set_postfix_str(f"{_losses(learner)}, {self.pace:,.0f} tokens/s")
            self.bar.update()
        elif len(learner.points) > looks and not self.quiet:
            self._line(learner)

    def ends(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def measured(self) -> dict[str, float]:
        """Return the seconds of this process spent training, and texts and tokens a second."""
        texts = self.rows / self.seconds if self.seconds else 0.0
        return {
            "training_seconds": self.seconds,
            "texts_per_second": texts,
            "tokens_per_second": self.pace,
        }

    @property
    def pace(self) -> float:
        """Tokens a second, padding not counted."""
        return self.tokens / self.seconds if self.seconds else 0.0

    def _line(self, learner: Learner) -> None:
        done, total = learner.step, len(learner.plan)
        left = (total - done) * self.seconds / self.steps
        print(
            f"fit {self.number} of {self.fits}, step {done} of {total}: {_losses(learner)}, "
            f"{self.pace:,.0f} tokens/s, {left:.0f} s left in this fit",
            flush=True,
        )


def _losses(learner: Learner) -> str:
    """Return the latest look's losses, or before the first one the loss so far."""
    if not learner.points:
        return f"loss {learner.loss:.3f}"
    _, fitted, watched = learner.points[-1]
    return f"loss {fitted:.3f}, held out {watched:.3f}"
