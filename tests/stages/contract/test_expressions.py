"""Formulas compute what Python computes, and hold nothing but what is allowed."""

import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.contract.expressions import Expression

COMPARISONS = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
NAMES = {
    "num > 0": {"num"},
    "  num  ": {"num"},
    "a + b * c - d / e": {"a", "b", "c", "d", "e"},
    "col('total rooms') / households": {"total rooms", "households"},
    "abs(abs) + sqrt(col('sqrt'))": {"abs", "sqrt"},
    "abs(x)": {"x"},
    "col > 0": {"col"},
    "-x": {"x"},
    "thal == 'fixed defect'": {"thal"},
    "1 + 2": set(),
}
REFUSED = """
__import__('os').system('id')|a.b|a[0]|lambda: 1|a if b else c|a and b|a or b|not a|a < b < c|a ** 2
a // 2|a % 2|a @ b|a in b|a is b|[a]|{a}|(a, b)|f(a)|abs(a, b)|abs(a, key=b)|sqrt()|col(a)|col()
col('a', 'b')|col(b'a')|'x' + a|-'x'|abs('x')|a > 'x'|'x' == a|abs(a) == 'x'|(a > 1) + 1
(a > 1) == (b > 1)|-(a > 1)|sqrt(a > 1)|1j|a == b'x'|a == None|f'{a}' == a|(a := 1)|a == 'x' == b
"""
NO_PYTHON = ["", "a >", "median house value", "a = 1", "import os", "a; b", "a\nb"]
numbers = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(("text", "names"), NAMES.items(), ids=NAMES.keys())
def test_names_are_the_columns_it_reads(text: str, names: set[str]) -> None:
    assert Expression.parse(text).names == names


@settings(deadline=None)
@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=1))
def test_arithmetic_is_that_of_python(rows: list[tuple[float, float, float]]) -> None:
    formula = Expression.parse("a - 2 * b / (abs(c) + 1) + sqrt(abs(a)) - -b")
    columns = dict(zip("abc", np.array(rows).T, strict=True))
    expected = [a - 2 * b / (abs(c) + 1) + abs(a) ** 0.5 - -b for a, b, c in rows]
    assert formula.evaluate(columns).tolist() == expected


@pytest.mark.parametrize(("sign", "compare"), COMPARISONS.items(), ids=COMPARISONS.keys())
def test_a_comparison_is_that_of_python(sign: str, compare: Callable[[Any, Any], Any]) -> None:
    values = [-1.5, 0.0, 1.0, 2.0]
    found = Expression.parse(f"a - 1 {sign} 0").evaluate({"a": np.array(values)})
    assert found.tolist() == [compare(value - 1, 0) for value in values]


@pytest.mark.parametrize("text", ["a / b", "a / (b * 0)", "a / 0"])
def test_a_division_by_zero_is_infinite_or_missing_without_a_warning(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        columns = {"a": np.array([1.0, 0.0, -1.0]), "b": np.zeros(3)}
        found = Expression.parse(text).evaluate(columns)
    np.testing.assert_array_equal(found, [np.inf, np.nan, -np.inf])


def test_a_constant_divided_by_zero_is_no_crash() -> None:
    assert Expression.parse("a + 1 / 0").evaluate({"a": np.ones(1)}).tolist() == [np.inf]


def test_a_missing_number_stays_missing() -> None:
    found = Expression.parse("sqrt(a) + 1").evaluate({"a": np.array([np.nan, 4.0, -1.0])})
    np.testing.assert_array_equal(found, [np.nan, 3.0, np.nan])


def test_text_is_compared_as_text() -> None:
    cells = np.array(["1", "fixed", None], dtype=object)
    assert Expression.parse("a == '1'").evaluate({"a": cells}).tolist() == [True, False, False]
    assert Expression.parse("a != '1'").evaluate({"a": cells}).tolist() == [False, True, True]


@pytest.mark.parametrize("text", REFUSED.strip().replace("\n", "|").split("|"))
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not allowed") as caught:
        Expression.parse(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", NO_PYTHON)
def test_what_is_no_formula_is_refused_with_what_may_be_written(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a formula.*col\('a name with blanks'\)"):
        Expression.parse(text)


def test_a_formula_knows_whether_it_is_a_bare_column() -> None:
    assert Expression.parse(" num ").column == "num"
    assert Expression.parse("col('house value')").column == "house value"
    assert Expression.parse("num > 0").column is None
    assert Expression.parse("abs(num)").column is None


def test_only_a_comparison_is_no_arithmetic() -> None:
    assert Expression.parse("col('a') / b").is_arithmetic
    assert not Expression.parse("a > b").is_arithmetic


def test_the_wanted_text_is_what_a_column_is_compared_with() -> None:
    assert Expression.parse("a != 'x'").wanted_text == "x"
    assert Expression.parse("a == ''").wanted_text == ""
    assert Expression.parse("a == 1").wanted_text is None
    assert Expression.parse("col('x') == 1").wanted_text is None
