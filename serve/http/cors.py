"""The headers by which a web page of another origin may read an answer of /predict.

Starlette's middleware adds the same to all other routes, and answers what browsers ask beforehand.
It takes twice the time of a request, so the fast way has its headers ready.
"""

from collections.abc import Sequence

from serve.http.body import Headers

EXPOSED = ["X-Request-ID", "X-Rows", "X-Bad-Rows", "X-Warned-Rows", "X-Model-Version"]
Header = tuple[bytes, bytes]


class CorsHeaders:
    """Finds the headers for a request; those of a named origin are made once."""

    def __init__(self, origins: Sequence[str]) -> None:
        exposed = (b"access-control-expose-headers", ", ".join(EXPOSED).encode())
        anybody = [(b"access-control-allow-origin", b"*")] if "*" in origins else []
        # Even without an Origin: a cache must not give one page what another was told.
        self._none: list[Header] = [(b"vary", b"Origin")] if origins else []
        self._others = [*anybody, exposed, *self._none] if origins else []
        self._named: dict[bytes, list[Header]] = {
            origin.encode(): [(b"access-control-allow-origin", origin.encode()), *self._others]
            for origin in origins
            if not anybody
        }

    def choose(self, headers: Headers) -> list[Header]:
        """Return the headers for an answer to a request with these."""
        origin = headers.get(b"origin")
        return self._none if origin is None else self._named.get(origin, self._others)
