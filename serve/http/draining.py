"""Ends kept-alive connections so that no request on its way is lost when the server stops."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# An idle connection stays open for so long after the signal: a request that its client sent before
# it could know of the end arrives and is answered. uvicorn alone would close it at once.
LAST_SECONDS = 1.0


class DrainingProtocol(HttpToolsProtocol):
    """uvicorn's protocol but for its end; give it to uvicorn as ``--http``."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._is_last = False

    def shutdown(self) -> None:
        """Answer what is under way, and what arrives shortly; then close."""
        self._is_last = True
        if self.cycle is None or self.cycle.response_complete:
            self._unset_keepalive_if_required()
            self.loop.call_later(LAST_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._is_last:
            self.cycle.keep_alive = False
