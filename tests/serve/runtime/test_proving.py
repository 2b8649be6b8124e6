"""A model is served only when every way to an answer works, and answers what it should."""

import io
import json
import logging
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx.numpy_helper import from_array

from serve.runtime import attribution
from serve.runtime.fast_decoder import FastDecoder
from serve.runtime.load import load_model
from serve.runtime.manifest_file import ManifestError
from serve.runtime.proving import check_output
from stages.exporting.describing import describe_explanation
from tests.support.explained_models import MEAN, SCORE, linear_file, write_explained_heart
from tests.support.serve_models import HEART_ROW, column, graph, softmax, write_heart, write_model
from tests.support.serving import serving

ODD_NAMES = [
    'the "quoted"', "back\\slash", "tab\there", "line\nend", "nul\0", "\x1f", "\x7f", " padded ",
    "a:b", "a,b", "", "class", "None", "é\u0301", "\u2028", "🙂", "%s", "{task}", "__proto__",
    "x" * 300,
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES, ids=[ascii(name)[:20] for name in ODD_NAMES])
def test_a_column_of_any_name_is_answered(tmp_path: Path, name: str) -> None:
    weights = np.array([[0.0, 1.0], [0.0, 2.0]])
    row = {name: 0.25, "other": 0.5}
    expected = softmax(np.array([0.25, 0.5]) @ weights)
    plain: Any = {"positive": None, "threshold": None, "unit": None, "interval": None}
    changes = {
        "columns": [column(name, "number"), column("other", "number")],
        "target": {"labels": ["a", name or "b"], **plain},
        "golden": [{"input": row, "output": expected.tolist()}],
    }
    write_model(tmp_path, "odd", graph(weights, "probabilities"), changes)
    inputs = [{"name": n, "shape": [1], "datatype": "FP64", "data": [v]} for n, v in row.items()]
    with serving(tmp_path) as client:
        assert client.get("/ready").status_code == 200, client.get("/ready").text
        for _ in range(2):  # the second might find what the first has built
            answers = client.post("/predict/odd", json=[row, row])
            assert answers.status_code == 200, answers.text
        answer = answers.json()["predictions"][1]
        assert list(answer["probabilities"].values()) == pytest.approx(expected, abs=1e-12)
        tensors = client.post("/v2/models/odd/infer", json={"inputs": inputs})
        assert tensors.json()["outputs"][1]["data"] == list(answer["probabilities"].values())
        assert client.get("/openapi.json").status_code == 200
        assert client.get("/metrics").status_code == 200


def test_a_decoder_that_cannot_be_built_is_none() -> None:
    manifest_column = load_column(column('say "yes"', "number"))
    assert FastDecoder.of([manifest_column]) is None


def load_column(about: Any) -> Any:
    from serve.runtime.manifest import Column

    return Column.model_validate_json(json.dumps(about))


# Probabilities


def constant_graph(values: list[float], columns: int = 6) -> bytes:
    """Return a graph that answers ``values`` to any row."""
    nodes = [
        helper.make_node("ReduceSum", ["X", "axis"], ["sum"], keepdims=1),
        helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "values"], ["probabilities"]),
    ]
    constants = [
        from_array(np.array([1]), "axis"),
        from_array(np.zeros(1), "zero"),
        from_array(np.array([values]), "values"),
    ]
    takes = helper.make_tensor_value_info("X", TensorProto.DOUBLE, ["N", columns])
    shape = ["N", len(values)]
    gives = helper.make_tensor_value_info("probabilities", TensorProto.DOUBLE, shape)
    made = helper.make_graph(nodes, "constant", [takes], [gives], constants)
    opset = [helper.make_opsetid("", 17)]
    content: bytes = helper.make_model(made, opset_imports=opset, ir_version=9).SerializeToString()
    return content


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([-0.2, 1.2], "no probability from 0 to 1"),
        ([0.2, 0.2], "probabilities that sum to 0.4"),
        ([0.7, 0.7], "probabilities that sum to 1.4"),
    ],
)
def test_probabilities_that_are_none_refuse_the_model(
    tmp_path: Path, values: list[float], reason: str
) -> None:
    golden = [{"input": HEART_ROW, "output": values}]
    folder = write_heart(tmp_path, constant_graph(values), golden=golden)
    with pytest.raises(ManifestError, match=reason):
        load_model(folder)


def test_an_answer_that_is_not_finite_refuses_the_model(tmp_path: Path) -> None:
    manifest = load_model(write_heart(tmp_path)).manifest
    for value in (np.nan, np.inf):
        with pytest.raises(ManifestError, match="not finite"):
            check_output(manifest, "golden.0", [float(value), 0.0])
    check_output(manifest, "golden.0", [0.3, 0.7])


def test_labels_that_repeat_refuse_the_model(tmp_path: Path) -> None:
    plain: Any = {"positive": None, "threshold": None, "unit": None, "interval": None}
    folder = write_heart(tmp_path, target={"labels": ["ill", "ill"], **plain})
    with pytest.raises(ManifestError, match="more than once"):
        load_model(folder)


# Explanations


def write_explained(models: Path, content: bytes) -> Path:
    entry = describe_explanation(content, "linear", "logit", ())
    folder = write_heart(models, explanation=entry.model_dump(mode="json"))
    (folder / entry.file).write_bytes(content)
    return folder


def without(content: bytes, name: str) -> bytes:
    arrays = dict(np.load(io.BytesIO(content)))
    del arrays[name]
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


GOOD = linear_file(SCORE[None], MEAN)
BROKEN = {
    "no archive": (b"nothing", "cannot be read"),
    "without the mean": (without(GOOD, "mean"), "KeyError: 'mean"),
    "without the graph": (without(GOOD, "graph"), "KeyError: 'graph"),
    "of fewer columns": (linear_file(SCORE[None][:, :4], MEAN[:4]), "cannot explain golden.0"),
    "of another model": (linear_file(2 * SCORE[None], MEAN), "which the model answers with"),
    "cut off": (GOOD[: len(GOOD) // 2], "cannot be read"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_explanations_that_are_broken_refuse_the_model(tmp_path: Path, name: str) -> None:
    content, reason = BROKEN[name]
    folder = write_explained(tmp_path, content)
    with pytest.raises(ManifestError, match=reason) as refusal:
        load_model(folder)
    assert "explain-" in str(refusal.value)


def test_explanations_that_unpack_to_too_much_are_refused_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attribution, "MAX_BYTES", 100_000)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights.npy", bytes(10_000_000))
    folder = write_explained(tmp_path, file.getvalue())
    with pytest.raises(ManifestError, match="unpack to 10,000,000 bytes: 100,000 at most"):
        load_model(folder)


def test_nothing_is_unpacked_when_the_model_is_loaded(tmp_path: Path) -> None:
    model = load_model(write_explained_heart(tmp_path))
    assert model.explainer
    assert "arrays" not in vars(model.explainer.attribution)


def test_onnx_runtime_writes_no_lines_of_its_own(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    folder = write_explained(tmp_path, linear_file(SCORE[None][:, :4], MEAN[:4]))
    with pytest.raises(ManifestError):
        load_model(folder)
    assert "onnxruntime" not in capfd.readouterr().err
