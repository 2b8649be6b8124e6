"""Loads ``models/<task>`` and believes nothing of it before it has been checked."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from serve.runtime.encode import Encoder, MisfitError
from serve.runtime.engine import Engine, GraphEngine, TransformerEngine
from serve.runtime.explainer import Explainer
from serve.runtime.manifest import MANIFEST, Golden, Manifest
from serve.runtime.manifest_file import ManifestError, read_file, read_manifest
from serve.runtime.model import Model
from serve.runtime.proving import check_output, check_paths
from serve.runtime.registered import read_registered
from serve.runtime.session import RUNTIME_ERRORS
from serve.runtime.text import Layout, Vectoriser

# Processors differ in the last bits of a float32 sum; a wrong model differs by far more.
TOLERANCE = 1e-5
# In int8 a last bit moves a value to the next of 256 steps: answers were seen to differ by 0.04.
INT8_TOLERANCE = 0.1
DOUBLE, INT64 = "tensor(double)", "tensor(int64)"
Shape = tuple[str, Sequence[int | str]]  # a tensor's type, and its size but for the rows


def load_model(folder: Path) -> Model:
    """Return the model in a task's folder once it has reproduced its golden predictions.

    Raises ManifestError that names what is wrong: a manifest that does not fit its format, a
    file whose SHA-256 is another, a graph that takes or gives something else.
    """
    manifest = read_manifest(folder)
    try:
        engine = (load_transformer if manifest.tokenizer else load_graph)(folder, manifest)
        explainer = read_explainer(folder, manifest, engine)
        encoder, place = Encoder(manifest.columns), read_registered(folder)
        model = Model(manifest, encoder, engine, explainer, place)
        for number, golden in enumerate(manifest.golden):
            check_golden(model, number, golden)
        check_paths(model)
    except RUNTIME_ERRORS as error:
        raise ManifestError(f"{manifest.model.file} fails in onnxruntime: {error}") from error
    return model


def load_graph(folder: Path, manifest: Manifest) -> Engine:
    """Return what runs a table's graph; raises ManifestError for files that do not fit."""
    content = read_file(folder, manifest.model)
    layout = Layout(manifest.columns, read_vectorisers(folder, manifest))
    engine = GraphEngine(content, manifest, layout)
    outputs = list(engine.shape_out[1:])
    check_graph(engine.session, manifest, (DOUBLE, [layout.width]), (DOUBLE, outputs))
    return engine


def load_transformer(folder: Path, manifest: Manifest) -> Engine:
    """Return what runs a transformer; raises ManifestError for files that do not fit."""
    from serve.runtime.transformer import Transformer

    content, about = read_file(folder, manifest.model), manifest.tokenizer
    if about is None:
        raise ManifestError(f"{MANIFEST} names no tokenizer")
    try:
        transformer = Transformer(content, read_file(folder, about), about.windows)
    except ValueError as error:
        raise ManifestError(f"{about.file} cannot be used: {error}") from error
    check_graph(transformer.session, manifest, (INT64, ["tokens"]), (DOUBLE, [manifest.outputs]))
    texts = [i for i, column in enumerate(manifest.columns) if column.type == "text"]
    return TransformerEngine(transformer, about.separator, texts)


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


def read_explainer(folder: Path, manifest: Manifest, engine: Engine) -> Explainer | None:
    """Return what explains the model's answers, if anything does; raises ManifestError."""
    if manifest.explanation is None or not isinstance(engine, GraphEngine):
        return None
    return Explainer(read_file(folder, manifest.explanation), manifest, engine.layout)


def check_graph(
    session: onnxruntime.InferenceSession, manifest: Manifest, input_: Shape, output: Shape
) -> None:
    """Raise ManifestError unless the graph takes and gives what the manifest says."""
    takes = [(item.name, item.type, item.shape[1:]) for item in session.get_inputs()]
    gives = [(item.name, item.type, item.shape[1:]) for item in session.get_outputs()]
    wanted_in, wanted_out = (manifest.onnx.input, *input_), (manifest.onnx.output, *output)
    if takes != [wanted_in] or wanted_out not in gives:
        raise ManifestError(
            f"{manifest.model.file} takes {takes} and gives {gives}; the manifest says "
            f"{wanted_in} in, and {wanted_out} out"
        )


def check_golden(model: Model, number: int, golden: Golden) -> None:
    """Raise ManifestError unless the model answers a golden row as it did when exported."""
    try:
        output = model.engine.run(model.encoder.encode_unchecked(golden.input))
    except MisfitError as error:
        raise ManifestError(f"golden.{number}.input cannot be encoded: {error}") from error
    check_output(manifest := model.manifest, f"golden.{number}", output)
    expected = list(golden.output)
    precision = manifest.precision
    near = INT8_TOLERANCE if precision and precision.shipped == "int8" else TOLERANCE
    sizes = {len(output), len(expected), manifest.outputs}
    if len(sizes) > 1 or not np.allclose(output, expected, rtol=near, atol=near):
        raise ManifestError(
            f"{manifest.model.file} answers {output} to golden.{number} of the manifest, "
            f"which says {expected}: export the task again with this onnxruntime"
        )
