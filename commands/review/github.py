"""Asks GitHub's API, with nothing but the standard library: no environment need be built for it."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from stages.shared.errors import PipelineError

PAGE = 100  # the most that GitHub gives at once


def ask(method: str, path: str, content: Any = None) -> Any:
    """Return the answer to a request about this repository.

    Where it is, and what opens it, the runner says: GITHUB_API_URL, GITHUB_REPOSITORY,
    GITHUB_TOKEN. Raises PipelineError with GitHub's words where it refuses.
    """
    url = f"{setting('GITHUB_API_URL')}/repos/{setting('GITHUB_REPOSITORY')}/{path}"
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, body, _headers(), method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")[:500]
        raise PipelineError(f"{method} {url}: {error.code} {said}") from error
    except urllib.error.URLError as error:
        raise PipelineError(f"{method} {url}: {error.reason}") from error


def pages(path: str) -> Iterator[Any]:
    """Yield every item of a list, however many pages it has."""
    number = 0
    while items := ask("GET", f"{path}?per_page={PAGE}&page={(number := number + 1)}"):
        yield from items


def setting(name: str) -> str:
    """Return a variable of the environment; raises PipelineError where it is missing."""
    if not (value := os.environ.get(name, "")):
        raise PipelineError(
            f"{name} is not set: this command is for a workflow (.github/workflows)"
        )
    return value


def _headers() -> dict[str, str]:
    return {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {setting('GITHUB_TOKEN')}",
        "Content-Type": "application/json",
    }
