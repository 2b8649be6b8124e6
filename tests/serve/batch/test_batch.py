"""Batches without a server: whole or not at all, and the same however often they are killed."""

import csv
import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serve.batch import __main__ as batch
from serve.batch.locations import Location
from serve.batch.parts import Parts
from serve.files.sinks import BadRows
from serve.files.table import Predictor
from serve.runtime.manifest_file import read_manifest
from tests.support.heart_tables import BAD, GOOD, HEADER, HEART_COLUMNS
from tests.support.serve_models import HEART_ROW, write_heart
from tests.support.serving import serving

Json = dict[str, Any]


@pytest.fixture(autouse=True)
def _models(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_DIR", str(models))


def lines(count: int, bad_every: int = 0) -> list[str]:
    """Return rows that differ, some of them bad."""
    return [
        BAD if bad_every and i % bad_every == bad_every - 1 else GOOD.format(f"p{i}")
        for i in range(count)
    ]


def write_table(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join([HEADER, *rows, ""]))
    return path


def predict(source: Path | str, out: Path | str, *options: str) -> int:
    """Run a batch in this process; return its exit code."""
    try:
        batch.main(["heart", str(source), str(out), "--quiet", *options])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def report(out: Path) -> Json:
    found: Json = json.loads(Path(f"{out}.manifest.json").read_text())
    return found


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_table_is_answered_as_the_service_answers_it(models: Path, tmp_path: Path) -> None:
    source = write_table(tmp_path / "in.csv", lines(120, bad_every=7))
    assert predict(source, tmp_path / "out.csv", "--id", "patient", "--part-rows", "25") == 0
    with serving(models) as client:
        headers = {"Content-Type": "text/csv"}
        content = source.read_bytes()
        answer = client.post("/predict/heart/csv?id=patient", content=content, headers=headers)
    assert (tmp_path / "out.csv").read_text() == answer.text


def test_the_report_says_what_answered_what(models: Path, tmp_path: Path) -> None:
    source = write_table(tmp_path / "in.csv", lines(20, bad_every=10))
    predict(source, tmp_path / "out.csv")
    found, manifest = report(tmp_path / "out.csv"), read_manifest(models / "heart")
    assert (found["rows"], found["bad_rows"], found["warned_rows"]) == (20, 2, 0)
    assert found["input"] == {
        "path": str(source),
        "sha256": sha256(source),
        "bytes": source.stat().st_size,
    }
    assert found["model"]["version"] == manifest.version
    assert found["model"]["sha256"] == manifest.model.sha256
    checks = {"out_of_range": 2, "unknown_category": 2, "wrong_type": 2}
    assert found["bad_rows_by_check"] == checks
    assert found["libraries"]["pyarrow"] == pa.__version__


def test_nothing_else_is_left(tmp_path: Path) -> None:
    source = write_table(tmp_path / "in.csv", lines(20, bad_every=10))
    predict(source, tmp_path / "out.csv")
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {"in.csv", "out.csv", "out.csv.manifest.json", "out.csv.bad.csv"}


def test_what_is_wrong_with_a_row_is_named_by_its_check(tmp_path: Path) -> None:
    source = write_table(tmp_path / "in.csv", [GOOD.format("a"), BAD, "c,1"])
    predict(source, tmp_path / "out.csv", "--id", "patient", "--bad-rows", str(tmp_path / "b.csv"))
    found = read(tmp_path / "b.csv")
    assert [(it["line"], it["patient"], it["column"], it["check"]) for it in found] == [
        ("3", "b", "age", "out_of_range"),
        ("3", "b", "chol", "wrong_type"),
        ("3", "b", "visit", "wrong_type"),
        ("3", "b", "thal", "unknown_category"),
        ("4", "", "row", "unreadable"),
    ]
    assert (found[0]["value"], found[1]["value"]) == ("630", "x")


def test_a_bad_row_can_refuse_the_table(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    source = write_table(tmp_path / "in.csv", lines(20, bad_every=10))
    assert predict(source, out, "--on-bad-rows", "reject") == 1
    assert not out.exists()
    assert len(read(tmp_path / "out.csv.bad.csv")) == 2 * 4
    write_table(source, lines(20))
    assert predict(source, out, "--on-bad-rows", "reject") == 0
    assert len(read(out)) == 20


def test_what_is_there_is_replaced_only_if_told(tmp_path: Path, capsys: Any) -> None:
    source, out = write_table(tmp_path / "in.csv", lines(3)), tmp_path / "out.csv"
    out.write_text("precious")
    assert predict(source, out) == 2
    assert "--force replaces it" in capsys.readouterr().err
    assert out.read_text() == "precious"
    assert predict(source, out, "--force") == 0
    assert len(read(out)) == 3


def test_the_input_is_never_written_over(tmp_path: Path, capsys: Any) -> None:
    source = write_table(tmp_path / "in.csv", lines(3))
    link, content = tmp_path / "link.csv", source.read_bytes()
    link.symlink_to(source)
    for args in (
        [source, "--force"],
        [link, "--force"],
        [f"{tmp_path}/../{tmp_path.name}/in.csv", "--force"],
        [tmp_path / "out.csv", "--bad-rows", str(source), "--force"],
        [tmp_path / "out.csv", "--bad-rows", str(tmp_path / "out.csv")],
    ):
        assert predict(source, *args) == 2
        told = capsys.readouterr().err
        assert "which would be lost" in told or "cannot hold both" in told
    assert source.read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "link.csv"]


def test_bad_rows_replace_another_file_only_if_told(tmp_path: Path, capsys: Any) -> None:
    source = write_table(tmp_path / "in.csv", lines(3, bad_every=2))
    notes = tmp_path / "notes.csv"
    notes.write_text("precious")
    out = tmp_path / "out.csv"
    assert predict(source, out, "--bad-rows", str(notes)) == 2
    assert f"{notes} is there already" in capsys.readouterr().err
    assert notes.read_text() == "precious"
    assert predict(source, out, "--bad-rows", str(notes), "--force") == 0


def test_an_unknown_task_is_told_with_those_that_there_are(
    models: Path, tmp_path: Path, capsys: Any
) -> None:
    source = write_table(tmp_path / "in.csv", lines(1))
    with pytest.raises(SystemExit) as end:
        batch.main(["hart", str(source), str(tmp_path / "out.csv"), "--models", str(models)])
    assert end.value.code == 2
    assert f"there is no model of 'hart' in {models}: there is heart" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty"),
        ("age,sex\n", "chol: the file lacks this column"),
        (None, "there is no file"),
    ],
)
def test_what_is_no_table_leaves_nothing(
    tmp_path: Path, content: str | None, reason: str, capsys: Any
) -> None:
    source = tmp_path / "in.csv"
    if content is not None:
        source.write_text(content)
    assert predict(source, tmp_path / "out.csv") == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()


def test_an_unknown_ending_is_refused(tmp_path: Path, capsys: Any) -> None:
    assert predict(tmp_path / "in.xlsx", tmp_path / "out.csv") == 2
    assert "must end with .csv or .parquet" in capsys.readouterr().err


def test_an_empty_table_has_an_empty_answer(tmp_path: Path) -> None:
    predict(write_table(tmp_path / "in.csv", []), tmp_path / "out.csv")
    assert read(tmp_path / "out.csv") == []
    assert report(tmp_path / "out.csv")["rows"] == 0


def test_parquet_and_csv_go_in_and_out(tmp_path: Path) -> None:
    table = pa.table({**HEART_COLUMNS, "n": [7, 8]})
    pq.write_table(table, tmp_path / "in.parquet")
    write_table(tmp_path / "in.csv", [GOOD.format(7), "8,64,0,,,,3"])
    found = []
    for source, name in (("in.parquet", "n"), ("in.csv", "patient")):
        for ending in ("csv", "parquet"):
            out = tmp_path / f"{source}.{ending}"
            assert predict(tmp_path / source, out, "--id", name, "--part-rows", "1") == 0
            rows = pq.read_table(out).to_pylist() if ending == "parquet" else read(out)
            found.append(
                [(str(it[name]), it["label"], float(it["probability_ill"])) for it in rows]
            )
    assert [it[0] for it in found[0]] == ["7", "8"]
    assert found.count(found[0]) == 4


def test_any_url_that_fsspec_knows_will_do(tmp_path: Path) -> None:
    source = write_table(tmp_path / "in.csv", lines(30, bad_every=10))
    memory = fsspec.filesystem("memory")
    memory.put_file(str(source), "/in.csv")
    assert predict("memory://in.csv", "memory://out.csv", "--id", "patient") == 0
    assert predict("memory://in.csv", "memory://out.csv") == 2  # it is there
    predict(source, tmp_path / "out.csv", "--id", "patient")
    for ending in ("", ".bad.csv"):
        assert memory.cat(f"/out.csv{ending}") == Path(f"{tmp_path}/out.csv{ending}").read_bytes()
    assert json.loads(memory.cat("/out.csv.manifest.json"))["rows"] == 30


def test_a_url_that_cannot_be_reached_is_named(tmp_path: Path, capsys: Any) -> None:
    assert predict("memory://none.csv", tmp_path / "out.csv") == 2
    assert "memory://none.csv cannot be reached" in capsys.readouterr().err


# Killed and begun again


def start(source: Path, out: Path) -> "subprocess.Popen[bytes]":
    words = ["heart", source, out, "--id", "patient", "--part-rows", "100", "--quiet"]
    command = [sys.executable, "-m", "serve.batch", *map(str, words)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def wait_for_part(folder: Path, number: int, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None and not (folder / f"part-{number:05}.json").exists():
        time.sleep(0.001)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_killed_batch_goes_on_and_ends_with_the_same_bytes(tmp_path: Path, ending: str) -> None:
    source = write_table(tmp_path / "in.csv", lines(6_000, bad_every=11))
    whole, broken = tmp_path / f"whole.{ending}", tmp_path / f"broken.{ending}"
    assert start(source, whole).wait(120) == 0
    parts, rng = Path(f"{broken}.parts"), random.Random(7)
    kept = []
    for part in (3, 20, 41):
        process = start(source, broken)
        wait_for_part(parts, part, process)
        time.sleep(rng.random() * 0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not broken.exists()
        kept.append(len(list(parts.glob("part-*.json"))))
    assert kept == sorted(kept)
    assert kept[0] > 0
    assert start(source, broken).wait(120) == 0
    assert broken.read_bytes() == whole.read_bytes()
    bad = [Path(f"{path}.bad.csv").read_bytes() for path in (whole, broken)]
    assert bad[0] == bad[1]
    assert not parts.exists()


def interrupted(source: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave two parts of ten rows, as a killed process does."""
    write = BadRows.write
    calls = iter(range(3))

    def killed(self: Any, results: Any) -> None:
        if next(calls) == 2:
            raise KeyboardInterrupt
        write(self, results)

    with monkeypatch.context() as patch:
        patch.setattr(BadRows, "write", killed)
        with pytest.raises(SystemExit, match="goes on from here"):
            batch.main(["heart", str(source), str(out), "--quiet", "--part-rows", "10"])
    assert len(list(Path(f"{out}.parts").glob("part-*.json"))) == 2


def test_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = write_table(tmp_path / "in.csv", lines(40)), tmp_path / "out.csv"
    interrupted(source, out, monkeypatch)
    seen = []
    of_rows = Predictor.predict
    monkeypatch.setattr(
        Predictor, "predict", lambda self, rows: seen.extend(it := of_rows(self, rows)) or it
    )
    assert predict(source, out, "--part-rows", "10") == 0
    assert len(seen) == 20
    assert len(read(out)) == 40


@pytest.mark.parametrize("change", ["input", "model", "options"])
def test_parts_of_another_job_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    source, out = write_table(tmp_path / "in.csv", lines(40)), tmp_path / "out.csv"
    interrupted(source, out, monkeypatch)
    options = ["--part-rows", "10"]
    if change == "input":
        write_table(source, [line.replace("63,1", "64,1") for line in lines(40)])
    elif change == "model":
        monkeypatch.setenv("MODELS_DIR", str(tmp_path / "models"))
        write_heart(tmp_path / "models", title="Another")
    else:
        options += ["--id", "patient"]
    predict(source, out, *options)
    predict(source, tmp_path / "fresh.csv", *options)
    assert out.read_bytes() == (tmp_path / "fresh.csv").read_bytes()


def test_two_at_once_do_not_mix(tmp_path: Path, capsys: Any) -> None:
    source, out = write_table(tmp_path / "in.csv", lines(4)), tmp_path / "out.csv"
    with Parts.lock(Location.parse(str(out))):
        assert predict(source, out) == 2
    assert "is being written by another process" in capsys.readouterr().err


def test_one_row_as_json_is_the_same(models: Path, tmp_path: Path) -> None:
    predict(write_table(tmp_path / "in.csv", lines(1)), tmp_path / "out.csv")
    with serving(models) as client:
        alone = client.post("/predict/heart", json=HEART_ROW).json()["predictions"][0]
    (row,) = read(tmp_path / "out.csv")
    assert float(row["probability_ill"]) == alone["probabilities"]["ill"]
