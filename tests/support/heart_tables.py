"""Tables of the task heart, as files: lines of CSV, and columns of Parquet."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

CSV = {"Content-Type": "text/csv"}
PARQUET = {"Content-Type": "application/vnd.apache.parquet"}
HEADER = "patient,age,sex,chol,smoker,visit,thal"
GOOD = "{},63,1,233.5,yes,2026-11-21T08:30:00Z,6.0"
BAD = "b,630,1,x,yes,never,9"
HEART_COLUMNS: dict[str, Any] = {
    "age": [63, 64],
    "sex": [1, 0],
    "chol": [233.5, None],
    "smoker": [True, None],
    "visit": pa.array([1795249800 * 10**6, None], pa.timestamp("us")),
    "thal": ["6", "3"],
}


def make_csv(*lines: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *lines, ""]).encode()


def make_parquet(**columns: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()
