"""Writes what all workers have counted as Prometheus reads it."""

import operator
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial

from prometheus_client import ProcessCollector, exposition
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector, CollectorRegistry

from serve.http.metrics.cells import Key, Worker
from serve.http.metrics.meters import BUCKETS, FAMILIES, SUM, Family

Numbers = dict[Key, float]


def render(workers: Sequence[Worker], accept: str) -> tuple[bytes, str]:
    """Return the metrics of all workers together, and the media type that ``accept`` led to."""
    encode, media_type = exposition.choose_encoder(accept)
    registry = CollectorRegistry()
    registry.register(_Workers(workers))
    return encode(registry), media_type


class _Workers(Collector):
    def __init__(self, workers: Sequence[Worker]) -> None:
        self.workers = workers

    def collect(self) -> Iterator[Metric]:
        for name, family in FAMILIES.items():
            yield _build_metric(name, family, merge_workers(self.workers, name, family))
        yield from collect_processes([worker.pid for worker in self.workers if worker.lives])


def merge_workers(workers: Iterable[Worker], name: str, family: Family) -> Numbers:
    """Return a metric's sums over all workers, by its labels' values (and a histogram's bucket).

    What a dead worker has counted still counts; what it had under way, or served, does not.
    """
    sums: Numbers = defaultdict(float)
    for worker in workers:
        if worker.lives or family.kind in ("counter", "histogram"):
            for (metric, *labels), value in worker.values.items():
                if metric == name:
                    sums[tuple(labels)] += value
    return sums


def _build_metric(name: str, family: Family, numbers: Numbers) -> Metric:
    match family.kind:
        case "histogram":
            return _build_histogram(name, family, numbers)
        case "info":
            info = InfoMetricFamily(name, family.help)
            for labels, value in numbers.items():
                if value > 0:
                    info.add_metric((), dict(zip(family.labels, labels, strict=True)))
            return info
        case _:
            plain = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
            made = plain(name, family.help, labels=family.labels)
            for labels, value in numbers.items():
                made.add_metric(labels, value)
            return made


def _build_histogram(name: str, family: Family, numbers: Numbers) -> Metric:
    made = HistogramMetricFamily(name, family.help, labels=family.labels)
    for labels in dict.fromkeys(key[:-1] for key in numbers):
        total, buckets = 0.0, []
        for bound in (*BUCKETS, float("inf")):
            total += numbers[*labels, repr(bound)]
            buckets.append(("+Inf" if bound == float("inf") else repr(bound), total))
        made.add_metric(labels, buckets, numbers[*labels, SUM])
    return made


def collect_processes(pids: Iterable[int]) -> Iterator[Metric]:
    """Yield CPU, memory and open files, summed over the processes; the start is the first one's."""
    found: dict[str, Metric] = {}
    for pid in pids:
        with suppress(OSError):  # it has ended meanwhile
            for metric in ProcessCollector(pid=partial(int, pid), registry=None).collect():
                _add(found.setdefault(metric.name, metric), metric)
    yield from found.values()


def _add(total: Metric, metric: Metric) -> None:
    if total is not metric:
        first, more = total.samples[0], metric.samples[0]
        join = min if metric.name == "process_start_time_seconds" else operator.add
        total.samples[0] = first._replace(value=join(first.value, more.value))
