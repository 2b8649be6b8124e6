"""Models of `serve_models` with explanations, which are linear in the encoded row."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from stages.exporting.describing import describe_explanation
from stages.exporting.onnx_builder import Builder
from tests.support.serve_models import HEART_WEIGHTS, Json, column, graph, write_heart, write_model

Array = np.ndarray[Any, Any]
MEAN = np.array([50.0, 0.5, 240.0, 0.5, 1.7e9, 0.8])  # a mean row of heart
SCORE = HEART_WEIGHTS[:, 1] - HEART_WEIGHTS[:, 0]  # of ill against healthy
EVIL = "<img src=x onerror='window.owned=1'>"
EVIL_SCRIPT = "</script><script>window.owned=1</script>"
EVIL_ROW: Json = {"<b>dose</b>": 2.0, EVIL: EVIL}
EVIL_LABELS = ("plain", EVIL, EVIL_SCRIPT)


def linear_file(weights: Array, mean: Array) -> bytes:
    """Return explanations of scores [scores, columns] that are linear in the encoded row."""
    columns = len(mean)
    builder = Builder("X", columns)
    filled = builder.add("Where", builder.add("IsNaN", "X"), builder.constant(0.0), "X")
    made = builder.finish(filled, "features", columns)
    arrays = {
        "weights": weights,
        "mean": mean,
        "base": weights @ mean,
        "part": np.arange(columns),
        "graph": np.frombuffer(made, dtype=np.uint8),
    }
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def write_explained_heart(models: Path, **changes: Any) -> Path:
    """Write heart, whose score is the row times SCORE, with that for an explanation."""
    return _explained(
        linear_file(SCORE[None], MEAN),
        "logit",
        lambda entry: write_heart(models, explanation=entry, **changes),
    )


def write_evil(models: Path) -> Path:
    """Write a task of three classes whose every name and text is an attempt to run a script."""
    columns = [
        column("<b>dose</b>", "number", unit=EVIL, description=EVIL_SCRIPT, missing="allowed"),
        column(EVIL, "category", values=[EVIL, EVIL_SCRIPT]),
    ]
    weights = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 0.5]])
    scores = np.exp(np.array([2.0, 0.0]) @ weights)
    plain = {"positive": None, "threshold": None, "unit": None, "interval": None}
    changes = {
        "title": f"{EVIL}{EVIL_SCRIPT}",
        "columns": columns,
        "target": {"labels": list(EVIL_LABELS), **plain},
        "golden": [{"input": EVIL_ROW, "output": (scores / scores.sum()).tolist()}],
    }
    return _explained(
        linear_file(weights.T.copy(), np.zeros(2)),
        "softmax",
        lambda entry: write_model(
            models, "evil", graph(weights, "probabilities"), {**changes, "explanation": entry}
        ),
    )


def _explained(content: bytes, link: Any, write: Any) -> Path:
    entry = describe_explanation(content, "linear", link, ())
    folder: Path = write(entry.model_dump(mode="json"))
    (folder / entry.file).write_bytes(content)
    return folder
