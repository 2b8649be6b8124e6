"""Fills a Parquet file from a SQL query, in bounded memory, over any SQLAlchemy URL.

Passwords stand in the environment: the URL names them, as in ``postgresql://me:$PGPASSWORD@host/db``
(``${PGPASSWORD}`` must be written ``\\${PGPASSWORD}`` in YAML, because Hydra reads braces itself).
"""

import json
import pickle
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from string import Template
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, unquote_plus

from stages.shared.errors import PipelineError
from stages.shared.storage import atomic

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import URL, Connection, Engine

CHUNK_ROWS = 50_000  # rows in memory at a time, and in a row group of the Parquet file
WRITTEN_PASSWORD = re.compile(r"^[\w+]+://[^:/]*:([^@]+)@")  # where SQLAlchemy sees one
SECRET_OPTION = re.compile(r"(?:passw(?:or)?d|pwd|secret|token)=([^&;]+)", re.IGNORECASE)
ONE_NAME = re.compile(r"\$(\w+|\{\w+\})")
READ_ONLY = {"postgresql": "SET TRANSACTION READ ONLY", "sqlite": "PRAGMA query_only = ON"}
KINDS = {
    bool: "boolean",
    int: "integer",
    float: "number",
    Decimal: "number",
    timedelta: "number",
    date: "date",
    datetime: "timestamp",
}


@dataclass(frozen=True)
class Question:
    """A query and the database it goes to, as ``contract`` (the file's name) states them."""

    database: str
    query: str
    contract: str

    def make_error(self, key: str, problem: str) -> PipelineError:
        """Return an error that names one of the two keys; the database's URL holds no secret."""
        value = {"database": self.database, "query": self.query}[key]
        return PipelineError(f"{problem}\n  change sources.….{key} in {self.contract}: {value}")


@dataclass
class Spool:
    """An answer's rows, kept in chunks in a file until the type of every column is known."""

    file: IO[bytes]
    names: list[str]
    kinds: list[set[str]] = field(init=False)
    chunks: int = 0
    rows: int = 0

    def __post_init__(self) -> None:
        self.kinds = [set() for _ in self.names]

    def add(self, rows: Sequence[Sequence[object]]) -> None:
        """Append a chunk of rows to the file, and note the kinds of value in each column."""
        columns = list(zip(*rows, strict=True))
        for kinds, values in zip(self.kinds, columns, strict=True):
            kinds |= list_kinds(values)
        pickle.dump(columns, self.file, protocol=pickle.HIGHEST_PROTOCOL)
        self.chunks += 1
        self.rows += len(rows)

    def __iter__(self) -> Iterator[list[tuple[object, ...]]]:
        """Yield each chunk as a list of columns."""
        self.file.seek(0)
        for _ in range(self.chunks):
            yield pickle.load(self.file)


def materialise(
    question: Question, path: Path, environment: Mapping[str, str], chunk_rows: int = CHUNK_ROWS
) -> tuple[int, dict[str, str]]:
    """Write the query's answer to ``path`` as Parquet; return its row count and column types.

    Integers stay integers where some are NULL, decimals become float64, intervals float64 seconds,
    time stamps with a zone UTC; JSON, identifiers, times of day and columns of mixed kinds become
    text, as does a column that is NULL throughout. The same rows in the same order give the same
    bytes: a query without ORDER BY leaves that order to the database.
    Raises PipelineError, with ``path`` as it was, where the database does not answer with rows.
    """
    url = fill_database_url(question, environment)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path.parent) as file:
        spool = _ask(question, url, file, chunk_rows)
        schema = write_parquet(spool, path, question)
    return spool.rows, {column.name: str(column.type) for column in schema}


def fill_database_url(question: Question, environment: Mapping[str, str]) -> "URL":
    """Return the URL with each $NAME replaced; raises PipelineError for a password written out."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    _refuse_written_secrets(question)
    text = _fill_template(question, environment)
    try:
        return make_url(text)
    except (ArgumentError, ValueError):  # its text may hold what the environment gave
        example = "postgresql://me:$PGPASSWORD@host/name or sqlite:///path/to/file.db"
        raise question.make_error("database", f"not a SQLAlchemy URL such as {example}") from None


def _refuse_written_secrets(question: Question) -> None:
    found = WRITTEN_PASSWORD.findall(question.database)
    found += SECRET_OPTION.findall(unquote_plus(question.database))
    if not all(ONE_NAME.fullmatch(secret) for secret in found):
        raise PipelineError(
            f"sources.….database in {question.contract} holds a password, and git would keep it: "
            "write $PGPASSWORD (or any other name) in its place, and set that environment variable"
        )


def _fill_template(question: Question, environment: Mapping[str, str]) -> str:
    template = Template(question.database)
    if not template.is_valid():
        raise question.make_error("database", "a $ must begin the name of an environment variable")
    names = template.get_identifiers()
    missing = [name for name in names if not environment.get(name)]
    if missing:
        wanted = ", ".join(missing)
        raise question.make_error(
            "database", f"the environment does not set {wanted} (or leaves empty)"
        )
    if ONE_NAME.fullmatch(question.database):  # the variable holds the URL as a whole
        return template.substitute(environment)
    return template.substitute({name: quote(environment[name], safe="") for name in names})


def _ask(question: Question, url: "URL", file: IO[bytes], chunk_rows: int) -> Spool:
    with _open_connection(question, url) as connection:
        with _report_plainly(question, "query", "the query failed", url):
            if url.get_backend_name() in READ_ONLY:
                connection.exec_driver_sql(READ_ONLY[url.get_backend_name()])
            spool = _spool_rows(connection, question, file, chunk_rows)
        connection.rollback()
    if not spool.rows:
        raise question.make_error("query", "the query gives no rows")
    return spool


def _spool_rows(
    connection: "Connection", question: Question, file: IO[bytes], chunk_rows: int
) -> Spool:
    # no_parameters: a % in the query is the query's own. stream_results: the server keeps the rows.
    options = {"no_parameters": True, "stream_results": True}
    result = connection.exec_driver_sql(question.query, execution_options=options)
    names = list(result.keys()) if result.returns_rows else []
    if not names:
        raise question.make_error("query", "the query is not a SELECT: it returns no columns")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise question.make_error("query", f"two columns are named {twice[0]!r}: name each with AS")
    spool = Spool(file, names)
    for rows in result.partitions(chunk_rows):
        spool.add(rows)
    return spool


@contextmanager
def _open_connection(question: Question, url: "URL") -> Iterator["Connection"]:
    if url.get_backend_name() == "sqlite" and not _is_there(url.database):
        raise question.make_error("database", f"there is no SQLite file {url.database}")
    engine = _make_engine(question, url)
    with _report_plainly(question, "database", "cannot connect to the database", url):
        connection = engine.connect()
    with connection:
        yield connection


def _make_engine(question: Question, url: "URL") -> "Engine":
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    with _report_plainly(question, "database", "no such kind of database", url):
        try:
            return create_engine(url, poolclass=NullPool)
        except ModuleNotFoundError as error:
            problem = f"the driver {error.name} is not installed: add it to pyproject.toml"
            raise question.make_error("database", problem) from error


def _is_there(database: str | None) -> bool:
    """Tell whether a SQLite file exists; SQLite itself would create it."""
    return not database or database.startswith((":", "file:")) or Path(database).is_file()


@contextmanager
def _report_plainly(question: Question, key: str, problem: str, url: "URL") -> Iterator[None]:
    """Turn a database's error into a PipelineError that holds no password."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip()
        for secret in _list_secrets(url):
            reason = reason.replace(secret, "***")
        raise question.make_error(
            key, f"{problem}: {reason}"
        ) from None  # the cause may hold a secret


def _list_secrets(url: "URL") -> list[str]:
    options = unquote_plus(url.render_as_string(hide_password=False))
    return [secret for secret in [url.password, *SECRET_OPTION.findall(options)] if secret]


def list_kinds(values: Sequence[object]) -> set[str]:
    """Return which kinds of value a column holds; NULL is none."""
    kinds = {KINDS.get(kind, "text") for kind in set(map(type, values)) - {type(None)}}
    if "timestamp" in kinds:
        zoned = {value.tzinfo is not None for value in values if isinstance(value, datetime)}
        kinds = kinds - {"timestamp"} | {"instant" if zone else "timestamp" for zone in zoned}
    return kinds


def _make_schema(spool: Spool) -> "pa.Schema":
    """Return the Parquet schema, with a note that lets pandas keep integers with NULL integers."""
    import pandas as pd
    import pyarrow as pa

    types = [_choose_arrow_type(kinds) for kinds in spool.kinds]
    schema = pa.schema(list(zip(spool.names, types, strict=True)))
    nullable = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    frame = schema.empty_table().to_pandas(types_mapper=nullable.get)
    return schema.with_metadata(pa.Schema.from_pandas(frame, preserve_index=False).metadata)


def _choose_arrow_type(kinds: set[str]) -> "pa.DataType":
    import pyarrow as pa

    types = {
        "boolean": pa.bool_(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us"),
        "instant": pa.timestamp("us", tz="UTC"),
    }
    if kinds == {"integer", "number"}:
        return types["number"]
    return types.get(min(kinds), pa.string()) if len(kinds) == 1 else pa.string()


def write_parquet(spool: Spool, path: Path, question: Question) -> "pa.Schema":
    """Write a row group for each chunk; raises PipelineError for a value that fits no type."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    schema = _make_schema(spool)
    with atomic(path) as file, ParquetWriter(file, schema) as writer:
        for columns in spool:
            pairs = zip(schema, columns, strict=True)
            arrays = [_make_array(column, values, question) for column, values in pairs]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return schema


def _make_array(column: "pa.Field", values: Sequence[object], question: Question) -> "pa.Array":
    import pyarrow as pa

    convert = {"double": _to_number, "string": _to_text}.get(str(column.type))
    try:
        if convert:
            values = [None if value is None else convert(value) for value in values]
        return pa.array(values, column.type)
    except (ValueError, OverflowError) as error:
        problem = f"the column {column.name!r} does not fit {column.type}: {error}"
        raise question.make_error("query", problem) from error


def _to_number(value: Any) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


def _to_text(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value.hex() if isinstance(value, bytes) else str(value)
