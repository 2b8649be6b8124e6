"""Small hand-made models in the export's format, with answers that tests can work out."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from onnx.numpy_helper import from_array

Json = dict[str, Any]


def column(name: str, kind: str, **more: Any) -> Json:
    bounds = {"range": None, "values": None, "length": None, "normalise": None}
    plain = {"unit": None, "description": "", **bounds, "missing": "forbidden"}
    plain |= {"unseen": "reject", "seen": None}
    return {"name": name, "type": kind, **plain, **more}


HEART = [
    column("age", "integer", unit="years", range=[18.0, 100.0], seen=[29.0, 77.0]),
    column("sex", "category", values=[0, 1], description="0 female, 1 male"),
    column(
        "chol", "number", unit="mg/dl", range=[80.0, 700.0], missing="allowed", seen=[126.0, 564.0]
    ),
    column("smoker", "boolean", missing="allowed"),
    column("visit", "datetime", missing="allowed"),
    column("thal", "category", values=[3, 6, 7], missing="allowed"),
]
HEART_WEIGHTS = np.array(
    [[0.0, 0.02], [0.0, 0.5], [0.0, 0.004], [0.0, 0.7], [0.0, -1e-9], [0, 0.3]]
)
HEART_ROW: Json = {
    "age": 63,
    "sex": 1,
    "chol": 233.5,
    "smoker": True,
    "visit": "2026-11-21T08:30:00Z",
    "thal": 6,
}
HEART_VECTOR = [63.0, 1.0, 233.5, 1.0, 1795249800.0, 1.0]  # date -ud 2026-11-21T08:30:00Z +%s
HOUSING = [
    column("income", "number", range=[0.0, 16.0], seen=[0.5, 15.0]),
    column("ocean", "category", values=["<1H OCEAN", "INLAND"]),
]
HOUSING_WEIGHTS = np.array([[40_000.0], [-50_000.0]])
HOUSING_ROW: Json = {"income": 3.5, "ocean": "INLAND"}


def graph(weights: np.ndarray, output: str) -> bytes:
    """Return the model ``X·weights`` with missing values as 0, through softmax for classes."""
    inputs, outputs = weights.shape
    nodes = [
        helper.make_node("IsNaN", ["X"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "X"], ["filled"]),
        helper.make_node("MatMul", ["filled", "weights"], ["scores"]),
    ]
    if output == "probabilities":
        nodes.append(helper.make_node("Softmax", ["scores"], [output], axis=1))
        shape = ["N", outputs]
    else:
        nodes.append(helper.make_node("Squeeze", ["scores", "axis"], [output]))
        shape = ["N"]
    constants = [
        from_array(weights, "weights"),
        from_array(np.zeros(1), "zero"),
        from_array(np.array([1]), "axis"),
    ]
    takes = helper.make_tensor_value_info("X", TensorProto.DOUBLE, ["N", inputs])
    gives = helper.make_tensor_value_info(output, TensorProto.DOUBLE, shape)
    made = helper.make_graph(nodes, "linear", [takes], [gives], constants)
    opset = [helper.make_opsetid("", 17)]
    content: bytes = helper.make_model(made, opset_imports=opset, ir_version=9).SerializeToString()
    return content


def write_model(models: Path, task: str, content: bytes, changes: Json) -> Path:
    """Write ``models/<task>`` with a manifest of format 2, changed by ``changes``."""
    folder = models / task
    folder.mkdir(parents=True, exist_ok=True)
    sha256 = hashlib.sha256(content).hexdigest()
    file = f"model-{sha256[:12]}.onnx"
    (folder / file).write_bytes(content)
    manifest = {
        "format": 2,
        "task": task,
        "title": f"A test of {task}",
        "problem": "classification",
        "model": {
            "family": "linear",
            "estimator": "sklearn.linear_model.LogisticRegression",
            "file": file,
            "sha256": sha256,
            "trained_on_rows": 240,
        },
        "vectorisers": [],
        "tokenizer": None,
        "precision": None,
        "spelling": {
            "delimiter": ",",
            "quoting": True,
            "decimal": ".",
            "missing": ["", "?", "NA"],
            "missing_in": {},
        },
        "onnx": {"input": "X", "output": "probabilities"},
        "explanation": None,
        "metrics": {"roc_auc": {"value": 0.9, "low": 0.85, "high": 0.95, "n": 60}},
        "parity": {"rows": 300, "largest_difference": 0.0, "tolerance": 1e-6},
        "hashes": {"data": {"train": "0" * 64}, "params": {"train": "1" * 64}, "code": {}},
        "libraries": {"scikit-learn": "1.9.0"},
        **changes,
    }
    decisive = [sha256, *manifest["columns"], manifest["target"], manifest["spelling"]]
    digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
    manifest = {"version": digest[:12], **manifest}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def write_heart(models: Path, content: bytes | None = None, **changes: Any) -> Path:
    """Two classes, threshold 0.3; the score of ill is the row times HEART_WEIGHTS."""
    content = graph(HEART_WEIGHTS, "probabilities") if content is None else content
    golden = [HEART_ROW, dict(HEART_ROW, chol=None, thal="never seen")]
    vectors = [HEART_VECTOR, [63.0, 1.0, 0.0, 1.0, 1795249800.0, -1.0]]
    rows = [
        {"input": row, "output": softmax(np.array(vector) @ HEART_WEIGHTS).tolist()}
        for row, vector in zip(golden, vectors, strict=True)
    ]
    plain = {"positive": "ill", "threshold": 0.3, "unit": None, "interval": None}
    target = {"labels": ["healthy", "ill"], **plain}
    made = {"columns": HEART, "target": target, "golden": rows, **changes}
    return write_model(models, "heart", content, made)


def write_other_heart(models: Path, factor: float = 2.0) -> str:
    """Write a heart model with other weights in place of the old; return its version."""
    weights = HEART_WEIGHTS * factor
    golden = [{"input": HEART_ROW, "output": softmax(np.array(HEART_VECTOR) @ weights).tolist()}]
    folder = write_heart(models, graph(weights, "probabilities"), golden=golden)
    return str(json.loads((folder / "manifest.json").read_bytes())["version"])


def write_housing(models: Path, **changes: Any) -> Path:
    """One value in dollars: 40,000 for each unit of income, less 50,000 inland."""
    interval = {"coverage": 0.9, "half_width": 25_000.0}
    plain: dict[str, Any] = {"labels": [], "positive": None, "threshold": None}
    made = {
        "problem": "regression",
        "columns": HOUSING,
        "target": {**plain, "unit": "US dollars of 1990", "interval": interval},
        "onnx": {"input": "X", "output": "value"},
        "golden": [{"input": HOUSING_ROW, "output": [90_000.0]}],
        **changes,
    }
    return write_model(models, "housing", graph(HOUSING_WEIGHTS, "value"), made)


def write_wide(models: Path) -> Path:
    """Three classes from 33 numbers without a range: a batch of it differs in the last bits."""
    weights = np.random.default_rng(7).normal(size=(33, 3))
    names = [f"x{i}" for i in range(33)]
    golden = [{"input": dict.fromkeys(names, 0), "output": [1 / 3] * 3}]
    plain = {"positive": None, "threshold": None, "unit": None, "interval": None}
    made = {
        "columns": [column(name, "number") for name in names],
        "target": {"labels": ["a", "b", "c"], **plain},
        "golden": golden,
    }
    return write_model(models, "wide", graph(weights, "probabilities"), made)


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())
