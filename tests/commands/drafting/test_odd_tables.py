"""Files as people and programs write them: each is read, or refused for that very reason."""

import random
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.support.drafted_tables import Outcome, make_repository, run_table
from tests.support.table_fuzzing import make_table, spoil

ROWS = [
    (20 + i * 7 % 41, i * 37 % 91 / 10 + 0.5, "ab"[i * i % 3 % 2], ("yes", "no")[i * 11 % 7 % 2])
    for i in range(120)
]
HEAD = "age,size,kind,y\n"


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_repository(tmp_path)
    monkeypatch.chdir(tmp_path)


def write(text: str | bytes, name: str = "table.csv") -> Path:
    path = Path(name)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def draft(text: str | bytes, target: str = "y", **known: Any) -> Outcome:
    return run_table(write(text), target, until="draft", **known)


def run_whole(text: str | bytes, target: str = "y") -> Outcome:
    """Return what a file comes to that nothing refuses."""
    outcome = run_table(write(text), target)
    assert outcome.refusal == ""
    return outcome


def as_lines(delimiter: str = ",", end: str = "") -> str:
    return "".join(delimiter.join(map(str, row)) + end + "\n" for row in ROWS)


def get_source(outcome: Outcome) -> dict[str, Any]:
    return {
        key: value for key, value in outcome.contract["sources"]["sample"].items() if key != "path"
    }


PLAIN = HEAD + as_lines()
LAYOUTS: dict[str, tuple[str | bytes, dict[str, Any]]] = {
    "a header with a comma too many": (PLAIN.replace("kind,y\n", "kind,y,\n"), {}),
    "every row with a comma too many": (HEAD + as_lines(end=","), {}),
    "blank header cells over blank cells": (HEAD.replace("y\n", "y,,\n") + as_lines(end=",,"), {}),
    "R's names of the rows": (
        '"age","size","kind","y"\n'
        + "".join(f'"{i}",{line}\n' for i, line in enumerate(as_lines().splitlines(), 1)), {},
    ),
    "runs of blanks": (
        "age  size kind   y\n"
        + "".join(f"  {a:<4} {b:>6} {c}  {d} \n" for a, b, c, d in ROWS), {"delimiter": " "},
    ),
    "lines above the header": ("Report\n\nby us\n" + PLAIN, {"skip_lines": [1, 3]}),
    "a padded title": ("Report,,,\n" + PLAIN, {"skip_lines": [1]}),
    "units under the header": (PLAIN.replace("y\n", "y\n[years],[cm],,\n", 1), {"skip_lines": [2]}),
    "groups above the names": ("person,person,,\n" + PLAIN, {"skip_lines": [1]}),
    "carriage returns alone": (PLAIN.replace("\n", "\r"), {}),
    "a blank before quotes": (
        "age, size, kind, y\n" + "".join(f'{a}, {b}, "{c}", "{d}"\n' for a, b, c, d in ROWS), {},
    ),
    "UTF-16 without a mark": (PLAIN.encode("utf-16-le"), {"encoding": "utf-16-le"}),
}  # fmt: skip


@pytest.mark.parametrize(("text", "source"), LAYOUTS.values(), ids=LAYOUTS.keys())
def test_a_layout_is_understood_and_the_same_table_read(
    text: str | bytes, source: dict[str, Any]
) -> None:
    outcome = draft(text)
    assert outcome.refusal == ""
    assert get_source(outcome) == source
    assert {name: c["type"] for name, c in outcome.contract["columns"].items()} == {
        "age": "integer", "size": "number", "kind": "category",
    }  # fmt: skip


@pytest.mark.parametrize(
    "kind", ["R's names of the rows", "runs of blanks", "units under the header"]
)
def test_what_is_drafted_from_a_layout_is_prepared_from_it(kind: str) -> None:
    run_whole(LAYOUTS[kind][0])
    parts = [pd.read_parquet(path) for path in sorted(Path("data/prepared/odd").glob("*.parquet"))]
    table = pd.concat(parts).sort_values("_row")
    assert table[["age", "size", "kind", "_target"]].to_numpy().tolist() == [list(r) for r in ROWS]


def test_quotes_after_a_backslash_stay_in_their_cell() -> None:
    text = "age,note,y\n" + "".join(
        f'{a},"she said \\"{b}, no\\" and left",{d}\n' for a, b, _, d in ROWS
    )
    outcome = draft(text)
    assert get_source(outcome) == {"escape": "\\"}
    assert outcome.contract["columns"]["note"]["type"] == "text"


REFUSED = {
    "one row with a cell too many": (PLAIN.replace("\n27,", "\n,27,", 1), r"once, in line 3\b"),
    "a name too few": (PLAIN.replace("size,", "", 1), "header, has 3 names, and every row"),
    "two headers of which neither is whole": (
        "p,,q,\n" + PLAIN.replace("age,size,kind", "age,age,kind"), "two lines, 1 and 2",
    ),
    "words alone as a target": (
        "x,y\n" + "".join(f"{i % 7},w{i}\n" for i in range(40)), "are no classes",
    ),
    "thousands in the target": (
        "a,y\n" + "".join(f'{i},"{i + 2},394.{i % 9}"\n' for i in range(30)),
        "no number: thousands are set apart, as in '2,394.0'",
    ),
    "no column to learn from": (
        "a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(1, 40)), "a: an identifier",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_file_is_refused_for_its_very_reason(text: str, reason: str) -> None:
    outcome = draft(text)
    assert re.search(reason, outcome.refusal), outcome.refusal
    assert not outcome.text


def test_given_names_beside_a_header_are_refused_with_the_header() -> None:
    text = "label,message,,\n" + "".join(
        f"{('ham', 'spam')[i % 2]},some text {i},,\n" for i in range(30)
    )
    outcome = draft(text, "label", names=("label", "message", "c", "d"))
    assert "its first line seems to name the columns ('label,message,,')" in outcome.refusal


ENCODED = {
    "cp949": "방이 넓고 깨끗해서 다음에도 다시 오고 싶어요",
    "gb18030": "房间很大而且很干净服务也很好下次还会再来入住",
    "cp932": "部屋が広くて清潔でした。また来たいと思います",
    "cp1252": "um roteirista que não consegue terminar",
}


@pytest.mark.parametrize(("encoding", "words"), ENCODED.items(), ids=ENCODED.keys())
def test_an_encoding_is_guessed_and_said(encoding: str, words: str) -> None:
    text = "text,y\n" + "".join(f"plain line number {i} of all,{i % 2}\n" for i in range(30))
    outcome = draft((text + f"{words},1\n").encode(encoding))
    assert get_source(outcome) == {"encoding": encoding}
    assert f"line 32: '{words}" in outcome.text


NAMES = ["class", "a b", "q\"uo'te", "${x}", "[br{", "\U0001f600", "\ufb01", "None", "é", "a.b"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_target_composes(name: str) -> None:
    head = '"' + name.replace('"', '""') + '"'
    rows = "".join(f"{i % 13},{'no' if i % 3 else 'yes'}\n" for i in range(60))
    outcome = run_table(write(f"x,{head}\n{rows}"), name, until="compose")
    assert outcome.refusal == ""


def test_a_source_that_others_publish_is_there() -> None:
    assert "published: ${.sample}" in draft(PLAIN).text


def test_spoilt_tables_pass_or_are_refused_with_a_reason() -> None:
    """`python -m benchmarks.odd_tables` takes thousands; any other exception fails this test."""
    for seed in range(25):
        rng = random.Random(seed)
        rows, target = make_table(rng)
        outcome = run_table(write(spoil(rows, rng)), target)
        assert outcome.refusal or outcome.step == "validate"
