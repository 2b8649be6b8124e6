"""What all routes of one server process share."""

import os
from dataclasses import dataclass, field
from typing import Protocol

from serve.catalog import Catalog
from serve.model import Model
from serve.security import Gate
from serve.settings import Settings
from serve.telemetry.meters import Telemetry
from serve.waiting import Queue


class PredictionLog(Protocol):
    """Keeps what was predicted. Writing must not make the answer wait: only note it, and return."""

    def put(self, model: Model, request_id: str, body: bytes, content: bytes) -> None:
        """Note a request's rows and its answer, both as the JSON that was sent."""


@dataclass
class Shared:
    """Found as ``app.shared``. A reload puts another ``catalog`` in place; nothing else changes.

    The prediction log, if the settings want one, is opened in `serve.app.lifespan`.
    """

    settings: Settings
    gate: Gate
    telemetry: Telemetry
    catalog: Catalog = field(default_factory=Catalog)
    prediction_log: PredictionLog | None = None
    queue: Queue = field(init=False)

    def __post_init__(self) -> None:
        """Make the queue before the first request; its threads start as they are needed."""
        self.queue = Queue(self.settings.threads or os.cpu_count() or 1, self.settings.max_waiting)
