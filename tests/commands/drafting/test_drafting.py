"""A contract drafted from a table: what is guessed, what is left out, and that it runs."""

import csv
import io
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from ruamel.yaml import YAML

from commands.drafting.dialect import read_table
from commands.drafting.guess import guess_column, widen_range
from commands.drafting.target_inference import find_group, infer_target
from commands.drafting.writing import render_contract, render_flow, render_scalar
from stages.contract.task import Task
from stages.shared.errors import PipelineError
from tests.support.clone import Clone
from tests.support.defaults import contract_defaults

ROWS = 240


def make_customers() -> pd.DataFrame:
    """Return a table with everything that a draft must see, in 240 rows."""
    rng = np.random.default_rng(3)
    age = rng.integers(18, 80, ROWS)
    status = np.where(age + rng.normal(0, 15, ROWS) > 50, "closed", "active")
    balance = np.round(rng.normal(0, 900, ROWS), 2)
    started = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 600, ROWS), unit="D")
    return pd.DataFrame(
        {
            "customer_id": np.arange(ROWS) * 7 + 1000,
            "age": age,
            "plan": rng.choice(["basic", "plus", "Plus"], ROWS),
            "balance": np.where(rng.random(ROWS) < 0.1, np.nan, balance),
            "visits": np.where(rng.random(ROWS) < 0.05, -999, rng.integers(0, 60, ROWS)),
            "newsletter": rng.choice(["yes", "no"], ROWS),
            "started": started.strftime("%Y-%m-%d"),
            "closed on": np.where(status == "closed", 1, 0),
            "currency": "EUR",
            "note": [f"wrote {n} times about {n % 7} things, mostly at night" for n in range(ROWS)],
            "phone": [f"+44 {n:05d}-{n % 97}" for n in rng.permutation(ROWS)],
            "status": status,
        }
    )


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "commands", "draft", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def read(path: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    table = read_table(path, None)
    return table.origin, table.frame


def guess_cells(cells: list[Any], name: str = "x", decimal: str = ".") -> Any:
    return guess_column(name, pd.Series(cells, dtype="str"), decimal)


# How the file is written

WRITTEN = {
    "plain": ({}, "utf-8", {}),
    "semicolons": ({"delimiter": ";"}, "utf-8", {"delimiter": ";"}),
    "tabs": ({"delimiter": "\t"}, "utf-8", {"delimiter": "\t"}),
    "bars, everything quoted": (
        {"delimiter": "|", "quoting": csv.QUOTE_ALL}, "utf-8", {"delimiter": "|"},
    ),
    "with a mark": ({}, "utf-8-sig", {}),
    "UTF-16": ({"delimiter": "\t"}, "utf-16", {"delimiter": "\t", "encoding": "utf-16"}),
}  # fmt: skip


@pytest.mark.parametrize(("dialect", "encoding", "found"), WRITTEN.values(), ids=WRITTEN.keys())
def test_the_layout_is_found_and_the_cells_are_read(
    tmp_path: Path, dialect: dict[str, Any], encoding: str, found: dict[str, Any]
) -> None:
    rows = [["name", "size"], *(([f"it's, {i}; ok", str(i)]) for i in range(30))]
    text = io.StringIO()
    csv.writer(text, **dialect).writerows(rows)
    path = tmp_path / "t.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    origin, frame = read(path)
    assert {key: value for key, value in origin.items() if key != "path"} == found
    assert frame.to_numpy().tolist() == rows[1:]


def test_a_file_without_a_header_gets_numbered_names(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("63,1,ill\n37,0,well\n41,1,well\n")
    origin, frame = read(path)
    assert origin["header"] is False
    assert origin["names"] == list(frame.columns) == ["column_1", "column_2", "column_3"]
    assert len(frame) == 3


def test_a_name_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,a,b\n" + "1,2,3\n" * 9)
    with pytest.raises(PipelineError, match="more than one column is called 'a'"):
        read(path)


def test_words_that_come_again_are_no_header(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("good,poor\ngood,rich\nbad,poor\n")
    assert len(read(path)[1]) == 3


def test_quotes_that_would_swallow_lines_are_characters(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    lines = [f"text {i}\t{i % 2}" for i in range(40)]
    path.write_text("\n".join(["text\tlabel", '"so\t1', *lines, 'end"\t0', "more\t1", ""]))
    origin, frame = read(path)
    assert origin["quoting"] is False
    assert len(frame) == 43


def test_a_decimal_comma_is_seen_and_one_between_words_is_not(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("size;place\n" + "".join(f"{i},5;a,b\n" for i in range(9)))
    assert read(path)[0]["decimal"] == ","
    path.write_text("size;place\n" + "".join(f"{i}.5;a,b\n" for i in range(9)))
    assert "decimal" not in read(path)[0]


def test_a_comma_that_may_stand_between_thousands_is_no_decimal_one(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("sales;place\n" + "".join(f"{i + 1},500;a\n" for i in range(9)))
    assert "decimal" not in read(path)[0]
    path.write_text("share;place\n" + "".join(f"0,50{i};a\n" for i in range(9)))
    assert read(path)[0]["decimal"] == ","


def test_western_windows_is_preferred_to_an_encoding_that_reads_the_same(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(
        ("name,size\n" + "M\u00fcller,1\nGro\u00df,2\nJ\u00e4ger,3\n" * 40).encode("cp1252")
    )
    assert read(path)[0]["encoding"] == "cp1252"


def test_a_number_among_the_names_is_a_name(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("no,1,on,y\n" + "".join(f"{i},{i % 7},{i % 3},a\n" for i in range(20)))
    assert list(read(path)[1]) == ["no", "1", "on", "y"]


def test_a_column_without_a_name_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(",size,kind,\n" + "".join(f"{i},{i % 7},a,\n" for i in range(20)))
    assert list(read(path)[1]) == ["size", "kind"]


def test_a_column_of_lists_or_records_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    cells = {"size": range(30), "tags": [["a", "b"]] * 30, "place": [{"city": "Oslo"}] * 30}
    pd.DataFrame(cells).to_parquet(path)
    frame = read(path)[1]
    assert find_group(frame, list(frame)) is None
    for name in ("tags", "place"):
        assert "lists or records" in guess_column(name, frame[name], ".").left_out


# What a column is

GUESSES = {
    "whole": ([str(i) for i in (1, 5, 900) for _ in range(9)], "integer"),
    "real": (["1.5", "-2", "3e4"] * 9, "number"),
    "words": (["a", "b"] * 9, "category"),
    "yes and no": (["Yes", "no"] * 9, "boolean"),
    "days": (["2024-05-31", "2025-01-01"] * 9, "datetime"),
    "text": ([f"it came {i} days late and broke" for i in range(20)], "text"),
}


@pytest.mark.parametrize(("cells", "kind"), GUESSES.values(), ids=GUESSES.keys())
def test_the_type_of_a_column(cells: list[str], kind: str) -> None:
    assert guess_cells(cells).type == kind


LEFT_OUT = {
    "constant": (["EUR"] * 20, "x", "every value present is EUR"),
    "nothing": ([None] * 20, "x", "holds nothing"),
    "counter": ([str(i) for i in range(20)], "x", "identifier"),
    "named as one": ([str(i * i) for i in range(20)], "patient_id", "identifier"),
    "codes": ([f"{i * 7919 + 0xA0000000:08x}" for i in range(20)], "x", "identifier"),
    "dates of another kind": ([f"{i}/12/2024" for i in range(1, 25)], "x", "nor ISO 8601 dates"),
    "German dates": ([f"{i:02}.12.2024" for i in range(1, 25)], "x", "nor ISO 8601 dates"),
    "thousands": ([f"{i},500" for i in range(1, 30)], "x", "thousands are set apart"),
    "percentages": ([f"{i} %" for i in range(1, 30)] * 9, "x", "a percentage"),
    "many words": ([f"Name{'x' * i}" for i in range(60)], "x", "too many for a category"),
}


@pytest.mark.parametrize(("cells", "name", "reason"), LEFT_OUT.values(), ids=LEFT_OUT.keys())
def test_a_column_of_no_use_is_left_out_with_the_reason(
    cells: list[Any], name: str, reason: str
) -> None:
    assert reason in guess_cells(cells, name).left_out


def test_amounts_that_differ_in_every_row_are_no_identifier() -> None:
    assert (
        guess_cells([f"{x:.3f}" for x in np.random.default_rng(1).normal(size=30)]).type == "number"
    )


def test_days_that_differ_in_every_row_are_no_identifier() -> None:
    days = pd.date_range("2024-01-01", periods=30).strftime("%Y-%m-%d")
    assert guess_cells(days.tolist()).type == "datetime"


def test_gaps_are_allowed_and_their_share_is_told() -> None:
    found = guess_cells(["1.5"] * 19 + ["2.5"] * 19 + [None, None])
    assert found.options["missing"] == "allowed"
    assert "5 % of the rows lack it" in found.comment


def test_a_word_among_numbers_stands_for_missing_in_that_column() -> None:
    found = guess_cells(["1.5", "2.5", "-", "n.a."] * 9 + ["2.5"] * 40)
    assert (found.type, set(found.marks)) == ("number", {"-", "n.a."})


@pytest.mark.parametrize("sentinel", ["-999", "99999", "-1"])
def test_a_number_far_off_all_others_stands_for_missing(sentinel: str) -> None:
    found = guess_cells([str(i) for i in range(50)] * 2 + [sentinel] * 6)
    assert found.marks == (sentinel,)
    assert found.options["range"][0] >= 0


def test_an_end_of_a_range_is_no_sentinel() -> None:
    assert guess_cells([str(i) for i in range(-1, 100)] * 2).marks == ()
    assert guess_cells([str(i) for i in range(101)] * 2 + ["99"] * 3).marks == ()


def test_spelling_variants_are_pointed_at() -> None:
    assert "'Plus' and 'plus'" in guess_cells(["plus", "Plus", "basic"] * 9).comment


@given(st.floats(-1e12, 1e12), st.floats(0, 1e12), st.booleans())
def test_a_range_holds_what_was_seen_and_stays_on_its_side_of_zero(
    low: float, span: float, whole: bool
) -> None:
    low, high = (float(round(low)), float(round(low + span))) if whole else (low, low + span)
    bottom, top = widen_range(low, high, whole)
    assert bottom <= low
    assert top >= high
    assert bottom >= 0 or low < 0
    assert top <= 0 or high > 0


# What is to be predicted


def infer_from_cells(cells: list[Any], positive: str | None = None) -> Any:
    return infer_target(pd.DataFrame({"y": pd.Series(cells, dtype="str")}), "y", positive, ".")


def test_two_words_are_classes_and_the_telling_one_is_positive() -> None:
    found = infer_from_cells(["yes"] * 70 + ["no"] * 30)
    assert found.target == {"expression": "y", "classes": ["no", "yes"], "positive": "yes"}
    assert found.metric == "roc_auc"


def test_without_a_telling_name_the_rarer_class_is_positive() -> None:
    assert infer_from_cells(["stays"] * 70 + ["goes"] * 30).target["positive"] == "goes"
    assert (
        infer_from_cells(["stays"] * 70 + ["goes"] * 30, positive="stays").target["positive"]
        == "stays"
    )


def test_a_rare_class_is_ranked_by_precision() -> None:
    assert infer_from_cells(["0"] * 970 + ["1"] * 30).metric == "average_precision"


def test_many_numbers_are_amounts_and_few_are_classes() -> None:
    assert infer_from_cells([str(i) for i in range(50)]).metric == "rmse"
    assert infer_from_cells(["0.5", "1.5"] * 20).metric == "rmse"
    assert infer_from_cells(["1", "2", "3"] * 20).target["classes"] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("cells", "words"), [(["a"] * 9, "every value is"), ([f"w{i}" for i in range(30)], "too many")]
)
def test_a_target_of_no_use_is_refused(cells: list[str], words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        infer_from_cells(cells)


def test_rows_without_a_target_are_counted() -> None:
    assert "3 rows lack it" in infer_from_cells(["yes", "no"] * 20 + [None] * 3).comments["target"]


@pytest.mark.parametrize(("lacking", "most"), [(1, 0.05), (20, 0.5)])
def test_rows_without_a_target_do_not_stop_the_run(lacking: int, most: float) -> None:
    found = infer_from_cells(["yes", "no"] * 20 + [None] * lacking)
    contract = YAML(typ="safe").load(render_contract("T", {"path": "t.csv"}, [], found, None, 60))
    assert contract["on_bad_rows"] == "quarantine"
    assert lacking / (40 + lacking) < contract["max_bad_row_share"] <= most + 0.02


def test_folds_are_few_enough_for_the_rarest_class() -> None:
    assert infer_from_cells(["a"] * 90 + ["b"] * 12).cv["folds"] == 3


def test_an_identifier_that_repeats_groups_the_rows() -> None:
    frame = pd.DataFrame({"size": range(90), "patient_id": [i // 3 for i in range(90)]})
    assert find_group(frame, ["size", "patient_id"]) == "patient_id"
    assert find_group(frame[["size"]], ["size"]) is None


# How it is render_contract down

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]))


@given(WORDS | st.sampled_from(["yes", "NO", "1e-3", "~", "${x}", "a: b", "#1", "0x1", "1_000"]))
def test_every_reader_of_yaml_reads_a_scalar_as_it_was(word: str) -> None:
    text = f"key: {render_scalar(word)}\n"
    assert OmegaConf.create(text).key == word
    if "${" not in word:
        assert YAML(typ="safe").load(text)["key"] == word


@given(WORDS)
def test_every_reader_of_yaml_reads_a_key_as_it_was(word: str) -> None:
    text = render_flow({word: 1})
    assert list(OmegaConf.create(text)) == [word]
    assert YAML(typ="safe").load(text) == {word: 1}


def test_a_value_is_written_on_one_line() -> None:
    value = {"range": [0.0, 1.5], "header": False, "names": ["a b", "<1H"], "count": 3}
    assert render_flow(value) == '{ range: [0, 1.5], header: false, names: [a b, "<1H"], count: 3 }'
    assert YAML(typ="safe").load(render_flow(value)) == value


# The command


@pytest.fixture(scope="module")
def drafted(pipeline: Clone) -> Clone:
    """A clone with a contract drafted from the customers' table."""
    pipeline.write("data/raw/customers.csv", make_customers().to_csv(index=False))
    words = ("data/raw/customers.csv", "--task", "churn", "--target", "status")
    answer = run(*words, "--positive", "closed", cwd=pipeline.path)
    assert answer.returncode == 0, answer.stderr
    return pipeline


def read_contract(clone: Clone, task: str) -> Any:
    return YAML(typ="safe").load((clone.path / f"conf/task/{task}.yaml").read_text())


def test_the_draft_says_what_the_table_is(drafted: Clone) -> None:
    found = read_contract(drafted, "churn")
    kinds = {name: item["type"] for name, item in found["columns"].items()}
    assert kinds == {
        "age": "integer", "plan": "category", "balance": "number", "visits": "integer",
        "newsletter": "boolean", "started": "datetime", "note": "text",
    }  # fmt: skip
    assert found["sources"]["sample"]["missing_in"] == {"visits": ["-999"]}
    assert found["columns"]["balance"]["missing"] == "allowed"
    assert found["target"]["positive"] == "closed"


def test_what_is_left_out_stands_there_with_the_reason(drafted: Clone) -> None:
    text = (drafted.path / "conf/task/churn.yaml").read_text()
    left_out = read_contract(drafted, "churn")["ignored"]
    assert left_out == ["customer_id", "closed on", "currency", "phone"]
    assert "- customer_id # an identifier" in text
    assert "- currency # every value present is EUR" in text
    assert "- closed on # a leak? It alone tells 100 % of the target" in text


def test_the_draft_runs_unchanged(drafted: Clone) -> None:
    drafted.replace("conf/task/churn.yaml", "linear: , forest: , xgboost: , lightgbm: ", "linear: ")
    drafted.compose()
    assert "export@churn" in drafted.repro("export@churn")
    manifest = json.loads((drafted.path / "models/churn/manifest.json").read_text())
    assert manifest["metrics"]["roc_auc"]["value"] > 0.7


def test_a_contract_that_is_there_is_not_overwritten(drafted: Clone) -> None:
    before = (drafted.path / "conf/task/heart.yaml").read_bytes()
    answer = run("data/sample/heart.csv", "--task", "heart", "--target", "num", cwd=drafted.path)
    assert answer.returncode == 1
    assert "conf/task/heart.yaml is there already" in answer.stderr
    assert (drafted.path / "conf/task/heart.yaml").read_bytes() == before


REFUSED = {
    "no such column": (["data/sample/heart.csv", "--task", "x", "--target", "nun"], "it has age"),
    "no such file": (["nowhere.csv", "--task", "x", "--target", "num"], "nowhere.csv is not here"),
    "no name": (["data/sample/heart.csv", "--task", "My Task", "--target", "num"], "'My Task'"),
    "no query": (["sqlite:///a.db", "--task", "x", "--target", "y"], "--query"),
}


@pytest.mark.parametrize(("words", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_word_is_refused_and_nothing_is_written(
    drafted: Clone, words: list[str], message: str
) -> None:
    answer = run(*words, cwd=drafted.path)
    assert answer.returncode == 1
    assert message in answer.stderr
    assert not (drafted.path / "conf/task/x.yaml").exists()


def test_a_query_is_drafted_from_too(drafted: Clone, tmp_path: Path) -> None:
    base = tmp_path / "shop.db"
    with sqlite3.connect(base) as connection:
        make_customers().to_sql("customers", connection, index=False)
    query = "select age, plan, status from customers"
    words = (f"sqlite:///{base}", "--query", query, "--task", "shop", "--target", "status")
    answer = run(*words, cwd=drafted.path)
    assert answer.returncode == 0, answer.stderr
    found = read_contract(drafted, "shop")
    assert found["sources"]["sample"]["query"] == query
    assert list(found["columns"]) == ["age", "plan"]
    (drafted.path / "conf/task/shop.yaml").unlink()


def test_a_file_outside_is_brought_in(drafted: Clone, tmp_path: Path) -> None:
    table = tmp_path / "outside.csv"
    table.write_text(make_customers()[["age", "status"]].to_csv(index=False))
    answer = run(str(table), "--task", "outside", "--target", "status", cwd=drafted.path)
    assert "run `dvc add data/raw/outside.csv`" in answer.stdout
    assert (drafted.path / "data/raw/outside.csv").read_bytes() == table.read_bytes()
    (drafted.path / "conf/task/outside.yaml").unlink()


def test_a_draft_that_fails_brings_nothing_in(drafted: Clone, tmp_path: Path) -> None:
    (tmp_path / "alike.csv").write_text("a,b\n1,x\n2,x\n")
    answer = run(str(tmp_path / "alike.csv"), "--task", "x", "--target", "b", cwd=drafted.path)
    assert "every value is" in answer.stderr
    assert not (drafted.path / "data/raw/alike.csv").exists()


PUBLISHED = {
    "cleveland": (
        ["heart/processed.cleveland.data", "--target", "num", "--names",
         "age,sex,cp,trestbps,chol,fbs,restecg,thalach,exang,oldpeak,slope,ca,thal,num"], 13,
    ),
    "census": (["housing/housing.csv", "--target", "median_house_value"], 9),
    "films": (["sentiment/imdb_labelled.txt", "--target", "column_2"], 1),
}  # fmt: skip


@pytest.mark.skipif(not Path("../shared/data").exists(), reason="no published data here")
@pytest.mark.parametrize(("words", "columns"), PUBLISHED.values(), ids=PUBLISHED.keys())
def test_published_tables_are_drafted_whole(drafted: Clone, words: list[str], columns: int) -> None:
    path = str(Path("../shared/data", words[0]).resolve())
    answer = run(path, "--task", "published", "--overwrite", *words[1:], cwd=drafted.path)
    assert answer.returncode == 0, answer.stderr
    found = read_contract(drafted, "published")
    assert len(found["columns"]) == columns
    source = found["sources"]["sample"]
    found["sources"] = {"sample": source}  # the other only refers to it
    defaults = {**contract_defaults(), "source": "sample"}
    cv = {**defaults.pop("cv"), **found.pop("cv", {})}
    Task.parse({**defaults, **found, "cv": cv, "origin": source}, "published")
    (drafted.path / "conf/task/published.yaml").unlink()
    (drafted.path / source["path"]).unlink()
