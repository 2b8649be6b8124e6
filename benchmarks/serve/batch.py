"""What a batch costs beside what it cannot do without: ``python -m benchmarks.serve.batch heart``.

Interleaved rounds over the same rows, in microseconds of CPU a row: the file read and written by
the same library and nothing else, the model alone on rows that are ready, and the whole batch.
"""

import argparse
import csv
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from serve.batch.__main__ import main as run_batch
from serve.http.openapi.examples import list_rows, write_csv
from serve.runtime.load import load_model
from serve.runtime.model import Model


def write_tables(model: Model, rows: int, folder: Path) -> tuple[Path, Path]:
    """Write the model's example rows, over and over, as CSV and as Parquet."""
    given = list_rows(model, may_be_real=True)
    many = (given * (rows // len(given) + 1))[:rows]
    as_text, typed = folder / "in.csv", folder / "in.parquet"
    as_text.write_text(write_csv(model, many))
    pq.write_table(pa.Table.from_pylist(many), typed)
    return as_text, typed


def copy_csv(source: Path, out: Path, width: int) -> None:
    """Read every row as CSV, and write ``width`` of its cells and its number."""
    with source.open(newline="") as read, out.open("w", newline="") as written:
        writer = csv.writer(written)
        writer.writerows([number, *row[:width]] for number, row in enumerate(csv.reader(read)))


def copy_parquet(source: Path, out: Path) -> None:
    """Read every cell as Python has it, and write it again."""
    with pq.ParquetFile(source) as file, pq.ParquetWriter(out, file.schema_arrow) as writer:
        for part in file.iter_batches(1_000):
            rows = part.to_pylist()
            writer.write_batch(pa.RecordBatch.from_pylist(rows, file.schema_arrow))


def run_model(model: Model, rows: int) -> None:
    """Run the model, and nothing else, on as many rows."""
    golden = [dict(it.input) for it in model.manifest.golden]
    vectors = [model.encoder.encode_unchecked(row) for row in golden]
    run = model.engine.run
    for number in range(rows):
        run(vectors[number % len(vectors)])


def cpu(work: Callable[[], object], rows: int) -> float:
    """Return the microseconds of CPU that a row takes."""
    start = time.process_time()
    work()
    return (time.process_time() - start) / rows * 1e6


def main() -> None:
    """Print the parts and the whole, medians over the rounds, for CSV and for Parquet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    models = os.environ.get("MODELS_DIR") or "models"
    model, rows = load_model(Path(models, given.task)), given.rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for source in write_tables(model, rows, folder):
            out = folder / f"out{source.suffix}"
            command = [given.task, str(source), str(out), "--force", "--quiet", "--models", models]
            is_csv = source.suffix == ".csv"
            width = len(model.manifest.target.labels) + 3
            parts: dict[str, Callable[[], object]] = {
                "file": (
                    partial(copy_csv, source, out, width)
                    if is_csv
                    else partial(copy_parquet, source, out)
                ),
                "model": lambda: run_model(model, rows),
                "batch": partial(run_batch, command),
            }
            found: dict[str, list[float]] = {name: [] for name in parts}
            for _ in range(given.rounds):
                for name, work in parts.items():
                    found[name].append(cpu(work, rows))
            medians = {name: statistics.median(times) for name, times in found.items()}
            bound = medians["file"] + medians["model"]
            ratio = medians["batch"] / bound
            print(json.dumps({"format": source.suffix, **medians, "batch / (file + model)": ratio}))


if __name__ == "__main__":
    main()
