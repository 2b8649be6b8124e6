"""What the server counts, and the few calls that count it; `exposition` shows it."""

import multiprocessing
import os
import tempfile
import threading
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from serve.http.metrics.cells import Cell, Key, Memory, SharedMemory
from serve.runtime.answers import Outcome
from serve.runtime.manifest import Card

# Seconds. Inference of a tree ensemble takes some 10 µs, of a transformer some milliseconds.
BUCKETS = (
    25e-6, 50e-6, 1e-4, 25e-5, 5e-4, 1e-3, 25e-4, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0,
)  # fmt: skip
SUM = "sum"


@dataclass(frozen=True)
class Family:
    """A metric: its kind, what it means, and the labels that its numbers have."""

    kind: Literal["counter", "gauge", "histogram", "info"]
    help: str
    labels: tuple[str, ...] = ()


FAMILIES: Mapping[str, Family] = {
    "serve_requests": Family(
        "counter", "Requests answered, refused ones included.", ("method", "route", "status")
    ),
    "serve_request_seconds": Family(
        "histogram", "Time from a request's headers to its answer's end.", ("method", "route")
    ),
    "serve_requests_in_flight": Family("gauge", "Requests that wait for their answer."),
    "serve_inference_seconds": Family(
        "histogram", "Time that a request's rows spent in the model.", ("task", "version")
    ),
    "serve_predictions": Family(
        "counter", "Rows answered, by class; regression has none.", ("task", "version", "label")
    ),
    "serve_warnings": Family(
        "counter", "Warnings beside answers, such as outside_training.", ("task", "type")
    ),
    "serve_bad_rows": Family(
        "counter", "Rows of files without an answer, by what was wrong.", ("task", "type")
    ),
    "serve_prediction_log_rows": Family(
        "counter",
        "Rows of the prediction log: written, lost to an error; requests dropped.",
        ("outcome",),
    ),
    "serve_model": Family("info", "Models that serve.", ("task", "version", "model", "sha256")),
    "serve_reloads": Family("counter", "New models taken over, or refused.", ("task", "outcome")),
}


def find_shared_folder(named: Path | None) -> Path | None:
    """Return the folder in which workers share their counts, or None for a single process.

    uvicorn starts its workers with multiprocessing, and they know their common parent; where
    something else starts them, the settings must name a folder.
    """
    parent = multiprocessing.parent_process()
    if named or parent is None:
        return named
    return Path(tempfile.gettempdir()) / f"serve-{os.getuid()}-{parent.pid}"


class Histogram:
    """Counts how often which time was taken, and sums the times."""

    __slots__ = ("buckets", "sum")

    def __init__(self, buckets: Sequence[Cell], total: Cell) -> None:
        self.buckets, self.sum = buckets, total

    def observe(self, seconds: float) -> None:
        self.buckets[bisect_left(BUCKETS, seconds)].add()
        self.sum.add(seconds)


class Telemetry:
    """All counters of this process; call its methods from the event loop alone, never a thread."""

    def __init__(self, folder: Path | None = None) -> None:
        """Count in this process's memory, or with a folder in files that all workers share."""
        self.folder = folder
        self.memory = SharedMemory(folder) if folder else Memory()
        self._making = threading.Lock()
        self._cells: dict[Key, Cell] = {}
        self._histograms: dict[Key, Histogram] = {}
        self._models: dict[tuple[str, str], tuple[list[Cell], Histogram]] = {}
        self._requests: dict[tuple[str, str, int], tuple[Cell, Histogram]] = {}
        self.in_flight = self.cell("serve_requests_in_flight")

    def cell(self, *key: str) -> Cell:
        """Return the cell of a metric for its labels' values, the same one every time."""
        try:
            return self._cells[key]
        except KeyError:
            with self._making:  # a cell made twice would keep counts that nobody reads
                if key not in self._cells:
                    self._cells[key] = self.memory.cell(key)
                return self._cells[key]

    def histogram(self, *key: str) -> Histogram:
        """Return the histogram of a metric for its labels' values, the same one every time."""
        try:
            return self._histograms[key]
        except KeyError:
            buckets = [self.cell(*key, repr(bound)) for bound in (*BUCKETS, float("inf"))]
            made = Histogram(buckets, self.cell(*key, SUM))
            return self._histograms.setdefault(key, made)

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request at its end."""
        try:
            count, time = self._requests[method, route, status]
        except KeyError:
            count = self.cell("serve_requests", method, route, str(status))
            time = self.histogram("serve_request_seconds", method, route)
            self._requests[method, route, status] = count, time
        count.add()
        time.observe(seconds)

    def count_predictions(self, model: Card, outcomes: Sequence[Outcome], seconds: float) -> None:
        """Count a request's answered rows by label, their warnings, and their time in the model."""
        try:
            counts, time = self._models[model.version, model.task]
        except KeyError:
            counts, time = self._models[model.version, model.task] = self._make_cells(model)
        for outcome in outcomes:
            counts[outcome.choice].add()
            for warning in outcome.warnings:
                self.cell("serve_warnings", model.task, warning["type"]).add()
        time.observe(seconds)

    def _make_cells(self, model: Card) -> tuple[list[Cell], Histogram]:
        about = (model.task, model.version)
        labels = model.target.labels or ("",)
        counts = [self.cell("serve_predictions", *about, label) for label in labels]
        return counts, self.histogram("serve_inference_seconds", *about)

    def set_serving(self, model: Card, now: bool = True) -> None:
        """Note that a model serves from now on, or no longer."""
        about = (model.task, model.version, model.model.family, model.model.sha256)
        self.cell("serve_model", *about).set(float(now))

    def count_reload(self, task: str, outcome: Literal["served", "refused"]) -> None:
        self.cell("serve_reloads", task, outcome).add()
