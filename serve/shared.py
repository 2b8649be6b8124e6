"""What all routes of one server process share."""

import os
from dataclasses import dataclass, field

from serve.catalog import Catalog
from serve.prediction_log import PredictionLog
from serve.security import Gate
from serve.settings import Settings
from serve.telemetry.meters import Telemetry
from serve.waiting import Queue


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
