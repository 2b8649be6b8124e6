"""The row that every server is asked about, and its right answer."""

import json
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.serve.peering.peer import Row
from serve.runtime.model import Model


@dataclass(frozen=True)
class Asked:
    """The row that every server is asked about, and the probabilities that it has to give."""

    named: dict[str, Any]
    encoded: Row
    answer: Row

    @classmethod
    def of(cls, model: Model) -> "Asked":
        """Take the first golden row without a gap, which JSON could not tell as a number."""
        for golden in model.manifest.golden:
            row = dict(golden.input)
            if None not in row.values():
                encoded = [*map(float, model.encoder.encode_unchecked(row))]
                return cls(row, encoded, [*golden.output])
        sys.exit("every golden row has a gap")

    def is_answered(self, url: str, body: Any) -> bool:
        """Tell whether a server gives the right probabilities, wherever in its answer."""
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            found = [*numbers(json.load(answer))]
        return all(any(abs(it - wanted) < 1e-5 for it in found) for wanted in self.answer)


def numbers(content: Any) -> Iterator[float]:
    """Yield every number at any depth."""
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list):
        for part in content:
            yield from numbers(part)
    elif isinstance(content, int | float):
        yield float(content)
