"""One batch: all rows of a table predicted part by part, so that a killed one can go on."""

import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import metadata
from itertools import islice
from typing import Any, BinaryIO

from tqdm import tqdm

from serve.batch.locations import Location, hash_file
from serve.batch.parts import Parts
from serve.files.formats import Source, open_sink, open_source
from serve.files.sinks import BadRows, Layout
from serve.files.table import Predictor, Summary
from serve.runtime.model import Model

BLOCK = 1_000  # rows between two looks at the progress bar
LIBRARIES = ("numpy", "onnxruntime", "pyarrow")


@dataclass(frozen=True)
class Job:
    """What was asked for, with the model that answers it."""

    model: Model
    manifest_sha256: str
    source: Location
    out: Location
    id_column: str | None
    rejects: bool  # a table with a bad row
    bad_rows: Location
    part_rows: int
    shows_progress: bool

    def identity(self, input_sha256: str) -> dict[str, Any]:
        """Return all that decides about the bytes of the output."""
        return {
            "manifest": self.manifest_sha256,
            "input": input_sha256,
            "formats": [self.source.format, self.out.format],
            "id": self.id_column,
            "part_rows": self.part_rows,
        }


def run_job(job: Job) -> Summary:
    """Predict all rows, those that are not done yet; return what became of all.

    Raises LocationError or OSError where a file cannot be read or written, RequestError for a table
    that cannot be answered at all.
    """
    with Parts.lock(job.out) as parts:
        path = job.source.fetch(parts.folder)
        input_sha256 = hash_file(path)
        parts.begin(job.identity(input_sha256))
        with path.open("rb") as file:
            _predict_parts(job, parts, file)
        summary = parts.sum_up()
        if summary.bad:
            parts.join_bad_rows(job.bad_rows)
        if not (summary.bad and job.rejects):
            parts.join(job.out)
            report = describe_job(job, summary, input_sha256, path.stat().st_size)
            job.out.with_ending(".manifest.json").write(
                json.dumps(report, indent=2).encode() + b"\n"
            )
        parts.remove()
    return summary


def _predict_parts(job: Job, parts: Parts, file: BinaryIO) -> None:
    """Write the parts that are not there yet."""
    predictor = Predictor(job.model, job.id_column, job.source.format == "parquet")
    source = open_source(job.source.format, file, job.model.manifest.spelling, sys.maxsize)
    predictor.check(source.names)
    layout = Layout(job.model, source.kind, job.id_column)
    rows = source.rows(predictor.wanted)
    with _show_progress(job, source, file) as advance:
        for _ in islice(rows, parts.rows):
            pass  # done before
        advance(parts.rows)
        while parts.is_incomplete:
            with parts.open_next() as part:
                is_integer = job.id_column in source.integers
                sink = open_sink(job.out.format, part.file, layout, is_integer, part.is_first)
                bad = BadRows(part.bad_file, layout, part.is_first)
                waiting = islice(rows, job.part_rows)
                with closing(sink), closing(bad):
                    while results := predictor.predict(islice(waiting, BLOCK)):
                        sink.write(results)
                        bad.write(results)
                        part.summary.add(results)
                        advance(len(results))
                part.is_last = part.summary.rows < job.part_rows
    source.close()


@contextmanager
def _show_progress(job: Job, source: Source, file: BinaryIO) -> Iterator[Any]:
    """Show how far the input is read: rows where their number is known, else bytes."""
    total = getattr(source, "total", None)
    size = os.fstat(file.fileno()).st_size
    options = {"unit": " rows"} if total is not None else {"unit": "B", "unit_scale": True}
    hidden = None if job.shows_progress else True  # None: unless this is no terminal
    with tqdm(total=size if total is None else total, disable=hidden, **options) as bar:
        yield lambda rows: bar.update(file.tell() - bar.n if total is None else rows)


def describe_job(job: Job, summary: Summary, input_sha256: str, size: int) -> dict[str, Any]:
    """Return what OUT.manifest.json says."""
    manifest = job.model.manifest
    return {
        "task": manifest.task,
        "model": {
            "family": manifest.model.family,
            "version": manifest.version,
            "sha256": manifest.model.sha256,
        },
        "input": {"path": str(job.source), "sha256": input_sha256, "bytes": size},
        "output": {"path": str(job.out), "id": job.id_column},
        "rows": summary.rows,
        "bad_rows": summary.bad,
        "warned_rows": summary.warned,
        "bad_rows_by_check": dict(sorted(summary.checks.items())),
        "libraries": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in LIBRARIES},
        },
    }
