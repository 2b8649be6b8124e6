"""Loads a fitted model, whatever family it is of.

The modules whose code runs inside a loaded model are imported here, so that a stage which loads one
declares them. `train` loads none and so does not depend on torch.
"""

from pathlib import Path
from typing import Any

import joblib

from stages.shared import finetuned, text_features  # noqa: F401 - see above


def load_pipeline(path: Path) -> Any:
    """Return what `train` or `fine_tune` fitted: it maps the encoded matrix to predictions."""
    with path.open("rb") as file:
        return joblib.load(file)
