"""Tells schemathesis what a document cannot: how a valid table looks, and which ids it has."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import schemathesis
from hypothesis import strategies as st

from tests.support.heart_tables import GOOD, HEADER, HEART_COLUMNS

HEART = st.lists(st.integers(0, 99), max_size=5).map(
    lambda ids: "\n".join([HEADER, *map(GOOD.format, ids), ""]).encode()
)


def as_parquet(count: int) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(HEART_COLUMNS).slice(0, count), file)
    return file.getvalue()


schemathesis.openapi.media_type("text/csv", HEART)
schemathesis.openapi.media_type("application/vnd.apache.parquet", st.integers(0, 2).map(as_parquet))


@schemathesis.hook
def map_query(context: Any, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """Name a column that the table has as its id; what others lead to is tested in test_doors."""
    if query and "id" in query and context.operation.path.startswith("/predict/"):
        return {**query, "id": "patient" if "/csv" in context.operation.path else "age"}
    return query
