"""What is shipped: the tasks, and what every task starts from."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

CONF = Path(__file__).parents[2] / "conf"
TASKS = sorted(path.stem for path in (CONF / "task").glob("*.yaml"))


def contract_defaults() -> dict[str, Any]:
    """Return `conf/contract.yaml`, less the source, which another file decides."""
    content: dict[str, Any] = YAML(typ="safe").load(CONF / "contract.yaml")
    del content["source"]
    return content
