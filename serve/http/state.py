"""What all routes of one server process share."""

import os
from dataclasses import dataclass, field
from functools import partial

from serve.http.auth import Authenticator
from serve.http.catalog import Catalog
from serve.http.metrics.meters import Telemetry
from serve.http.queue import Queue
from serve.http.settings import Settings
from serve.log.writer import Options, PredictionLog
from serve.runtime.answers import Outcome
from serve.runtime.model import Model


@dataclass
class Shared:
    """Found as ``app.shared``. A reload puts another ``catalog`` in place; nothing else changes.

    The prediction log, if the settings want one, is open while the service runs.
    """

    settings: Settings
    authenticator: Authenticator
    telemetry: Telemetry
    catalog: Catalog = field(default_factory=Catalog)
    prediction_log: PredictionLog | None = None
    queue: Queue = field(init=False)

    def __post_init__(self) -> None:
        """Make the queue before the first request; its threads start as they are needed."""
        self.queue = Queue(self.settings.threads or os.cpu_count() or 1, self.settings.max_waiting)

    def record(
        self, model: Model, request_id: str, rows: bytes, outcomes: list[Outcome], seconds: float
    ) -> None:
        """Count and log what a route has answered; on the event loop alone.

        ``rows`` is JSON as `/predict` takes it.
        """
        self.telemetry.count_predictions(model.manifest, outcomes, seconds)
        if self.prediction_log:
            content = model.answers.to_json(outcomes, request_id)
            self.prediction_log.put(model, request_id, rows, content)

    def open_prediction_log(self) -> None:
        """Start the log if the settings name a folder for it."""
        settings = self.settings
        if settings.prediction_log is None:
            return
        options = Options(
            folder=settings.prediction_log,
            max_file_bytes=settings.prediction_log_bytes,
            max_files=settings.prediction_log_files,
            share=settings.prediction_log_share,
            hidden=frozenset(settings.prediction_log_redact),
        )
        count = partial(self.telemetry.cell, "serve_prediction_log_rows")
        self.prediction_log = PredictionLog(options, count)
