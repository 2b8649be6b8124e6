"""Queries to SQLite and to a real PostgreSQL become Parquet."""

import json
import sqlite3
import traceback
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.fetching.sql import Question, Spool, fill_database_url, materialise, write_parquet
from stages.shared.errors import PipelineError
from stages.shared.storage import read_frame, sha256
from tests.support.servers import (
    PASSWORD,
    Postgres,
    closed_port,
    postgres_binaries,
    postgres_server,
)

CONTRACT = "conf/task/visits.yaml"
PREVIOUS = b"what was there before\n"
SECRETS = {"PGPASSWORD": PASSWORD}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "raw" / "table.parquet"
    path.parent.mkdir()
    path.write_bytes(PREVIOUS)
    return path


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    """A SQLite database with ten visits; the seventh's age is NULL."""
    with sqlite3.connect(tmp_path / "visits.db") as connection:
        connection.execute("CREATE TABLE visits (id INTEGER, age INTEGER, name TEXT)")
        rows = [(i, None if i == 7 else 30 + i, f"näme {i}") for i in range(10)]
        connection.executemany("INSERT INTO visits VALUES (?, ?, ?)", rows)
    connection.close()
    return f"sqlite:///{tmp_path}/visits.db"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    if postgres_binaries() is None:
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")
    with postgres_server() as server:
        yield server


def read_answer(database: str, query: str, path: Path, chunk_rows: int = 50_000) -> pa.Table:
    question = Question(database, query, CONTRACT)
    rows, columns = materialise(question, path, SECRETS, chunk_rows)
    table = pq.read_table(pa.BufferReader(path.read_bytes()))
    assert rows == table.num_rows
    assert columns == {column.name: str(column.type) for column in table.schema}
    assert list(path.parent.iterdir()) == [path]
    return table


def read_failure(
    database: str, query: str, path: Path, environment: dict[str, str] = SECRETS
) -> str:
    """Return the message of a query that fails, leaves the previous file and tells no secret."""
    with pytest.raises(PipelineError) as caught:
        materialise(Question(database, query, CONTRACT), path, environment, 100)
    assert path.read_bytes() == PREVIOUS
    assert list(path.parent.iterdir()) == [path]
    everything = "".join(traceback.format_exception(caught.value))
    assert PASSWORD not in everything
    assert quote(PASSWORD, safe="") not in everything
    assert CONTRACT in str(caught.value)
    return str(caught.value)


def list_row_groups(path: Path) -> list[int]:
    metadata = pq.ParquetFile(pa.BufferReader(path.read_bytes())).metadata
    return [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]


# Any database, shown on SQLite


def test_rows_and_their_order_are_kept(sqlite: str, path: Path) -> None:
    table = read_answer(sqlite, "SELECT id, name FROM visits ORDER BY id DESC", path)
    expected = [{"id": i, "name": f"näme {i}"} for i in range(9, -1, -1)]
    assert table.to_pylist() == expected


def test_integers_with_null_stay_integers_for_pandas_too(sqlite: str, path: Path) -> None:
    table = read_answer(sqlite, "SELECT age FROM visits ORDER BY id", path)
    assert table.schema.field("age").type == pa.int64()
    frame = read_frame(path)
    assert frame["age"].dtype == pd.Int64Dtype()
    assert frame["age"].isna().tolist() == [i == 7 for i in range(10)]


@pytest.mark.parametrize("chunk_rows", [1, 3, 10, 11])
def test_a_chunk_of_nulls_does_not_change_a_columns_type(
    sqlite: str, path: Path, chunk_rows: int
) -> None:
    query = "SELECT CASE WHEN id > 6 THEN id END AS late, NULL AS never FROM visits ORDER BY id"
    table = read_answer(sqlite, query, path, chunk_rows)
    assert table.schema.field("late").type == pa.int64()
    assert table["late"].to_pylist() == [None] * 7 + [7, 8, 9]
    assert table.schema.field("never").type == pa.string()
    assert table["never"].null_count == 10


@pytest.mark.parametrize("chunk_rows", [1, 10])
def test_a_column_of_integers_and_fractions_holds_numbers(
    sqlite: str, path: Path, chunk_rows: int
) -> None:
    query = "SELECT CASE WHEN id = 5 THEN 0.5 ELSE id END AS x FROM visits ORDER BY id"
    table = read_answer(sqlite, query, path, chunk_rows)
    assert table["x"].to_pylist() == [0.0, 1.0, 2.0, 3.0, 4.0, 0.5, 6.0, 7.0, 8.0, 9.0]


@pytest.mark.parametrize("chunk_rows", [1, 10])
def test_a_column_of_numbers_and_text_is_text(sqlite: str, path: Path, chunk_rows: int) -> None:
    query = "SELECT CASE WHEN id = 2 THEN 'many' WHEN id = 1 THEN 0.5 ELSE id END AS x FROM visits"
    table = read_answer(f"{sqlite}", f"{query} ORDER BY id LIMIT 4", path, chunk_rows)
    assert table["x"].to_pylist() == ["0", "0.5", "many", "3"]


def test_the_same_rows_give_the_same_bytes(sqlite: str, path: Path, tmp_path: Path) -> None:
    query = "SELECT * FROM visits ORDER BY id"
    read_answer(sqlite, query, path)
    again = tmp_path / "again" / "table.parquet"
    read_answer(sqlite, query, again)
    assert sha256(path) == sha256(again)


def test_percent_and_colon_in_a_query_are_its_own(sqlite: str, path: Path) -> None:
    query = "SELECT ':id' AS a, id FROM visits WHERE name LIKE '%4'"
    assert read_answer(sqlite, query, path).to_pylist() == [{"a": ":id", "id": 4}]


def test_a_relative_path_starts_where_the_command_runs(
    sqlite: str, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative = sqlite.replace(f"{tmp_path}/", "")
    assert relative == "sqlite:///visits.db"
    assert read_answer(relative, "SELECT id FROM visits", path).num_rows == 10


@pytest.mark.parametrize(
    "database", ["sqlite:///$FOLDER/visits.db", "sqlite:///${FOLDER}/visits.db", "$DB"]
)
def test_a_variable_may_stand_anywhere(
    sqlite: str, path: Path, tmp_path: Path, database: str
) -> None:
    environment = {"FOLDER": str(tmp_path), "DB": sqlite}
    question = Question(database, "SELECT id FROM visits", CONTRACT)
    assert materialise(question, path, environment)[0] == 10


def test_every_part_of_a_url_can_come_from_the_environment() -> None:
    database = "postgresql://$U:$P@$H:$N/$D?sslmode=$S"
    values = {
        "U": "m@e",
        "P": "a/b:c@d%e f",
        "H": "db.example",
        "N": "5433",
        "D": "x y",
        "S": "require",
    }
    url = fill_database_url(Question(database, "SELECT 1", CONTRACT), values)
    assert (url.username, url.password, url.host) == ("m@e", "a/b:c@d%e f", "db.example")
    assert (url.port, url.database, dict(url.query)) == (5433, "x y", {"sslmode": "require"})


@pytest.mark.parametrize(
    "database",
    [
        "postgresql://me:hush@host/db",
        "postgresql://me:hush$PGPASSWORD@host/db",
        "postgresql+psycopg://:hush@host:5432/db",
        "postgresql://me@host/db?password=hush",
        "mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BUID%3Dme%3BPWD%3Dhush",
    ],
)
def test_a_password_that_git_would_keep_is_refused(path: Path, database: str) -> None:
    message = read_failure(database, "SELECT 1", path)
    assert "$PGPASSWORD" in message
    assert "hush" not in message


@pytest.mark.parametrize("environment", [{}, {"PGPASSWORD": ""}])
def test_a_missing_variable_is_named(path: Path, environment: dict[str, str]) -> None:
    message = read_failure("postgresql://me:$PGPASSWORD@host/db", "SELECT 1", path, environment)
    assert "does not set PGPASSWORD" in message


@pytest.mark.parametrize("database", ["visits.db", "postgresql://host:port/db", "$PGPASSWORD"])
def test_what_is_no_database_url_is_refused(path: Path, database: str) -> None:
    assert "not a SQLAlchemy URL" in read_failure(database, "SELECT 1", path)


def test_a_stray_dollar_is_refused(path: Path) -> None:
    assert "a $ must begin" in read_failure("sqlite:///price$.db", "SELECT 1", path)


def test_an_unknown_kind_of_database_is_named(path: Path) -> None:
    assert "postgres" in read_failure("postgres://host/db", "SELECT 1", path)


def test_a_missing_driver_is_named(path: Path) -> None:
    assert "driver pg8000 is not installed" in read_failure(
        "postgresql+pg8000://h/d", "SELECT 1", path
    )


def test_a_missing_sqlite_file_is_named_and_not_made(path: Path, tmp_path: Path) -> None:
    message = read_failure(f"sqlite:///{tmp_path}/other.db", "SELECT 1", path)
    assert f"no SQLite file {tmp_path}/other.db" in message
    assert not (tmp_path / "other.db").exists()


def test_a_file_that_is_no_database_is_named(path: Path, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b\n" * 500)
    assert "not a database" in read_failure(
        f"sqlite:///{tmp_path}/table.csv", "SELECT * FROM t", path
    )


def test_an_unknown_table_is_named_with_the_query(sqlite: str, path: Path) -> None:
    message = read_failure(sqlite, "SELECT * FROM visit", path)
    assert "no such table: visit" in message
    assert f"change sources.….query in {CONTRACT}: SELECT * FROM visit" in message


def test_no_rows_are_an_error(sqlite: str, path: Path) -> None:
    assert "gives no rows" in read_failure(sqlite, "SELECT * FROM visits WHERE id > 99", path)


def test_a_statement_without_a_table_is_an_error(sqlite: str, path: Path) -> None:
    assert "returns no columns" in read_failure(sqlite, "BEGIN", path)


def test_text_that_is_not_utf8_is_an_error(sqlite: str, path: Path) -> None:
    assert "UTF-8" in read_failure(sqlite, "SELECT CAST(x'ff' AS TEXT) AS name", path)


def test_an_integer_beyond_64_bits_names_its_column(path: Path, tmp_path: Path) -> None:
    """MySQL has such; a row of it is made here by hand."""
    with (tmp_path / "spool").open("w+b") as file:
        spool = Spool(file, ["id"])
        spool.add([(1,), (2**64,)])
        with pytest.raises(PipelineError, match="column 'id' does not fit int64"):
            write_parquet(spool, path, Question("mysql://host/db", "SELECT id", CONTRACT))
    assert path.read_bytes() == PREVIOUS


def test_two_columns_of_one_name_are_an_error(sqlite: str, path: Path) -> None:
    query = "SELECT a.id, b.id FROM visits a JOIN visits b ON a.id = b.id"
    assert "two columns are named 'id'" in read_failure(sqlite, query, path)


@pytest.mark.parametrize(
    "query", ["DELETE FROM visits", "DROP TABLE visits", "DELETE FROM visits RETURNING id"]
)
def test_a_query_cannot_change_a_sqlite_database(sqlite: str, path: Path, query: str) -> None:
    assert "readonly" in read_failure(sqlite, query, path)
    assert read_answer(sqlite, "SELECT * FROM visits", path).num_rows == 10


def test_rows_are_read_in_chunks(sqlite: str, path: Path) -> None:
    read_answer(sqlite, "SELECT id FROM visits", path, chunk_rows=4)
    assert list_row_groups(path) == [4, 4, 2]


# PostgreSQL


def test_postgres_types_are_kept(postgres: Postgres, path: Path) -> None:
    query = """
        SELECT 1::smallint AS small, 2::bigint AS big, 12.50::numeric(6, 2) AS price,
          1.5::real AS share, true AS ill, 'näme %s :x'::varchar AS name, DATE '2024-02-29' AS day,
          TIMESTAMP '2024-02-29 12:30:00.25' AS local,
          TIMESTAMPTZ '2024-02-29 12:30:00+02' AS instant, INTERVAL '1 day 2 hours' AS stay,
          TIME '06:30' AS clock, '{"a": [1, null]}'::jsonb AS facts,
          '00000000-0000-0000-0000-000000000001'::uuid AS key, '\\xff00'::bytea AS bytes
        UNION ALL
        SELECT null, null, null, null, null, null, null, null, null, null, null, null, null, null
    """
    table = read_answer(postgres.url(), query, path)
    assert table.to_pylist()[0] == {
        "small": 1,
        "big": 2,
        "price": 12.5,
        "share": 1.5,
        "ill": True,
        "name": "näme %s :x",
        "day": date(2024, 2, 29),
        "local": datetime(2024, 2, 29, 12, 30, 0, 250_000),
        "instant": datetime(2024, 2, 29, 10, 30, tzinfo=UTC),
        "stay": 26 * 3600.0,
        "clock": "06:30:00",
        "facts": '{"a": [1, null]}',
        "key": "00000000-0000-0000-0000-000000000001",
        "bytes": "ff00",
    }
    assert set(table.to_pylist()[1].values()) == {None}
    kinds = ["int64", "int64", "double", "double", "bool", "string", "date32[day]"]
    kinds += ["timestamp[us]", "timestamp[us, tz=UTC]", "double", *["string"] * 4]
    assert [str(kind) for kind in table.schema.types] == kinds


def test_many_rows_stream_in_chunks(postgres: Postgres, path: Path) -> None:
    query = "SELECT i AS id, nullif(i % 10, 3) AS digit FROM generate_series(1, 200000) AS i"
    table = read_answer(postgres.url(), query, path)
    assert list_row_groups(path) == [50_000] * 4
    assert table["id"].to_pylist() == list(range(1, 200_001))
    assert table["digit"].null_count == 20_000


def test_the_server_keeps_the_rows_that_were_not_read_yet(postgres: Postgres, path: Path) -> None:
    """An open cursor on the server, the query's own, is what bounds the memory here."""
    assert read_answer(postgres.url(), "SELECT name FROM pg_cursors", path).num_rows == 1


def test_a_row_that_fails_late_keeps_the_previous_file(postgres: Postgres, path: Path) -> None:
    query = "SELECT 1 / (150 - i) AS x FROM generate_series(1, 200) AS i"
    assert "division by zero" in read_failure(postgres.url(), query, path)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT nextval('ids')",
        "WITH gone AS (DELETE FROM kept RETURNING x) SELECT x FROM gone",
        "SELECT 1 AS x; COMMIT; DELETE FROM kept",
        "DELETE FROM kept",
    ],
)
def test_a_query_cannot_change_a_postgres_database(
    postgres: Postgres, path: Path, query: str
) -> None:
    postgres.run("CREATE SEQUENCE IF NOT EXISTS ids; CREATE TABLE IF NOT EXISTS kept (x int)")
    postgres.run("TRUNCATE kept; INSERT INTO kept VALUES (1)")
    assert "the query failed" in read_failure(postgres.url(), query, path)
    table = read_answer(postgres.url(), "SELECT x, is_called FROM kept, ids", path)
    assert table.to_pylist() == [{"x": 1, "is_called": False}]


def test_an_unknown_postgres_table_is_named(postgres: Postgres, path: Path) -> None:
    assert 'relation "visit" does not exist' in read_failure(
        postgres.url(), "SELECT * FROM visit", path
    )


def test_a_wrong_password_is_not_shown(postgres: Postgres, path: Path) -> None:
    environment = {"PGPASSWORD": f"{PASSWORD}?"}
    message = read_failure(postgres.url(), "SELECT 1", path, environment)
    assert "cannot connect" in message
    assert "password authentication failed" in message


def test_a_refused_connection_names_the_address(path: Path) -> None:
    port = closed_port()
    message = read_failure(f"postgresql://me:$PGPASSWORD@127.0.0.1:{port}/db", "SELECT 1", path)
    assert f"port {port} failed: Connection refused" in message
    assert f"change sources.….database in {CONTRACT}: postgresql://me:$PGPASSWORD@" in message


def test_a_password_that_the_database_repeats_is_hidden(postgres: Postgres, path: Path) -> None:
    echo = "SELECT replace(current_setting('x.secret'), 'a', 'a')::int"
    url = postgres.url() + "&options=-cx.secret%3D$PGPASSWORD"
    message = read_failure(url, echo, path)
    assert "invalid input syntax for type integer" in message
    assert "***" in message


def test_json_is_text_that_reads_back(postgres: Postgres, path: Path) -> None:
    query = """SELECT '{"name": "näme", "n": [1, 2.5]}'::json AS facts, ARRAY[1, 2] AS items"""
    row: dict[str, Any] = read_answer(postgres.url(), query, path).to_pylist()[0]
    assert json.loads(row["facts"]) == {"name": "näme", "n": [1, 2.5]}
    assert json.loads(row["items"]) == [1, 2]
