"""What a column is where a few cells, its name or its script suggest another kind."""

from typing import Any

import pandas as pd
import pytest

from commands.drafting.guess import Guess, guess_column
from commands.drafting.target_inference import find_group, infer_target, write_expression
from commands.drafting.values import format_share
from stages.contract.expressions import Expression
from stages.shared.errors import PipelineError

NUMBERS = [str(i % 60) for i in range(400)]


def guess(cells: list[Any], name: str = "x") -> Guess:
    return guess_column(name, pd.Series(cells, dtype="str"), ".")


def test_a_word_among_numbers_is_named_with_its_row_and_left_out() -> None:
    found = guess([*NUMBERS, "fifty"])
    assert (found.type, found.marks) == ("integer", ("fifty",))
    assert "1 cell is no number: 'fifty' (row 401)" in found.comment


def test_what_a_spreadsheet_made_of_numbers_is_no_category() -> None:
    found = guess([*["0", "1.5", "1"] * 8, *["02-Mar"] * 9])
    assert (found.type, found.marks) == ("number", ("02-Mar",))
    assert "what a spreadsheet makes of a number" in found.comment


def test_what_hydra_would_look_up_is_listed_in_no_source() -> None:
    found = guess([*NUMBERS, "${x}"])
    assert "numbers, but for '${x}'" in found.left_out


def test_a_code_with_a_letter_stays_a_category() -> None:
    assert guess(["0", "1", "2", "3+"] * 20).options["values"] == ["0", "1", "2", "3+"]


@pytest.mark.parametrize("mark", ["-200", "9998", "-7"])
def test_any_number_apart_and_frequent_stands_for_missing(mark: str) -> None:
    assert guess([*NUMBERS, *[mark] * 20]).marks == (mark,)


def test_a_single_number_apart_is_an_amount() -> None:
    assert guess([*NUMBERS, "9998"]).marks == ()


def test_zeros_in_most_rows_are_amounts() -> None:
    cells = [*["0"] * 90, *(str(200 + i) for i in range(10))]
    assert guess(cells).marks == ()
    assert guess([*["0"] * 5, *(str(200 + i) for i in range(95))]).marks == ("0",)


def test_a_flag_is_its_value_or_blank() -> None:
    found = guess([*["1"] * 30, *[None] * 70])
    assert (found.type, found.options["values"]) == ("category", [1])
    assert found.options["missing"] == "allowed"


def test_zeros_before_a_number_make_it_a_code() -> None:
    assert guess(["01", "02", "10"] * 9).options["values"] == ["01", "02", "10"]
    many = guess([f"{i * 37:05}" for i in range(90)])
    assert "codes with zeros before them, as in '00000'" in many.left_out


def test_days_without_marks_are_dates_and_such_amounts_are_not() -> None:
    assert guess([f"2019{m:02}{d:02}" for m in range(1, 13) for d in (1, 15)]).type == "datetime"
    assert guess([str(20190100 + i * 7) for i in range(30)]).type == "integer"


TEXTS = {
    "Chinese": "房间很大而且很干净服务也很好{}",
    "Japanese": "部屋が広くて清潔でした{}",
    "Thai": "ห้องกว้างและสะอาดมาก{}",
    "German": "das Zimmer war {} Mal zu klein",
}


@pytest.mark.parametrize("words", TEXTS.values(), ids=TEXTS.keys())
def test_a_text_is_one_in_any_script(words: str) -> None:
    assert guess([words.format(i) for i in range(40)]).type == "text"


def test_names_in_such_a_script_are_no_text() -> None:
    assert guess([f"王{chr(0x4E00 + i)}" for i in range(40)]).type == ""


def test_none_and_na_are_values_where_words_say_so() -> None:
    assert guess(["None", "Gravel", "Paved"] * 9).kept == ("None",)
    assert guess(["NA", "DE", "FR", "US"] * 9).kept == ("NA",)
    assert guess(["NA", "red", "blue"] * 9).kept == ()
    assert guess(["NA", "1", "2.5"] * 9).options["missing"] == "allowed"


def test_a_stray_value_of_a_category_is_pointed_at() -> None:
    assert "hardly ever: '7.87' (row 1801)" in guess([*["a", "b"] * 900, "7.87"]).comment


def test_a_measure_called_an_index_groups_nothing() -> None:
    frame = pd.DataFrame({"body mass index": [20 + i * 7 % 13 for i in range(300)]})
    assert find_group(frame, list(frame)) is None
    blocks = pd.DataFrame({"ward no": [i // 6 for i in range(300)]})
    assert find_group(blocks, list(blocks)) == "ward no"


@pytest.mark.parametrize("name", ["class", "None", "ﬁ", "a b", "__debug__", "it's", "Größe"])
def test_a_formula_reads_the_column_of_any_name(name: str) -> None:
    assert Expression.parse(write_expression(name)).column == name


def infer(cells: list[str]) -> Any:
    return infer_target(pd.DataFrame({"y": pd.Series(cells, dtype="str")}), "y", None, ".")


def test_two_hundred_classes_are_taken_and_more_are_not() -> None:
    words = [f"k{i % 200}" for i in range(1000)]
    assert len(infer(words).target["classes"]) == 200
    with pytest.raises(PipelineError, match="too many for classes"):
        infer([f"k{i % 201}" for i in range(1000)])


def test_small_classes_are_named_and_the_metric_brings_its_weights() -> None:
    found = infer([*["a"] * 300, *["b"] * 200, *["c"] * 8])
    assert (found.metric, found.class_weight) == ("balanced_accuracy", "balanced")
    assert "few rows: c 8" in found.comments["target"]
    assert infer(["a", "b", "c"] * 50).class_weight is None


def test_classes_of_too_few_rows_are_told_as_one_or_set_aside() -> None:
    many = [*["a"] * 90, *["b"] * 90]
    found = infer([*many, *["spy"] * 2, *["perl"] * 5])
    assert found.target["classes"] == {"a": "a", "b": "b", "perl": "other", "spy": "other"}
    assert "perl (5), spy (2) have too few rows" in found.comments["target"]
    found = infer([*many, *["c"] * 90, "spy"])
    assert found.target["classes"] == ["a", "b", "c"]
    assert found.lacking == pytest.approx(1 / 271)
    assert "spy (1) has too few rows to learn from" in found.comments["target"]
    assert infer([*many, "spy"]).target["positive"] in ("a", "b")


def test_a_mark_in_the_target_is_missing_there() -> None:
    found = infer([*(f"{i % 23}.5" for i in range(200)), *["-200"] * 9])
    assert (found.metric, found.marks) == ("rmse", ("-200",))
    assert found.lacking == pytest.approx(9 / 209)


def test_none_may_be_a_class() -> None:
    found = infer(["None", "Apnea", "Insomnia"] * 30)
    assert found.kept == ("None",)
    assert found.target["classes"] == ["Apnea", "Insomnia", "None"]


@pytest.mark.parametrize(("share", "words"), [(1, "100 %"), (0.9999, "99.9 %"), (0.05, "5 %")])
def test_a_share_is_told_in_plain_digits(share: float, words: str) -> None:
    assert format_share(share) == words
