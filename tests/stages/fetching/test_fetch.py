"""The stage as a whole: what it leaves in data/raw/<task>, and what it never touches."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages import fetch
from stages.runner import declare
from stages.shared.errors import PipelineError
from tests.support.servers import Answer, http_server

ROOT = Path(__file__).resolve().parents[3]
PUBLISHED = ROOT.parent / "shared" / "data"
RAW = Path("data/raw/visits")
GOOD = b"age,ill\n63,1\n37,0\n"
SHA256 = hashlib.sha256(GOOD).hexdigest()


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATA_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield
    declare.read_params.cache_clear()  # or the next test file would see these


def declare_origin(**origin: str) -> None:
    params = {"task": {"visits": {"origin": origin}}, "libraries": {}}
    with Path("params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(params, file)
    declare.read_params.cache_clear()


def run(**origin: str) -> dict[str, Any]:
    """Run the stage in this process; return its record."""
    declare_origin(**origin)
    fetch.main("visits")
    return dict(json.loads((RAW / "source.json").read_text()))


def run_from(mirror: Path | str, monkeypatch: pytest.MonkeyPatch, **changes: str) -> dict[str, Any]:
    monkeypatch.setenv("DATA_MIRROR", str(mirror))
    origin = {"path": f"{RAW}/visits.csv", "url": "https://example.org/v.csv", "sha256": SHA256}
    return run(**{**origin, **changes})


def read_contents() -> dict[str, bytes]:
    """Return every file of the stage's folder but its record."""
    files = [path for path in RAW.rglob("*") if path.name != "source.json"]
    return {path.relative_to(RAW).as_posix(): path.read_bytes() for path in files}


def make_visits_database() -> None:
    with sqlite3.connect("visits.db") as connection:
        connection.execute("CREATE TABLE visits (age INTEGER, ill BOOLEAN)")
        connection.execute("INSERT INTO visits VALUES (63, 1), (37, 0)")
    connection.close()


def make_mirror(content: bytes) -> Path:
    folder = Path("mirror").resolve()
    (folder / "visits").mkdir(parents=True, exist_ok=True)
    (folder / "visits" / "visits.csv").write_bytes(content)
    return folder


def test_a_local_file_is_recorded_and_not_copied() -> None:
    record = run(path="mine.csv")
    assert record == {"kind": "file", "path": "mine.csv"}
    assert read_contents() == {}


def test_a_download_is_recorded_without_its_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    record = run_from(make_mirror(GOOD), monkeypatch)
    url = "https://example.org/v.csv"
    assert record == {"kind": "url", "url": url, "sha256": SHA256, "bytes": len(GOOD)}
    assert read_contents() == {"visits.csv": GOOD}


def test_without_a_mirror_the_url_itself_is_asked() -> None:
    with http_server({"/v.csv": Answer(GOOD)}) as server:
        run(path=f"{RAW}/visits.csv", url=f"{server.url}/v.csv", sha256=SHA256)
    assert read_contents() == {"visits.csv": GOOD}


def test_a_mirror_that_lacks_the_file_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_server({"/v.csv": Answer(GOOD)}) as server:
        with pytest.raises(PipelineError, match="into the mirror nowhere"):
            run_from("nowhere", monkeypatch, url=f"{server.url}/v.csv")
        assert server.asked == []


def test_a_query_is_recorded_with_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    make_visits_database()
    monkeypatch.setenv("FOLDER", str(Path.cwd()))
    query, database = "SELECT * FROM visits ORDER BY age", "sqlite:///$FOLDER/visits.db"
    record = run(path=f"{RAW}/visits.parquet", database=database, query=query)
    [(name, content)] = read_contents().items()
    assert name == "visits.parquet"
    assert record == {
        "kind": "sql",
        "database": database,
        "query": query,
        "rows": 2,
        "columns": {"age": "int64", "ill": "int64"},
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def test_success_removes_what_came_from_elsewhere_before(monkeypatch: pytest.MonkeyPatch) -> None:
    run_from(make_mirror(GOOD), monkeypatch)
    (RAW / "old" / "older").mkdir(parents=True)
    (RAW / "old" / "older" / "table.csv").write_bytes(b"old")
    (RAW / ".visits.csv.1234.tmp").write_bytes(b"left by a killed run")
    make_visits_database()
    run(path=f"{RAW}/new/v.parquet", database="sqlite:///visits.db", query="SELECT * FROM visits")
    assert sorted(path.relative_to(RAW).as_posix() for path in RAW.rglob("*")) == [
        "new",
        "new/v.parquet",
        "source.json",
    ]
    run(path="mine.csv")
    assert [path.name for path in RAW.rglob("*")] == ["source.json"]


def test_failure_leaves_the_folder_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    before = run_from(make_mirror(GOOD), monkeypatch)
    other = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(PipelineError, match="other bytes than expected"):
        run_from(make_mirror(GOOD), monkeypatch, sha256=other)
    assert read_contents() == {"visits.csv": GOOD}
    assert json.loads((RAW / "source.json").read_text()) == before


@pytest.mark.parametrize(
    "path", ["data/visits.csv", "data/raw/visits", f"{RAW}/../v.csv", f"{RAW}/source.json"]
)
def test_a_download_outside_its_folder_is_refused(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    with pytest.raises(PipelineError, match=r"sources\.….path = .* must lie in data/raw/visits/"):
        run_from(make_mirror(GOOD), monkeypatch, path=path)
    assert not RAW.exists()


@pytest.mark.parametrize("prefix", ["", "./", "absolute"])
def test_a_file_of_the_users_is_never_cleared_away(prefix: str) -> None:
    RAW.mkdir(parents=True)
    (RAW / "mine.csv").write_bytes(GOOD)
    folder = f"{Path.cwd()}/" if prefix == "absolute" else prefix
    with pytest.raises(PipelineError, match="must not lie in"):
        run(path=f"{folder}{RAW}/mine.csv")
    assert read_contents() == {"mine.csv": GOOD}


def test_a_link_into_dvcs_cache_counts_as_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("cached").write_bytes(GOOD)
    RAW.mkdir(parents=True)
    (RAW / "visits.csv").symlink_to(Path("cached").resolve())
    run_from("nowhere", monkeypatch)
    assert read_contents() == {"visits.csv": GOOD}


def run_command() -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "stages.fetch", "visits"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_command_ends_with_a_plain_message() -> None:
    declare_origin(path=f"{RAW}/visits.csv", url="ftp://host/v.csv", sha256=SHA256)
    done = run_command()
    assert done.returncode == 1
    assert done.stderr.startswith("\nfetch visits: sources.….url = 'ftp://host/v.csv'")
    assert "conf/task/visits.yaml" in done.stderr


def test_a_local_file_needs_no_library_for_downloads_or_databases() -> None:
    declare_origin(path="mine.csv")
    code = "import sys; from stages import fetch; fetch.main('visits'); print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, stdout=-1, check=True)
    loaded = set(done.stdout.decode().split())
    assert "stages.fetch" in loaded
    assert loaded.isdisjoint({"sqlalchemy", "psycopg", "pooch", "requests"})


def read_shipped_origin(task: str, source: str) -> dict[str, str]:
    content = YAML(typ="safe").load((ROOT / "conf" / "task" / f"{task}.yaml").read_text())
    origin = content["sources"][source]
    return {key: origin[key] for key in ("path", "url", "sha256")}


@pytest.mark.skipif(not PUBLISHED.exists(), reason=f"the mirror {PUBLISHED} is not here")
@pytest.mark.parametrize(
    ("task", "source", "rows"),
    [
        ("heart", "cleveland", 303),
        ("heart", "hungarian", 294),
        ("heart", "switzerland", 123),
        ("heart", "va", 200),
        ("housing", "published", 20_641),  # with its header
    ],
)
def test_the_published_files_are_fetched_through_a_mirror(
    monkeypatch: pytest.MonkeyPatch, task: str, source: str, rows: int
) -> None:
    monkeypatch.setenv("DATA_MIRROR", str(PUBLISHED))
    origin = read_shipped_origin(task, source)
    params = {"task": {task: {"origin": origin}}}
    YAML(typ="safe").dump(params, Path("params.yaml"))
    declare.read_params.cache_clear()
    fetch.main(task)
    assert len(Path(origin["path"]).read_text().splitlines()) == rows
