"""Predicts a whole table without a server: ``python -m serve.batch heart rows.csv answers.csv``.

IN and OUT are CSV or Parquet by their ending, local paths or any URL that fsspec knows. Work is
kept in parts beside OUT, so that the same command goes on where a killed one stopped; OUT appears
when it is complete, with OUT.manifest.json: which model answered, what it read, what it found.
"""

import argparse
import gc
import os
import sys
from pathlib import Path

from serve.batch.job import Job, run_job
from serve.batch.locations import Location, LocationError, hash_file
from serve.runtime.errors import RequestError
from serve.runtime.load import load_model
from serve.runtime.manifest import MANIFEST
from serve.runtime.manifest_file import ManifestError

PART_ROWS = 50_000  # rows that a kill may cost
FAILED, REFUSED = 1, 2  # exit codes: rows that do not fit; nothing was done


class BatchError(Exception):
    """Nothing was written: what is wrong, and what to do."""


def main(args: list[str] | None = None) -> None:
    """Predict as the command line says; exit with a message where that cannot be."""
    try:
        job = read_args(args)
        summary = run_job(job)
    except KeyboardInterrupt:
        sys.exit("stopped: the same command goes on from here")
    except (BatchError, LocationError, ManifestError, OSError) as error:
        print(f"nothing was written: {error}", file=sys.stderr)
        sys.exit(REFUSED)
    except RequestError as refusal:
        print(f"{job.source} cannot be read: {format_refusal(refusal)}", file=sys.stderr)
        sys.exit(REFUSED)
    bad = f", {summary.bad:,} of them bad: see {job.bad_rows}" if summary.bad else ""
    print(f"{summary.rows:,} rows{bad}", file=sys.stderr)
    if summary.bad and job.rejects:
        print(f"{job.out} was not written, as --on-bad-rows reject asks", file=sys.stderr)
        sys.exit(FAILED)


def format_refusal(refusal: RequestError) -> str:
    if isinstance(refusal.detail, str):
        return refusal.detail
    return "; ".join(f"{finding['loc'][-1]}: {finding['msg']}" for finding in refusal.detail)


def read_args(args: list[str] | None) -> Job:
    """Return the job; raises BatchError, LocationError or ManifestError where there is none."""
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
    parsed = parser.parse_args(args)
    source, out = Location.parse(parsed.source), Location.parse(parsed.out)
    bad_rows = Location.parse(parsed.bad_rows) if parsed.bad_rows else out.with_ending(".bad.csv")
    check_places(source, out, bad_rows)
    # OUT.bad.csv is a batch's own, and so is all that a killed one has begun.
    named = [out, bad_rows] if parsed.bad_rows and not out.work_folder.exists() else [out]
    for place in named:
        if place.exists() and not parsed.force:
            raise BatchError(f"{place} is there already: --force replaces it")
    if parsed.part_rows < 1:
        raise BatchError(f"--part-rows is {parsed.part_rows}: it must be at least 1")
    folder = find_folder(Path(parsed.models), parsed.task)
    model = load_model(folder)
    gc.freeze()  # the collector need not look again at what stays to the end
    return Job(
        model=model,
        manifest_sha256=hash_file(folder / MANIFEST),
        source=source,
        out=out,
        id_column=parsed.id,
        rejects=parsed.on_bad_rows == "reject",
        bad_rows=bad_rows,
        part_rows=parsed.part_rows,
        shows_progress=not parsed.quiet,
    )


def check_places(source: Location, out: Location, bad_rows: Location) -> None:
    """Raise BatchError where a file would be written over that is read or written as well."""
    for place in (out, bad_rows):
        if place.is_same(source):
            raise BatchError(f"{place} is the input itself, which would be lost: name another")
    if bad_rows.is_same(out):
        raise BatchError(f"{out} cannot hold both the answers and --bad-rows: name another")


def find_folder(models: Path, task: str) -> Path:
    """Return a task's folder; raises BatchError that names those that there are."""
    folder = models / task
    if (folder / MANIFEST).is_file():
        return folder
    tasks = sorted(path.parent.name for path in models.glob(f"*/{MANIFEST}"))
    there = f"there is {', '.join(tasks)}" if tasks else "there is none: `make repro` makes them"
    raise BatchError(f"there is no model of {task!r} in {models}: {there}")


if __name__ == "__main__":
    main()
