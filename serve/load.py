"""Loads ``models/<task>`` and believes nothing of it before it has been checked."""

import re
from pathlib import Path

import numpy as np
from onnxruntime.capi import onnxruntime_pybind11_state as states

from serve.encode import Encoder, MisfitError
from serve.engine import GraphEngine
from serve.explainer import Explainer
from serve.manifest import (
    MANIFEST,
    Golden,
    Manifest,
    ManifestError,
    read_file,
    read_manifest,
)
from serve.model import Model
from serve.registered import read_registered
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
DOUBLE = "tensor(double)"


def load_model(folder: Path) -> Model:
    """Return the model in a task's folder once it has reproduced its golden predictions.

    Raises ManifestError that names what is wrong: a manifest that does not fit its format, a
    file whose SHA-256 is another, a graph that takes or gives something else.
    """
    manifest = read_manifest(folder)
    content = read_file(folder, manifest.model)
    layout = Layout(manifest.columns, read_vectorisers(folder, manifest))
    explainer = read_explainer(folder, manifest, layout)
    try:
        engine = GraphEngine(content, manifest, layout)
        check_graph(engine, manifest)
        encoder, place = Encoder(manifest.columns), read_registered(folder)
        model = Model(manifest, encoder, engine, explainer, place)
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


def read_explainer(folder: Path, manifest: Manifest, layout: Layout) -> Explainer | None:
    """Return what explains the model's answers, if anything does; raises ManifestError."""
    if manifest.explanation is None:
        return None
    return Explainer(read_file(folder, manifest.explanation), manifest, layout)


def check_graph(engine: GraphEngine, manifest: Manifest) -> None:
    """Raise ManifestError unless the graph takes and gives what the manifest says."""
    session, graph = engine.session, manifest.onnx
    takes = [(item.name, item.type, item.shape[1:]) for item in session.get_inputs()]
    gives = [(item.name, item.type, item.shape[1:]) for item in session.get_outputs()]
    wanted_in = (graph.input, DOUBLE, list(engine.shape_in[1:]))
    wanted_out = (graph.output, DOUBLE, list(engine.shape_out[1:]))
    if takes != [wanted_in] or wanted_out not in gives:
        raise ManifestError(
            f"{manifest.model.file} takes {takes} and gives {gives}; the manifest says "
            f"{engine.shape_in[1]} numbers into {wanted_in}, and {wanted_out} out"
        )


def check_golden(model: Model, number: int, golden: Golden) -> None:
    """Raise ManifestError unless the model answers a golden row as it did when exported."""
    try:
        output = model.engine.run(model.encoder.encode_unchecked(golden.input))
    except MisfitError as error:
        raise ManifestError(f"golden.{number}.input cannot be encoded: {error}") from error
    expected = list(golden.output)
    sizes = {len(output), len(expected), model.manifest.outputs}
    if len(sizes) > 1 or not np.allclose(output, expected, rtol=TOLERANCE, atol=TOLERANCE):
        raise ManifestError(
            f"{model.manifest.model.file} answers {output} to golden.{number} of the manifest, "
            f"which says {expected}: export the task again with this onnxruntime"
        )
