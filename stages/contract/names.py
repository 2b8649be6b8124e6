"""What the sections of a contract have in common: names, values, verdicts, bounds."""

from typing import Literal

Name = str
Value = str | int
Verdict = Literal["error", "warn", "off"]
Checks = dict[Name, Verdict]  # a rule's name (`stages/validating/rules.py`) and how serious it is
RESERVED = ("_row", "_target", "_group")  # names of the columns that `prepare` adds
SLICE = "_slice_"  # begins the names of those that it adds for `slices`


def check_order(bounds: tuple[float, ...] | None, name: str = "range") -> None:
    if bounds and not bounds[0] <= bounds[1]:
        raise ValueError(f"{name} must be [lowest, highest], not {list(bounds)}")
