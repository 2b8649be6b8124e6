"""A reference made ready to hold windows against."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from stages.monitoring.calibration import Calibration
from stages.monitoring.columns import Array, Plain, make_plain
from stages.monitoring.encoder import Encoder, fit_encoder
from stages.monitoring.layout import lay_out
from stages.monitoring.quality import Feed
from stages.monitoring.statistics import Base, Statistic, list_statistics
from stages.monitoring.table import LOSS, list_answers, list_columns
from stages.shared.schema import Schema


@dataclass(frozen=True)
class Reference:
    """What `calibrate` wrote of a task, and what is fitted on it.

    In ``order``, a datetime column, time goes on: that it does is no drift.
    """

    task: str
    table: pd.DataFrame
    schema: Schema
    calibration: Calibration
    order: str | None
    plain: Plain
    encoder: Encoder
    base: Base
    statistics: list[Statistic]
    feed: Feed

    @classmethod
    def prepare(
        cls, task: str, table: pd.DataFrame, schema: Schema, calibration: Calibration
    ) -> "Reference":
        """Fit on the reference what `calibrate` fitted on its halves."""
        order = calibration.order
        plain = make_plain(table, list_columns(schema, table), order)
        layout = lay_out(plain, list_answers(table))
        encoder = fit_encoder(layout, plain)
        base = Base.from_encoded(encoder.encode(plain, own=True))
        statistics = list_statistics(layout)
        feed = Feed.from_table(table[schema.names])
        return cls(task, table, schema, calibration, order, plain, encoder, base, statistics, feed)

    @property
    def losses(self) -> Array:
        """The loss of each row's out-of-fold answer; none where the truth is not known."""
        return self.table[LOSS].to_numpy(dtype=np.float64) if LOSS in self.table else np.empty(0)
