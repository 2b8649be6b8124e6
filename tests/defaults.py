"""What every task starts from, as it is shipped."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

CONTRACT = Path(__file__).parents[1] / "conf/contract.yaml"


def contract_defaults() -> dict[str, Any]:
    """Return `conf/contract.yaml`, less the source, which another file decides."""
    content: dict[str, Any] = YAML(typ="safe").load(CONTRACT)
    del content["source"]
    return content
