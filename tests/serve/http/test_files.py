"""Files over HTTP: a prediction for each row, whatever the others are; bounded, and in order."""

import csv
import io
import threading
import time
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from serve.files.csv_source import LONGEST_LINE
from serve.http.keys import new_key
from serve.runtime.manifest_file import read_manifest
from tests.support.heart_tables import (
    BAD,
    CSV,
    GOOD,
    HEADER,
    HEART_COLUMNS,
    PARQUET,
    make_csv,
    make_parquet,
)
from tests.support.serve_models import HEART_ROW, HOUSING_ROW, write_heart
from tests.support.serving import samples, server_process, serving, value

Row = dict[str, str]


def rows_of(response: httpx.Response) -> list[Row]:
    assert response.status_code == 200, response.text
    return list(csv.DictReader(io.StringIO(response.text)))


def post(client: TestClient, content: bytes, query: str = "") -> httpx.Response:
    return client.post(f"/predict/heart/csv{query}", content=content, headers=CSV)


def post_parquet(client: TestClient, content: bytes, **headers: str) -> httpx.Response:
    return client.post("/predict/heart/parquet", content=content, headers=PARQUET | headers)


# Answers


def test_a_file_is_answered_row_by_row_in_order_with_its_ids(client: TestClient) -> None:
    lines = [GOOD.format(f"p{i}") for i in range(1_500)]  # of several blocks
    found = rows_of(post(client, make_csv(*lines), "?id=patient"))
    assert [row["patient"] for row in found] == [f"p{i}" for i in range(1_500)]
    assert [int(row["line"]) for row in found] == list(range(2, 1_502))
    alone = client.post("/predict/heart", json=HEART_ROW).json()["predictions"][0]
    names = [f"probability_{label}" for label in alone["probabilities"]]
    for row in found:
        assert row["label"] == alone["label"]
        assert [float(row[it]) for it in names] == list(alone["probabilities"].values())


def test_a_bad_row_is_told_by_its_line_and_costs_the_others_nothing(client: TestClient) -> None:
    response = post(client, make_csv(GOOD.format("a"), BAD, "c,1", "", GOOD.format("d")))
    found = rows_of(response)
    assert [row["line"] for row in found] == ["2", "3", "4", "6"]  # a blank line is no row
    assert [bool(row["label"]) for row in found] == [True, False, False, True]
    assert [bool(row["error"]) for row in found] == [False, True, True, False]
    expected = "age [out_of_range]: expected an integer from 18 to 100 (years), got 630; "
    assert found[1]["error"].startswith(expected)
    for name in ("chol [wrong_type]", "visit [wrong_type]", "thal [unknown_category]"):
        assert name in found[1]["error"]
    assert found[2]["error"] == "row [unreadable]: line 4: 2 cells, but the header has 7"
    counts = {name: response.headers[name] for name in ("X-Rows", "X-Bad-Rows", "X-Warned-Rows")}
    assert counts == {"X-Rows": "4", "X-Bad-Rows": "2", "X-Warned-Rows": "0"}


def test_a_quote_that_is_never_closed_is_told(client: TestClient) -> None:
    found = rows_of(post(client, make_csv(GOOD.format("a"), '"b,63', "1,2,3", "4")))
    assert found[0]["label"]
    swallowed = "row [unreadable]: lines 3 to 5, as one row: unexpected end of data"
    assert found[1]["error"] == swallowed


def test_cells_may_hold_line_breaks(client: TestClient) -> None:
    content = make_csv(GOOD.format('"a\nb"'), GOOD.format("c"))
    found = rows_of(post(client, content, "?id=patient"))
    assert [(row["line"], row["patient"]) for row in found] == [("2", "a\nb"), ("4", "c")]


def test_a_warning_is_in_its_column(client: TestClient) -> None:
    response = post(client, make_csv(GOOD.format("a").replace("233.5", "600")))
    (row,) = rows_of(response)
    message = "600 is outside the values trained on, from 126 to 564 (mg/dl)"
    assert row["warnings"] == f"chol [outside_training]: {message}"
    assert (row["error"], response.headers["X-Warned-Rows"]) == ("", "1")


def test_a_value_comes_with_its_interval(client: TestClient) -> None:
    content = b"income,ocean\n3.5,INLAND\n"
    (row,) = rows_of(client.post("/predict/housing/csv", content=content, headers=CSV))
    assert row == {
        **{"line": "2", "value": "90000.0", "low": "65000.0", "high": "115000.0"},
        **{"warnings": "", "error": ""},
    }


def test_bytes_that_are_not_utf_8_cost_only_their_row(client: TestClient) -> None:
    bad = GOOD.format("caf\xe9").encode("latin-1").replace(b"233.5", b"2\xe9")
    content = make_csv() + bad + b"\n" + GOOD.format("b").encode()
    found = rows_of(post(client, content, "?id=patient"))
    assert "chol [wrong_type]" in found[0]["error"]
    assert "patient [unreadable]: the id is not UTF-8, it has the byte 0xe9" in found[0]["error"]
    assert found[0]["patient"] == ""  # rather than another than was sent
    assert found[1]["label"]


def test_a_byte_order_mark_and_windows_line_ends_are_no_matter(client: TestClient) -> None:
    content = b"\xef\xbb\xbf" + make_csv(GOOD.format("a")).replace(b"\n", b"\r\n")
    assert rows_of(post(client, content))[0]["label"] == "ill"


def test_cells_are_read_in_the_spelling_of_the_training_table(tmp_path: Path) -> None:
    spelling = {"delimiter": ";", "decimal": ",", "quoting": True, "missing": ["", "-"]}
    write_heart(tmp_path, spelling={**spelling, "missing_in": {"chol": ["0"]}})
    header = HEADER.removeprefix("patient,").replace(",", ";")
    content = make_csv("63;1;233,5;J;2026-11-21;-", "63;1;0;n;-;6", header=header)
    with serving(tmp_path) as client:
        found = rows_of(post(client, content))
        example = client.get("/openapi.json").json()["paths"]["/predict/heart/csv"]["post"]
        row = {**HEART_ROW, "chol": None, "smoker": False, "visit": None}
        alone = client.post("/predict/heart", json=row).json()["predictions"][0]
    assert "smoker [wrong_type]" in found[0]["error"]
    assert "chol" not in found[0]["error"]  # 233,5 is a number
    assert float(found[1]["probability_ill"]) == alone["probabilities"]["ill"]
    (shown,) = example["requestBody"]["content"]["text/csv"]["examples"].values()
    assert shown["value"].splitlines()[1] == "63;1;233,5;true;2026-11-21T08:30:00Z;6"


# Parquet


def test_parquet_comes_back_as_parquet_with_ids_of_their_type(client: TestClient) -> None:
    content = make_parquet(**HEART_COLUMNS, n=[7, 8])
    response = client.post("/predict/heart/parquet?id=n", content=content, headers=PARQUET)
    assert response.headers["Content-Type"] == PARQUET["Content-Type"]
    found = pq.read_table(io.BytesIO(response.content)).to_pylist()
    alone = client.post("/predict/heart", json=HEART_ROW).json()["predictions"][0]
    assert found[0] == {
        **{"row": 1, "n": 7, "label": alone["label"], "warnings": None, "error": None},
        **{f"probability_{label}": p for label, p in alone["probabilities"].items()},
    }
    assert [row["n"] for row in found] == [7, 8]


def test_parquet_comes_back_as_csv_if_that_is_asked_for(client: TestClient) -> None:
    content = make_parquet(**{**HEART_COLUMNS, "age": [63, 640]})
    response = post_parquet(client, content, Accept="text/csv")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert [bool(row["error"]) for row in rows_of(response)] == [False, True]


def test_ids_with_line_ends_and_quotes_come_back_as_they_were(client: TestClient) -> None:
    ids = ["a\r", "b\nc", 'say "yes"', "d,e", "\r\n", " f ", "é\u2028"]
    columns = {name: [cells[0]] * len(ids) for name, cells in HEART_COLUMNS.items()}
    content = make_parquet(patient=ids, **columns)
    path = "/predict/heart/parquet?id=patient"
    answer = client.post(path, content=content, headers={**PARQUET, "Accept": "text/csv"})
    table = csv.DictReader(io.StringIO(answer.content.decode(), newline=""))
    assert [row["patient"] for row in table] == ids


def test_a_column_of_lists_fits_nothing(client: TestClient) -> None:
    content = make_parquet(**{**HEART_COLUMNS, "chol": [[1.0], [2.0]]})
    found = rows_of(post_parquet(client, content, Accept="text/csv"))
    assert all("chol [wrong_type]" in row["error"] for row in found)


@pytest.mark.parametrize("cut", [4, 9, 200])
def test_a_damaged_parquet_file_is_refused(client: TestClient, cut: int) -> None:
    response = post_parquet(client, make_parquet(**HEART_COLUMNS)[:-cut])
    assert response.status_code == 400
    assert "cannot be read as Parquet" in response.json()["detail"]


# Refusals

NO_TABLES = {
    "empty": (b"", 400, "the file is empty"),
    "parquet": (b"PAR1....", 400, "not CSV in UTF-8 but Parquet"),
    "zip": (b"PK\x03\x04", 400, "a zip archive or a spreadsheet"),
    "utf-16": (HEADER.encode("utf-16"), 400, "text in UTF-16"),
    "quote": (b'"age\n', 400, "the header cannot be read"),
    "endless": (b"x" * (LONGEST_LINE + 1), 400, "a line has more than"),
    "blank": (b"\n\n", 422, "the first line names none of the columns"),
    "page": (b"<!DOCTYPE html>\n<html>", 422, "it is '<!DOCTYPE html>'"),
    "semicolons": (HEADER.replace(",", ";").encode(), 422, "are set apart by ';', those of this"),
}


@pytest.mark.parametrize(("content", "status", "reason"), NO_TABLES.values(), ids=NO_TABLES)
def test_what_is_no_table_is_refused(
    client: TestClient, content: bytes, status: int, reason: str
) -> None:
    response = post(client, content)
    assert response.status_code == status
    assert reason in response.text


def test_columns_that_are_not_there_are_named(client: TestClient) -> None:
    header = "patient,ages,sex,chol,chol,smoker,Visit,thal scan"
    response = post(client, make_csv(header=header), "?id=pat")
    assert response.status_code == 422
    found = {tuple(it["loc"]): it["msg"] for it in response.json()["detail"]}
    assert found == {
        ("header", "age"): "the file lacks this column: did you mean 'ages'?",
        ("header", "visit"): "the file lacks this column: did you mean 'Visit'?",
        ("header", "thal"): "the file lacks this column: did you mean 'thal scan'?",
        ("header", "pat"): "the file lacks this column: did you mean 'patient'?",
        ("header", "chol"): "more than one column of the file has this name",
    }


def test_an_id_may_not_be_called_as_an_answer_is(client: TestClient) -> None:
    header = HEADER.replace("patient", "label")
    response = post(client, make_csv(GOOD.format("a"), header=header), "?id=label")
    assert response.status_code == 422
    (finding,) = response.json()["detail"]
    assert "name another as id" in finding["msg"]


@pytest.mark.parametrize("kind", ["", "application/json", "application/x-www-form-urlencoded"])
def test_another_content_type_is_refused(client: TestClient, kind: str) -> None:
    headers = {"Content-Type": kind}
    response = client.post("/predict/heart/csv", content=make_csv(), headers=headers)
    assert response.status_code == 415
    assert "Content-Type: text/csv" in response.json()["detail"]


@pytest.mark.parametrize("route", ["csv", "parquet"])
def test_a_file_in_another_charset_is_refused(client: TestClient, route: str) -> None:
    kind = CSV if route == "csv" else PARQUET
    for charset in ("latin-1", '"UTF-16"', "windows-1252"):
        headers = {"Content-Type": f"{kind['Content-Type']}; charset={charset}"}
        response = client.post(f"/predict/heart/{route}", content=make_csv(), headers=headers)
        assert response.status_code == 415
        assert "send UTF-8" in response.json()["detail"]
    headers = {"Content-Type": "text/csv; header=present; Charset=UTF-8"}
    content = make_csv(GOOD.format("a"))
    response = client.post("/predict/heart/csv", content=content, headers=headers)
    assert response.status_code == 200


def test_a_packed_file_is_refused(client: TestClient) -> None:
    headers = {**CSV, "Content-Encoding": "gzip"}
    assert client.post("/predict/heart/csv", content=b"x", headers=headers).status_code == 415


def test_the_limits_of_files_are_their_own(models: Path) -> None:
    limits = {"max_rows": "1", "max_body_bytes": "10", "max_file_bytes": "4000"}
    with serving(models, **limits, max_file_rows="3") as client:
        assert post(client, make_csv(*[GOOD.format(1)] * 3)).status_code == 200
        rows = post(client, make_csv(*[GOOD.format(1)] * 4))
        size = post(client, make_csv(*[GOOD.format(1)] * 100))
        typed = post_parquet(client, make_parquet(age=[63] * 4))
    assert (rows.status_code, rows.json()["detail"]) == (413, "a file may have at most 3 rows")
    assert (size.status_code, typed.status_code) == (413, 413)


def test_a_key_is_asked_for(models: Path) -> None:
    with serving(models, api_keys=new_key(["predict"])[1]) as client:
        assert post(client, make_csv()).status_code == 401


def test_a_full_disk_is_told(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("serve.http.routes.files._answer_block", full)
    response = post(client, make_csv(GOOD.format("a")))
    assert response.status_code == 503
    assert "no room" in response.json()["detail"]


def test_rows_of_files_are_counted(models: Path) -> None:
    with serving(models) as client:
        post(client, make_csv(GOOD.format("a"), BAD))
        text = client.get("/metrics").text
    about = {"task": "heart", "version": read_manifest(models / "heart").version}
    assert value(samples(text), "serve_predictions_total", **about, label="ill") == 1
    bad = {"task": "heart", "type": "out_of_range"}
    assert value(samples(text), "serve_bad_rows_total", **bad) == 1


# A real process


def resident(pid: int, name: str) -> float:
    """Return a process's megabytes of memory: VmRSS those it has, VmHWM the most it has had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


def many(kind: str, rows: int) -> bytes:
    if kind == "csv":
        return make_csv(*[GOOD.format(i) for i in range(rows)])
    columns = {
        name: list(it) * (rows // 2) for name, it in HEART_COLUMNS.items() if name != "visit"
    }
    return make_parquet(**columns, visit=pa.nulls(rows, pa.timestamp("us")))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_memory_is_bounded_and_others_are_answered_meanwhile(models: Path, kind: str) -> None:
    content, headers = many(kind, 300_000), CSV if kind == "csv" else PARQUET
    with server_process(models) as server:
        url = f"{server.url}/predict/heart/{kind}"
        # Loads what it needs.
        httpx.post(url, content=many(kind, 2), headers=headers, timeout=60)
        before, answers, single = resident(server.process.pid, "VmRSS"), [], []

        def send() -> None:
            answers.append(httpx.post(url, content=content, headers=headers, timeout=300))

        sending = threading.Thread(target=send)
        sending.start()
        while sending.is_alive():
            row = httpx.post(f"{server.url}/predict/housing", json=HOUSING_ROW, timeout=30)
            single.append(row.status_code)
            time.sleep(0.05)
        sending.join()
        grown = resident(server.process.pid, "VmHWM") - before
    assert (answers[0].headers["X-Rows"], answers[0].headers["X-Bad-Rows"]) == ("300000", "0")
    assert set(single) == {200}
    assert len(single) > 10
    assert grown < 40, f"{grown:.0f} MB more for a file of {len(content) / 2**20:.0f} MB"
