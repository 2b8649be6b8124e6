"""A draft says which columns tell the target, how, and how exactly."""

import numpy as np
import pandas as pd

from commands.drafting.dialect import Read
from commands.drafting.draft import Request, write_contract

RNG = np.random.default_rng(6)
ROWS = 150


def draft(frame: pd.DataFrame) -> str:
    """Return the draft of a table as it is read: every cell a text."""
    cells = frame.astype(str)
    return write_contract(Request("t.csv", "t", frame.columns[-1]), Read({"path": "t.csv"}, cells))


def test_a_sum_of_rounded_parts_is_commented_at_the_target() -> None:
    parts = pd.DataFrame(RNG.lognormal(0, 1, (ROWS, 3)), columns=["na", "eu", "jp"])
    text = draft(parts.round(2).assign(total=parts.sum(axis=1).round(2)))
    first = next(line for line in text.splitlines() if line.startswith("target:"))
    assert "a leak? It is na + eu + jp, to within 0.0" in first
    assert "in 150 rows: move na or eu or jp to `ignored`" in first


def test_a_class_by_comparing_two_columns_is_commented() -> None:
    goals = pd.DataFrame(RNG.integers(0, 16, (ROWS, 2)), columns=["home", "away"])
    result = np.array(["A", "D", "H"])[np.sign(goals.home - goals.away) + 1]
    text = draft(goals.assign(noise=RNG.normal(size=ROWS), result=result))
    assert "It is whether home is below, equal to or above away, in each of 150 rows" in text


def test_a_column_that_nearly_equals_the_class_stays_with_a_question() -> None:
    y = np.arange(ROWS) % 2
    code = np.where(y == 1, 402, 101)
    code[:2] = 503 - code[:2]
    text = draft(pd.DataFrame({"x": RNG.normal(size=ROWS), "code": code, "y": y}))
    line = next(line for line in text.splitlines() if line.startswith("  code:"))
    assert line.endswith("# a leak? It alone tells 97.3 % of the target. Take it out unless it is "
                         "known in time")  # fmt: skip


def test_an_honest_table_has_no_such_comment() -> None:
    frame = pd.DataFrame(RNG.normal(size=(ROWS, 3)), columns=["a", "b", "c"])
    assert "leak" not in draft(frame.assign(y=frame.a + frame.b + RNG.normal(size=ROWS)))
