"""How serious breaking a rule is, where a contract says so.

Which rules there are, `stages/validating/rules.py` says: only `validate` and `compose` ask.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from stages.contract.names import Name


def _read_off(verdict: Any) -> Any:
    """Return ``off`` for False, which is what Hydra reads where a file says ``off``."""
    return "off" if verdict is False else verdict


Verdict = Annotated[Literal["error", "warn", "off"], BeforeValidator(_read_off)]
Checks = dict[Name, Verdict]
