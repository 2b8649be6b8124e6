"""The stage as DVC runs it, and what it tells: exit code, files, screen, page."""

import html.parser
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.contract.columns import Column
from stages.contract.split import Split
from stages.contract.target import Target
from stages.shared.schema import SPLITS
from stages.shared.storage import write_frame, write_json, write_text
from stages.validating.checks import run_checks
from stages.validating.findings import Finding
from stages.validating.prepared import Prepared
from stages.validating.profiles import BINS, Part, build_histogram, profile_columns
from stages.validating.report import (
    SCREEN,
    Report,
    format_percent,
    render_page,
    render_screen,
    summarise_report,
)
from tests.support.defaults import contract_defaults

REPOSITORY = Path(__file__).resolve().parents[3]
ATTACK = "<script>alert('x')</script>"
COLUMNS = {
    "income": {"type": "number", "unit": "dollars", "range": [0, 1000], "missing": "allowed"},
    "place": {"type": "category", "values": ["<1H OCEAN", "INLAND"], "description": "near & far"},
    "seen": {"type": "datetime"},
}
CONTRACTS = {
    "heart": {
        "expression": "num > 0",
        "classes": {"true": "ill", "false": "well"},
        "positive": "ill",
    },
    "housing": {"expression": "value", "unit": "dollars", "range": [0, 500]},
}
REPORTS = {"validation.json", "validation.html", "statistics.json"}
SPLIT = {"seed": 1, "validation": 0.2, "test": 0.2}


def make_table(task: str) -> pd.DataFrame:
    i = np.arange(100)
    label = pd.Series(np.where(i % 2, "ill", "well"), dtype="str")
    return pd.DataFrame(
        {
            "_row": i + 1,
            "income": 10.0 * i,
            "place": pd.Series(np.where(i % 4 < 2, "INLAND", "<1H OCEAN"), dtype="str"),
            "seen": pd.date_range("2024-01-01", periods=100, freq="D", unit="us"),
            "_target": label if task == "heart" else 1.0 * (37 * i * i % 101),
        }
    )


def cut_parts(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return dict(zip(SPLITS, (frame.iloc[:60], frame.iloc[60:80], frame.iloc[80:]), strict=True))


def prepare_table(frame: pd.DataFrame, task: str = "heart") -> Prepared:
    return Prepared.from_splits(
        cut_parts(frame),
        task=task,
        columns={name: Column.parse(column, name) for name, column in COLUMNS.items()},
        target=Target.parse(CONTRACTS[task], "target"),
        split=Split.parse(SPLIT, "split"),
    )


def spoil_table(frame: pd.DataFrame) -> pd.DataFrame:
    frame.loc[frame["_row"] == 7, "place"] = ATTACK
    frame.loc[frame["_row"] == 8, "income"] = -1.0
    return frame


@pytest.fixture
def folder(tmp_path):
    """A project of one task, as `prepare` leaves it."""
    lay_out(tmp_path, "heart", make_table("heart"))
    return tmp_path


def lay_out(root: Path, task: str, frame: pd.DataFrame) -> None:
    data = root / "data/prepared" / task
    for split, part in cut_parts(frame).items():
        write_frame(data / f"{split}.parquet", part)
    fields = [
        {"name": name, "type": column["type"], "values": column.get("values", [])}
        for name, column in COLUMNS.items()
    ]
    labels = ["well", "ill"] if task == "heart" else []
    problem = "classification" if labels else "regression"
    write_json(data / "schema.json", {"problem": problem, "fields": fields, "labels": labels})
    write_json(data / "unparsed.json", {})
    write_json(data / "reading.json", {"columns": [*COLUMNS], "quarantined": 0, "reasons": {}})
    plain = {"source": "sample", "ignored": [], "slices": [], "checks": {}}
    plain |= {"error_from": contract_defaults()["error_from"]}
    contract = {"title": "A <b>title</b>", "columns": COLUMNS, "split": SPLIT, **plain}
    content = {"libraries": {}, "task": {task: {**contract, "target": CONTRACTS[task]}}}
    (root / "params.yaml").write_text(json.dumps(content))  # JSON is YAML


def run(root: Path, task: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stages.validate", task],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )


def list_written(root: Path, task: str) -> set[str]:
    return {path.name for path in (root / "data/validated" / task).iterdir()}


@pytest.mark.parametrize("task", ["heart", "housing"])
def test_a_good_table_passes(tmp_path, task):
    lay_out(tmp_path, task, make_table(task))
    done = run(tmp_path, task)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{task}: passed, with 0 errors in 100 rows\n"
    assert list_written(tmp_path, task) == {
        "validation.json",
        "validation.html",
        "statistics.json",
        "verdict",
    }
    assert (tmp_path / "data/validated" / task / "verdict").read_text() == "passed\n"


@pytest.mark.parametrize(
    ("where", "key"),
    [((), "checks.rang"), (("columns", "income"), "columns.income.checks.rang")],
)
def test_a_rule_that_does_not_exist_is_refused(
    tmp_path: Path, where: tuple[str, ...], key: str
) -> None:
    lay_out(tmp_path, "heart", make_table("heart"))
    params = json.loads((tmp_path / "params.yaml").read_text())
    section = params["task"]["heart"]
    for name in where:
        section = section[name]
    section["checks"] = {"rang": "off"}
    (tmp_path / "params.yaml").write_text(json.dumps(params))
    done = run(tmp_path, "heart")
    assert done.returncode == 1
    assert f"conf/task/heart.yaml: {key} = 'off': there is no such rule" in done.stderr
    assert "missing_share, values, range, length" in done.stderr  # the choices


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """A project whose table was good once and then failed, and what the run said."""
    root = tmp_path_factory.mktemp("failed")
    lay_out(root, "heart", spoil_table(make_table("heart")))
    write_text(root / "data/validated/heart/verdict", "passed\n")
    return root, run(root, "heart")


def test_a_bad_table_stops_the_run_and_leaves_the_report_but_no_verdict(failed):
    root, done = failed
    assert done.returncode == 1
    assert list_written(root, "heart") == REPORTS
    assert "error  place · values: 1 of 100 values is not declared" in done.stdout
    assert done.stderr.strip() == (
        "validate heart: 2 errors in 100 rows; all of it is in data/validated/heart/validation.html"
    )


def test_a_table_with_warnings_passes_and_says_so(folder):
    frame = make_table("heart").assign(income=5.0)
    lay_out(folder, "heart", frame)
    done = run(folder, "heart")
    assert done.returncode == 0
    assert "warn   income · constant: every value present is 5" in done.stdout
    assert done.stdout.endswith("heart: passed, with 1 warning in 100 rows\n")


def test_a_table_prepared_for_another_contract_is_refused(folder):
    schema = folder / "data/prepared/heart/schema.json"
    content = json.loads(schema.read_text())
    content["fields"].pop()
    write_json(schema, content)
    done = run(folder, "heart")
    assert done.returncode == 1
    assert (
        "has other columns than conf/task/heart.yaml: run `dvc repro prepare@heart`" in done.stderr
    )


def test_the_report_is_the_same_bytes_each_time(failed):
    root, done = failed
    names = ("validation.json", "validation.html")
    files = [root / "data/validated/heart" / name for name in names]
    first = [path.read_bytes() for path in files]
    assert run(root, "heart").stdout == done.stdout
    assert [path.read_bytes() for path in files] == first
    assert str(root).encode() not in b"".join(first)


def test_json_keeps_to_its_format(failed):
    root, _ = failed
    content = json.loads((root / "data/validated/heart/validation.json").read_text())
    assert list(content) == ["format", "task", "verdict", "rows", "findings", "columns"]
    assert (content["format"], content["task"], content["verdict"]) == (2, "heart", "failed")
    assert content["rows"] == {"train": 60, "validation": 20, "test": 20}
    assert [set(finding) for finding in content["findings"]] == [set(Finding.model_fields)] * 2
    assert [finding["values"] for finding in content["findings"]] == [[ATTACK], ["-1"]]
    assert list(content["columns"]) == ["income", "place", "seen", "_target"]


def test_an_infinite_number_does_not_break_the_report():
    frame = make_table("heart")
    frame.loc[3, "income"] = np.inf
    found = run_checks(prepare_table(frame))
    report = Report.from_findings(prepare_table(frame), found)
    assert [finding.values for finding in found] == [("inf",)]
    json.dumps(report.model_dump(), allow_nan=False)


class Page(html.parser.HTMLParser):
    """Collects what a page holds: its tags with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def list_tags(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def render_table(frame: pd.DataFrame, task: str = "heart", title: str = "Title") -> str:
    table = prepare_table(frame, task)
    return render_page(Report.from_findings(table, run_checks(table)), title, table)


def test_page_escapes_what_the_data_say():
    found = Page(render_table(spoil_table(make_table("heart")), title="A <b>title</b>"))
    assert found.list_tags("script") == found.list_tags("b") == []
    assert found.text.count(ATTACK) >= 2  # in the finding and in the column's values
    assert "A <b>title</b>" in found.text
    assert "near & far" in found.text


@pytest.mark.parametrize("task", ["heart", "housing"])
def test_page_loads_nothing_from_elsewhere(task):
    text = render_table(spoil_table(make_table(task)), task)
    found = Page(text)
    assert not re.search(r"https?:|url\(|@import|src=", text)
    assert found.list_tags("link") == found.list_tags("img") == found.list_tags("iframe") == []
    assert all((link["href"] or "").startswith("#") for link in found.list_tags("a"))


def test_page_names_what_a_screen_reader_needs():
    found = Page(render_table(spoil_table(make_table("heart"))))
    assert all(head.get("scope") in ("col", "row") for head in found.list_tags("th"))
    assert all(plot["role"] == "img" and plot["aria-label"] for plot in found.list_tags("svg"))
    targets = {attributes["id"] for _, attributes in found.tags if "id" in attributes}
    links = {(link["href"] or "")[1:] for link in found.list_tags("a")}
    labels = {attributes.get("aria-labelledby") for _, attributes in found.tags} - {None}
    assert links | labels <= targets
    assert found.list_tags("html") == [{"lang": "en"}]


def test_page_holds_every_field_of_a_finding():
    frame = spoil_table(make_table("heart"))
    text = " ".join(Page(render_table(frame)).text.split())
    for finding in run_checks(prepare_table(frame)):
        for part in (finding.rule, finding.severity, finding.column, finding.found):
            assert part in text
        assert finding.expected in text
        assert finding.remedy in text
        assert f"{', '.join(map(str, finding.rows))} {' '.join(finding.values)}" in text
    assert "1.0 %" in text


def test_page_says_what_passed():
    found = Page(render_table(make_table("housing"), "housing"))
    assert "Title: validation passed" in found.text
    assert "None: every row is as the contract says." in found.text
    assert "0 to 500" in found.text  # the target's contract


def make_findings(count: int) -> list[Finding]:
    return [
        Finding(
            rule="range", severity="error", column=f"c{i}", found="f", expected="e", remedy="r",
            count=1, share=0.1, rows=(i,), values=("a",),
        )
        for i in range(count)
    ]  # fmt: skip


def test_screen_tells_how_many_more_there_are_and_where():
    lines = render_screen(make_findings(40), Path("report.html")).splitlines()
    assert len(lines) <= SCREEN
    told = sum(line.startswith("error") for line in lines)
    assert lines[-1] == f"… and {40 - told} more: see report.html"
    assert lines[:2] == ["error  c0 · range: f: 'a' (row 0)", "       expected: e; r"]


def test_screen_with_few_findings_tells_all():
    assert render_screen(make_findings(1), Path("x")).count("\n") == 2
    assert render_screen([], Path("x")) == ""


def test_summary_counts_in_words():
    table_ = prepare_table(spoil_table(make_table("heart")).assign(place="INLAND"))
    assert (
        summarise_report(Report.from_findings(table_, run_checks(table_)))
        == "1 error and 1 warning in 100 rows"
    )


def test_share_that_rounds_to_nothing_is_not_shown_as_zero():
    assert [format_percent(share) for share in (0.0, 0.0004, 0.0005, 1.0)] == [
        "0.0 %",
        "< 0.1 %",
        "0.1 %",
        "100.0 %",
    ]


def test_profile_of_numbers_and_dates():
    frame = make_table("heart")
    frame.loc[0:1, "income"] = np.nan  # leaves 20, 30, … 990 in all and 20 … 590 in train
    found = profile_columns(prepare_table(frame))
    parts_ = found["income"].parts
    assert parts_["all"] == Part(present=98, missing=2, low=20.0, median=505.0, high=990.0)
    assert parts_["train"] == Part(present=58, missing=2, low=20.0, median=305.0, high=590.0)
    assert found["income"].unit == "dollars"
    assert found["seen"].parts["test"].low == "2024-03-21T00:00:00"  # day 80 after January 1


def test_profile_of_categories_counts_each_split_and_marks_what_is_not_declared():
    values = profile_columns(prepare_table(spoil_table(make_table("heart"))))["place"].values
    assert [(value.value, value.declared, value.rows) for value in values] == [
        ("INLAND", True, {"all": 50, "train": 30, "validation": 10, "test": 10}),
        ("<1H OCEAN", True, {"all": 49, "train": 29, "validation": 10, "test": 10}),
        (ATTACK, False, {"all": 1, "train": 1, "validation": 0, "test": 0}),
    ]


def test_histogram_counts_every_value_once():
    numbers = np.array([0.0, 0.5, 1.0, 2.5, 10.0, np.nan, np.inf, -3.0, 99.0])
    drawn = build_histogram(numbers, (0.0, 10.0))
    assert drawn is not None
    assert sum(drawn.counts) == 5
    assert (drawn.below, drawn.above) == (1, 2)
    assert (drawn.low, drawn.high, len(drawn.counts)) == (0.0, 10.0, BINS)


def test_histogram_counts_the_highest_value_in_the_last_bin():
    drawn = build_histogram(np.array([0.5, 24.5]), (-np.inf, np.inf))
    assert drawn is not None
    assert drawn.counts == (1, *[0] * (BINS - 2), 1)


def test_histogram_gives_each_whole_number_its_own_bin_where_there_is_room():
    drawn = build_histogram(np.array([1.0, 1, 2, 4]), (-np.inf, np.inf))
    assert drawn is not None
    assert (drawn.width, drawn.counts) == (1.0, (2, 1, 0, 1))


@pytest.mark.parametrize(
    "numbers", [[5.0, 5.0], [0.5], [1e300, 1.0], [1.0, 1.0 + 2**-52], [5e-324, 0.0], [-0.5, 1e9]]
)
def test_histogram_stands_extreme_numbers(numbers):
    drawn = build_histogram(np.array(numbers), (-np.inf, np.inf))
    assert drawn is not None
    assert sum(drawn.counts) == len(numbers)


@pytest.mark.parametrize("numbers", [[], [np.nan], [np.inf], [-1.7e308, 1.7e308]])
def test_histogram_of_nothing_that_can_be_drawn(numbers):
    assert build_histogram(np.array(numbers), (-np.inf, np.inf)) is None
