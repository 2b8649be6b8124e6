"""Predicts a whole table without a server: ``python -m serve.batch heart rows.csv answers.csv``.

IN and OUT are CSV or Parquet by their ending, local paths or any URL that fsspec knows. Work is
kept in parts beside OUT, so that the same command goes on where a killed one stopped; OUT appears
when it is complete, with OUT.manifest.json: which model answered, what it read, what it found.
"""

import argparse
import gc
import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from tqdm import tqdm

from serve.batch.locations import Place, PlaceError, sha256_of
from serve.batch.parts import Parts
from serve.files.formats import Source, open_sink, open_source
from serve.files.sinks import BadRows, Layout
from serve.files.table import Predictor, Summary
from serve.runtime.errors import RequestError
from serve.runtime.load import load_model
from serve.runtime.manifest import MANIFEST, ManifestError
from serve.runtime.model import Model

BLOCK = 1_000  # rows between two looks at the progress bar
PART_ROWS = 50_000  # rows that a kill may cost
LIBRARIES = ("numpy", "onnxruntime", "pyarrow")
FAILED, REFUSED = 1, 2  # exit codes: rows that do not fit; nothing was done


class BatchError(Exception):
    """Nothing was written: what is wrong, and what to do."""


@dataclass(frozen=True)
class Job:
    """What was asked for, with the model that answers it."""

    model: Model
    manifest_sha256: str
    source: Place
    out: Place
    id_column: str | None
    rejects: bool  # a table with a bad row
    bad_rows: Place
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


def main(arguments: list[str] | None = None) -> None:
    """Predict as the command line says; exit with a message where that cannot be."""
    try:
        job = read_arguments(arguments)
        summary = run(job)
    except KeyboardInterrupt:
        sys.exit("stopped: the same command goes on from here")
    except (BatchError, PlaceError, ManifestError, OSError) as error:
        print(f"nothing was written: {error}", file=sys.stderr)
        sys.exit(REFUSED)
    except RequestError as refusal:
        print(f"{job.source} cannot be read: {_told(refusal)}", file=sys.stderr)
        sys.exit(REFUSED)
    bad = f", {summary.bad:,} of them bad: see {job.bad_rows}" if summary.bad else ""
    print(f"{summary.rows:,} rows{bad}", file=sys.stderr)
    if summary.bad and job.rejects:
        print(f"{job.out} was not written, as --on-bad-rows reject asks", file=sys.stderr)
        sys.exit(FAILED)


def _told(refusal: RequestError) -> str:
    if isinstance(refusal.detail, str):
        return refusal.detail
    return "; ".join(f"{it['loc'][-1]}: {it['msg']}" for it in refusal.detail)


def read_arguments(arguments: list[str] | None) -> Job:
    """Return the job; raises BatchError, PlaceError or ManifestError where there is none."""
    parser = argparse.ArgumentParser(prog="python -m serve.batch", description=__doc__)
    parser.add_argument("task")
    parser.add_argument("source", metavar="IN")
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--id", metavar="COLUMN", help="a column to hand on")
    parser.add_argument(
        "--on-bad-rows",
        choices=("report", "reject"),
        default="report",
        help="say in OUT why they have no answer (the default), or write no OUT at all",
    )
    parser.add_argument("--bad-rows", metavar="FILE", help="what is wrong with them: OUT.bad.csv")
    parser.add_argument("--force", action="store_true", help="replace OUT if there is one")
    parser.add_argument("--models", default=os.environ.get("MODELS_DIR") or "models")
    parser.add_argument("--part-rows", type=int, default=PART_ROWS, help="rows kept at once")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    given = parser.parse_args(arguments)
    source, out = Place.of(given.source), Place.of(given.out)
    bad_rows = Place.of(given.bad_rows) if given.bad_rows else out.beside(".bad.csv")
    if out.exists() and not given.force:
        raise BatchError(f"{out} is there already: --force replaces it")
    if given.part_rows < 1:
        raise BatchError(f"--part-rows is {given.part_rows}: it must be at least 1")
    folder = Path(given.models, given.task)
    model = load_model(folder)
    gc.freeze()  # the collector need not look again at what stays to the end
    return Job(
        model=model,
        manifest_sha256=sha256_of(folder / MANIFEST),
        source=source,
        out=out,
        id_column=given.id,
        rejects=given.on_bad_rows == "reject",
        bad_rows=bad_rows,
        part_rows=given.part_rows,
        shows_progress=not given.quiet,
    )


def run(job: Job) -> Summary:
    """Predict all rows, those that are not done yet; return what became of all.

    Raises PlaceError or OSError where a file cannot be read or written, RequestError for a table
    that cannot be answered at all.
    """
    with Parts.locked(job.out) as parts:
        path = job.source.fetched(parts.folder)
        input_sha256 = sha256_of(path)
        parts.begin(job.identity(input_sha256))
        with path.open("rb") as file:
            _predict(job, parts, file)
        summary = parts.summary()
        if summary.bad:
            parts.join_bad_rows(job.bad_rows)
        if not (summary.bad and job.rejects):
            parts.join(job.out)
            report = described(job, summary, input_sha256, path.stat().st_size)
            job.out.beside(".manifest.json").write(json.dumps(report, indent=2).encode() + b"\n")
        parts.remove()
    return summary


def _predict(job: Job, parts: Parts, file: BinaryIO) -> None:
    """Write the parts that are not there yet."""
    predictor = Predictor(job.model, job.id_column)
    source = open_source(job.source.format, file, job.model.manifest.spelling, sys.maxsize)
    predictor.check(source.names)
    layout = Layout(job.model, source.kind, job.id_column)
    rows = source.rows(predictor.wanted)
    with _progress(job, source, file) as advance:
        for _ in islice(rows, parts.rows):
            pass  # done before
        advance(parts.rows)
        while parts.is_incomplete:
            with parts.next() as part:
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
def _progress(job: Job, source: Source, file: BinaryIO) -> Iterator[Any]:
    """Show how far the input is read: rows where their number is known, else bytes."""
    total = getattr(source, "total", None)
    size = os.fstat(file.fileno()).st_size
    options = {"unit": " rows"} if total is not None else {"unit": "B", "unit_scale": True}
    hidden = None if job.shows_progress else True  # None: unless this is no terminal
    with tqdm(total=size if total is None else total, disable=hidden, **options) as bar:
        yield lambda rows: bar.update(file.tell() - bar.n if total is None else rows)


def described(job: Job, summary: Summary, input_sha256: str, size: int) -> dict[str, Any]:
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


if __name__ == "__main__":
    main()
