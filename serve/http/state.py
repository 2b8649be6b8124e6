"""What all routes of one server process share."""

import os
from dataclasses import dataclass, field

from serve.http.auth import Gate
from serve.http.catalog import Catalog
from serve.http.metrics.meters import Telemetry
from serve.http.queue import Queue
from serve.http.settings import Settings
from serve.log.prediction_log import PredictionLog


@dataclass
class Shared:
    """Found as ``app.shared``. A reload puts another ``catalog`` in place; nothing else changes.

    The prediction log, if the settings want one, is opened in `serve.http.app.lifespan`.
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
