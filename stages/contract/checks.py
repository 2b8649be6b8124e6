"""How serious breaking a rule is, where a contract says so, and from which share on.

Which rules there are, `stages/validating/rules.py` says: only `validate` and `compose` ask.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from stages.contract.names import Name
from stages.contract.section import Section


def _read_off(verdict: Any) -> Any:
    """Return ``off`` for False, which is what Hydra reads where a file says ``off``."""
    return "off" if verdict is False else verdict


Verdict = Annotated[Literal["error", "warn", "off"], BeforeValidator(_read_off)]
Checks = dict[Name, Verdict]


class ErrorFrom(Section):
    """From which share on a finding that makes later numbers wrong stops the run.

    Below it is a warning. `checks` goes before: `{ leak: warn }` never stops the run, `{ leak:
    error }` does at any share.
    """

    leak: float = Field(default=0.995, ge=0, le=1)
    """Of the target: what one column tells of it alone."""
    follows: float = Field(default=0.9999, ge=0, le=1)
    """Of the variance of the target, or of its classes: what a formula of columns tells."""
    leakage: float = Field(default=0.05, ge=0, le=1)
    """Of all rows: those with a copy in another split, or one but for identifiers or spelling."""
    conflicts: float = Field(default=0.1, ge=0, le=1)
    """Of all rows: those with the inputs of another row, but not its target."""
    units: float = Field(default=0.05, ge=0, le=1)
    """Of all rows: those whose target seems to be in another unit."""
