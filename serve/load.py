"""Loads ``models/<task>`` and believes nothing of it before it has been checked."""

import re
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as states

from serve.encode import Encoder, MisfitError
from serve.manifest import MANIFEST, Golden, Manifest, ManifestError, read_file, read_manifest
from serve.model import Model
from serve.text import Layout, Vectoriser

RUNTIME_ERRORS = (
    states.Fail,
    states.InvalidArgument,
    states.InvalidGraph,
    states.InvalidProtobuf,
    states.NotImplemented,
    states.RuntimeException,
)
# Processors differ in the last bits of a float32 sum; a wrong model differs by far more.
TOLERANCE = 1e-5
ERRORS_ONLY = 3  # of ONNX Runtime's log levels


def load_model(folder: Path) -> Model:
    """Return the model in a task's folder once it has reproduced its golden predictions.

    Raises ManifestError that names what is wrong: a manifest that does not fit its format, a
    file whose SHA-256 is another, a graph that takes or gives something else.
    """
    manifest = read_manifest(folder)
    content = read_file(folder, manifest.model)
    layout = Layout(manifest.columns, read_vectorisers(folder, manifest))
    try:
        model = Model(manifest, Encoder(manifest.columns), layout, start(content))
        check_graph(model)
        for number, golden in enumerate(manifest.golden):
            check_golden(model, number, golden)
    except RUNTIME_ERRORS as error:
        raise ManifestError(f"{manifest.model.file} fails in onnxruntime: {error}") from error
    return model


def read_vectorisers(folder: Path, manifest: Manifest) -> dict[str, Vectoriser]:
    """Return each text column's vectoriser; raises ManifestError for one that does not fit."""
    found = {}
    for entry in manifest.vectorisers:
        try:
            made = Vectoriser(read_file(folder, entry))
        except (ValueError, re.error) as error:  # pydantic's own is a ValueError
            raise ManifestError(f"{entry.file} cannot be used: {error}") from error
        if made.width != entry.features:
            raise ManifestError(
                f"{entry.file} makes {made.width} features; {MANIFEST} says {entry.features}"
            )
        found[entry.column] = made
    return found


def start(content: bytes) -> onnxruntime.InferenceSession:
    """Start a session for one row at a time, where a second thread costs more than it saves."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    return onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])


def check_graph(model: Model) -> None:
    """Raise ManifestError unless the graph takes and gives what the manifest says."""
    graph, width = model.manifest.onnx, model.layout.width
    inputs = [(item.name, item.type, item.shape[1:]) for item in model.session.get_inputs()]
    outputs = [item.name for item in model.session.get_outputs()]
    if inputs != [(graph.input, "tensor(double)", [width])] or graph.output not in outputs:
        raise ManifestError(
            f"{model.manifest.model.file} takes {inputs} and gives {outputs}; the manifest says "
            f"{width} numbers into {graph.input!r}, tensor(double), and {graph.output!r} out"
        )


def check_golden(model: Model, number: int, golden: Golden) -> None:
    """Raise ManifestError unless the model answers a golden row as it did when exported."""
    try:
        output = model.run(model.encoder.encode_unchecked(golden.input))
    except MisfitError as error:
        raise ManifestError(f"golden.{number}.input cannot be encoded: {error}") from error
    expected = list(golden.output)
    sizes = {len(output), len(expected), model.manifest.outputs}
    if len(sizes) > 1 or not np.allclose(output, expected, rtol=TOLERANCE, atol=TOLERANCE):
        raise ManifestError(
            f"{model.manifest.model.file} answers {output} to golden.{number} of the manifest, "
            f"which says {expected}: export the task again with this onnxruntime"
        )
