"""The files that are composed from ``conf/``, which no person writes."""

from pathlib import Path

from stages.composing.files import COMPOSED
from stages.runner.declare import PARAMS_FILE

DVC_FILE = Path("dvc.yaml")
GENERATED = (*COMPOSED, PARAMS_FILE, DVC_FILE)
