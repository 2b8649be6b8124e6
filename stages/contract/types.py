"""The kinds of columns and of problems that there are."""

from typing import Literal

ColumnType = Literal["number", "integer", "category", "boolean", "datetime", "text"]
Problem = Literal["classification", "regression"]
