"""Where requests wait for a slow model, so that nobody else has to."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from serve.runtime.errors import RequestError

T = TypeVar("T")
RETRY_SECONDS = 1


class Queue:
    """Threads for slow work, and a bounded number of requests at a time for them.

    ONNX Runtime lets go of the interpreter's lock: as many threads as cores use them all.
    """

    def __init__(self, threads: int, most: int) -> None:
        self.most, self.held = most, 0
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="slow")

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Return what the work returns, off the event loop; runs on the event loop.

        Raises RequestError (503) where too many are held already.
        """
        if self.held >= self.most:
            reason = f"{self.held} requests wait for a transformer already: try again later"
            raise RequestError(503, reason, {"Retry-After": str(RETRY_SECONDS)})
        self.held += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self.pool, work, *arguments)
        finally:
            self.held -= 1

    def close(self) -> None:
        """Let the threads end; work that nobody waits for any more is dropped."""
        self.pool.shutdown(wait=False, cancel_futures=True)
