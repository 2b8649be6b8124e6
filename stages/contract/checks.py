"""How serious breaking a rule is, where a contract says so.

Which rules there are, `stages/validating/rules.py` says: only `validate` and `compose` ask.
"""

from typing import Literal

from stages.contract.names import Name

Verdict = Literal["error", "warn", "off"]
Checks = dict[Name, Verdict]
