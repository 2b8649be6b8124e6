"""What is looked for in texts."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.contract.columns import Column
from stages.contract.split import Split
from stages.contract.target import Target
from stages.shared.schema import SPLITS
from stages.validating.checks import run_checks
from stages.validating.findings import Finding
from stages.validating.prepared import Prepared

WORDS = ["warm", "slow", "clean", "late", "kind", "loud", "small", "fresh", "dull", "bright"]
RNG = np.random.default_rng(0)


def make_texts(rows: int = 200) -> list[str]:
    return [" ".join(RNG.choice(WORDS, 7)) + f" {i}" for i in range(rows)]


def list_findings(
    cells: list[Any], labels: list[str] | None = None, **column: Any
) -> list[Finding]:
    """Check a table of one text column, the first 60 % of it in train."""
    rows = len(cells)
    labels = labels or ["good", "bad"] * (rows // 2)
    frame = pd.DataFrame(
        {
            "_row": np.arange(1, rows + 1),
            "note": pd.Series(cells, dtype="str"),
            "_target": pd.Series(labels, dtype="str"),
        }
    )
    cuts = np.split(np.arange(rows), [rows * 6 // 10, rows * 8 // 10])
    return run_checks(
        Prepared.from_splits(
            {name: frame.iloc[part] for name, part in zip(SPLITS, cuts, strict=True)},
            task="notes",
            columns={"note": Column(type="text", **column)},
            target=Target.parse(
                {"expression": "y", "classes": ["good", "bad"], "positive": "bad"}, "y"
            ),
            split=Split(seed=1, validation=0.2, test=0.2),
        )
    )


def test_plain_texts_pass() -> None:
    assert list_findings(make_texts(), length=[1, 200]) == []


def test_texts_in_other_scripts_pass() -> None:
    cells = make_texts()
    cells[:6] = [
        "très bien, merci",
        "很好吃",
        "ממש טעים",
        "😀 wunderschön",
        "naïve café",
        "Ελληνικά",
    ]
    assert list_findings(cells) == []


def test_texts_out_of_length_are_counted() -> None:
    cells = make_texts()
    cells[3], cells[9], cells[150] = "no", "x" * 300, "y" * 500
    (finding,) = list_findings(cells, length=[3, 200])
    assert (finding.rule, finding.column, finding.count) == ("length", "note", 3)
    assert "1 shorter, 2 longer" in finding.found
    assert finding.rows == (4, 10, 151)


@pytest.mark.parametrize(
    "broken", ["cafÃ© was fine today", "it wasnâ€™t good", "lost \ufffd letters", "bell \x07 rings"]
)
def test_text_that_was_decoded_wrongly_is_found(broken: str) -> None:
    cells = make_texts()
    cells[5] = cells[6] = broken
    cells[6] += " again"
    (finding,) = list_findings(cells)
    assert (finding.rule, finding.count, finding.rows) == ("mojibake", 2, (6, 7))


def test_line_ends_of_any_kind_are_legal() -> None:
    cells = make_texts()
    cells[5] = "first\nsecond \u201cquoted\u201d\u2028third\u0085fourth, caf\u00e9"
    assert list_findings(cells) == []


def test_empty_text_is_missing() -> None:
    cells = [*make_texts(199), None]
    (finding,) = list_findings(cells)
    assert (finding.rule, finding.column, finding.count) == ("missing", "note", 1)


def test_rows_without_any_text_are_not_copies_of_one_another() -> None:
    (finding,) = list_findings([*make_texts(190), *[None] * 10])
    assert (finding.rule, finding.count) == ("missing", 10)


def test_where_there_is_one_class_no_word_gives_it_away() -> None:
    assert {finding.rule for finding in list_findings(make_texts(), ["good"] * 200)} == {
        "target_classes"
    }


def test_a_label_in_the_text_is_found() -> None:
    labels = ["good", "bad"] * 100
    stars = {"good": "stars5x", "bad": "stars1x"}
    cells = [f"{text} {stars[label]}" for text, label in zip(make_texts(), labels, strict=True)]
    found = [finding for finding in list_findings(cells, labels) if finding.rule == "label_in_text"]
    assert {"'stars5x'" in finding.found for finding in found} == {True, False}
    assert {finding.count for finding in found} == {100}


def test_an_emoji_for_each_class_is_found() -> None:
    labels = ["good", "bad"] * 100
    faces = {"good": "\U0001f600", "bad": "\U0001f621"}
    cells = [f"{text} {faces[label]}" for text, label in zip(make_texts(), labels, strict=True)]
    found = [finding for finding in list_findings(cells, labels) if finding.rule == "label_in_text"]
    assert [finding.count for finding in found] == [100, 100]


def test_words_that_lean_to_a_class_are_no_label() -> None:
    labels = ["good", "bad"] * 100
    lean = [
        "great" if (label == "good") == (i % 7 != 0) else "poor" for i, label in enumerate(labels)
    ]
    cells = [f"{text} {word}" for text, word in zip(make_texts(), lean, strict=True)]
    assert [
        finding for finding in list_findings(cells, labels) if finding.rule == "label_in_text"
    ] == []


def test_the_same_text_in_two_splits_but_for_case_and_stops_is_a_leak() -> None:
    cells = make_texts()
    cells[190] = cells[10].upper() + "!!"
    (finding,) = list_findings(cells)
    assert (finding.rule, finding.severity, finding.rows) == ("leakage", "warn", (11, 191))
    assert "case and punctuation" in finding.found


def test_the_same_text_with_two_labels_is_a_conflict() -> None:
    cells = make_texts()
    cells[11] = cells[10]
    (finding,) = list_findings(cells)
    assert (finding.rule, finding.count, finding.rows) == ("conflicts", 2, (11, 12))
