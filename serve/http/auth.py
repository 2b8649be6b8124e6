"""Who may ask, and how often: API keys with scopes, and a token bucket for each client."""

import hashlib
import hmac
import math
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from serve.http.body import Headers
from serve.http.keys import ApiKey, Scope
from serve.http.settings import Settings
from serve.runtime.errors import RequestError

MAX_BUCKETS = 10_000  # clients whose rate is remembered; of more, the longest unseen are forgotten


class Bucket:
    """Lets ``rate`` requests a second through, and ``burst`` at once after a pause."""

    __slots__ = ("stamp", "tokens")

    def __init__(self, burst: int, now: float) -> None:
        self.tokens, self.stamp = float(burst), now

    def take(self, rate: float, burst: int, now: float) -> float:
        """Take a token and return 0, or return how many seconds to wait for one."""
        self.tokens = min(float(burst), self.tokens + (now - self.stamp) * rate)
        self.stamp = now
        if self.tokens < 1:
            return (1 - self.tokens) / rate
        self.tokens -= 1
        return 0.0


class Authenticator:
    """Lets a request in, or says why not. Each worker counts its own share of the rate."""

    def __init__(self, settings: Settings) -> None:
        self.keys = [ApiKey.parse(line) for line in settings.api_keys]
        self.rate, self.burst = settings.rate_limit, settings.rate_burst
        self.is_open = not self.keys and self.rate is None  # nothing is asked of anybody
        self._buckets: OrderedDict[object, Bucket] = OrderedDict()

    def admit(self, asgi: Mapping[str, Any], headers: Headers, need: Scope | None) -> None:
        """Return if this request may do what needs the scope ``need``, or a key of any scope.

        Raises RequestError: 401 without a known key, 403 if its scopes lack ``need``, 429 with
        Retry-After if its requests come too fast. Without keys everybody may do everything, at
        the rate of their address. Refused requests count as well, those without a known key for
        their address: nobody may try keys without end.
        """
        if self.is_open:
            return
        client = asgi.get("client")
        address: object = client[0] if client else None
        key = self._find_key(headers) if self.keys else None
        if self.rate is not None:
            self._slow_down(key.digest if key else address, self.rate)
        if self.keys and key is None:
            message = "send an API key that is valid here, as Authorization: Bearer <key>"
            raise RequestError(401, message, {"WWW-Authenticate": "Bearer"})
        if key and need and need not in key.scopes:
            raise RequestError(403, f"this API key may not do that: it lacks the scope {need}")

    def knows(self, headers: Headers) -> bool:
        """Say whether a request may see what is for those who may ask: it has a known key."""
        return not self.keys or self._find_key(headers) is not None

    def _find_key(self, headers: Headers) -> ApiKey | None:
        """Return the request's key, compared with each one in constant time."""
        digest = hashlib.sha256(_read_key(headers)).digest()
        found = [key for key in self.keys if hmac.compare_digest(key.digest, digest)]
        return found[0] if found else None

    def _slow_down(self, identity: object, rate: float) -> None:
        now = time.monotonic()
        bucket = self._buckets.pop(identity, None) or Bucket(self.burst, now)
        self._buckets[identity] = bucket  # as the last one seen
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        if wait := bucket.take(rate, self.burst, now):
            message = f"too many requests: {rate:g} a second are allowed, {self.burst} at once"
            raise RequestError(429, message, {"Retry-After": str(math.ceil(wait))})


def _read_key(headers: Headers) -> bytes:
    kind, _, key = headers.get(b"authorization", b"").partition(b" ")
    return key.strip() if kind.lower() == b"bearer" else headers.get(b"x-api-key", b"")
