"""Asks GitHub's API, with nothing but the standard library: no environment need be built for it."""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from typing import Any

from stages.shared.errors import PipelineError

PAGE = 100  # the most that GitHub gives at once
ATTEMPTS = 4
LONGEST_WAIT = 120  # seconds; a rate limit that lasts longer fails the job


def ask_github(method: str, path: str, content: Any = None) -> Any:
    """Return the answer to a request about this repository.

    The runner says where that is and what opens it: GITHUB_API_URL, GITHUB_REPOSITORY,
    GITHUB_TOKEN. What GitHub could not do for now is asked again. Raises PipelineError with
    GitHub's words where it refuses.
    """
    url = f"{read_setting('GITHUB_API_URL')}/repos/{read_setting('GITHUB_REPOSITORY')}/{path}"
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, body, _make_headers(), method=method)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            seconds = _find_seconds_to_wait(method, error, attempt)
            if seconds is None or attempt == ATTEMPTS:
                reason = error.read().decode(errors="replace")[:500]
                raise PipelineError(f"{method} {url}: {error.code} {reason}") from error
            time.sleep(seconds)
        except urllib.error.URLError as error:
            raise PipelineError(f"{method} {url}: {error.reason}") from error
    raise AssertionError("every attempt returns or raises")


def _find_seconds_to_wait(method: str, error: urllib.error.HTTPError, attempt: int) -> float | None:
    """Return after how many seconds to ask again; None where that is of no use.

    A POST that ended in a server's error may have been carried out: repeating it might post twice.
    """
    if error.code in (403, 429):
        return _read_seconds_of_limit(error.headers)
    if error.code >= 500 and method != "POST":
        return float(2 ** (attempt - 1))
    return None


def _read_seconds_of_limit(headers: Message) -> float | None:
    """Return how long a rate limit lasts, as GitHub's headers say; None for another refusal."""
    if after := headers.get("Retry-After"):
        seconds = float(after)
    elif headers.get("X-RateLimit-Remaining") == "0":
        seconds = float(headers.get("X-RateLimit-Reset", "0")) - time.time() + 1
    else:
        return None
    return max(seconds, 0.0) if seconds <= LONGEST_WAIT else None


def list_items(path: str) -> Iterator[Any]:
    """Yield every item of a list, however many pages it has."""
    number = 0
    while items := ask_github("GET", f"{path}?per_page={PAGE}&page={(number := number + 1)}"):
        yield from items


def read_setting(name: str) -> str:
    """Return a variable of the environment; raises PipelineError where it is missing."""
    if not (value := os.environ.get(name, "")):
        raise PipelineError(
            f"{name} is not set: this command is for a workflow (.github/workflows)"
        )
    return value


def make_run_address() -> str:
    """Return the address of the workflow's run."""
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    server, repository, number = (read_setting(name) for name in names)
    return f"{server}/{repository}/actions/runs/{number}"


def _make_headers() -> dict[str, str]:
    return {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {read_setting('GITHUB_TOKEN')}",
        "Content-Type": "application/json",
    }
