"""Ends a server so that no request on its way is lost, whether one process serves or several."""

from typing import Any

from uvicorn.supervisors import Multiprocess

from serve.http.protocol import BoundedProtocol

# For so long after the signal a connection goes on as if nothing were: a client that was told to
# close would come again, to a worker that is about to let go of the port.
SETTLING_SECONDS = 0.5
# An idle connection stays open for so long after that: a request that its client sent before it
# could know of the end arrives and is answered. uvicorn alone would close it at once.
LAST_SECONDS = 1.0


class DrainingProtocol(BoundedProtocol):
    """uvicorn's protocol but for its bounds and its end; give it to uvicorn as ``--http``."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._is_last = False

    def shutdown(self) -> None:
        """Answer what is under way, and what arrives shortly; then close."""
        self._unset_keepalive_if_required()
        self.loop.call_later(SETTLING_SECONDS, self._begin_to_end)

    def _begin_to_end(self) -> None:
        self._is_last = True
        if self.cycle is None or self.cycle.response_complete:
            self._unset_keepalive_if_required()
            self.loop.call_later(LAST_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._is_last and self.cycle is not None:
            self.cycle.keep_alive = False


class DrainingWorkers(Multiprocess):
    """uvicorn's processes, whose parent lets go of the port before they do.

    Else the port would take connections to the very end, which no worker accepts any more: each of
    their clients would lose a request.
    """

    def terminate_all(self) -> None:
        """Tell all workers to end."""
        for listener in self.sockets:
            listener.close()
        super().terminate_all()
