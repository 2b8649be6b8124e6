"""Where requests wait for a slow model, so that nobody else has to."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from serve.runtime.answers import Outcome
from serve.runtime.errors import RequestError
from serve.runtime.model import Checked, Model

T = TypeVar("T")
RETRY_SECONDS = 1


class Ran(NamedTuple):
    """A request's rows, what the model made of them, and the time that this took."""

    rows: list[Checked]
    outcomes: list[Outcome]
    seconds: float


class Queue:
    """Threads for slow work, and a bounded number of requests at a time for them.

    A request has one piece of its work there at a time, so that all take turns: a list of hundreds
    of texts makes a single text wait for no more than a few of them. ONNX Runtime lets go of the
    interpreter's lock: as many threads as cores use them all.
    """

    def __init__(self, threads: int, most: int) -> None:
        self.most, self.held = most, 0
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="slow")

    @contextmanager
    def hold_place(self) -> Iterator[None]:
        """Let a request in; raises RequestError (503) where too many are held already."""
        if self.held >= self.most:
            reason = f"{self.held} requests wait for a transformer already: try again later"
            raise RequestError(503, reason, {"Retry-After": str(RETRY_SECONDS)})
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1

    async def run_piece(self, work: Callable[..., T], *arguments: object) -> T:
        """Return what a piece of work returns, off the event loop, after those that came before."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, work, *arguments)

    async def run_rows(self, model: Model, read: Callable[[], list[Checked]]) -> Ran:
        """Run the rows that ``read`` gives, a row at a time; raises RequestError (422, 503)."""
        with self.hold_place():
            rows = await self.run_piece(read)
            outcomes, seconds = list[Outcome | None](), 0.0
            for row in rows:
                outcome, taken = await self.run_piece(_run_row, model, row)
                outcomes.append(outcome)
                seconds += taken
        return Ran(rows, model.settle(rows, outcomes), seconds)

    def close(self) -> None:
        """Let the threads end; work that nobody waits for any more is dropped."""
        self.pool.shutdown(wait=False, cancel_futures=True)


def run_rows_at_once(model: Model, read: Callable[[], list[Checked]]) -> Ran:
    """Run the rows that ``read`` gives one after another, here; raises RequestError (422)."""
    rows = read()
    start = time.perf_counter()
    outcomes = model.run(rows)
    return Ran(rows, outcomes, time.perf_counter() - start)


def _run_row(model: Model, row: Checked) -> tuple[Outcome | None, float]:
    start = time.perf_counter()
    (outcome,) = model.run_each([row])
    return outcome, time.perf_counter() - start
