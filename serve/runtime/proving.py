"""Holds a loaded model against what its routes will ask of it, before the first request does."""

import json
import math
from collections.abc import Sequence

import numpy as np

from serve.runtime.answers import Outcome
from serve.runtime.attribution import AttributionError
from serve.runtime.encode import RowError
from serve.runtime.explainer import Explainer
from serve.runtime.json_rows import encode_json
from serve.runtime.manifest import Manifest
from serve.runtime.manifest_file import ManifestError
from serve.runtime.model import Checked, Model
from serve.runtime.session import RUNTIME_ERRORS

NEAR = 1e-5  # of a sum of float32 probabilities
# Explanations add up in float64, what they explain may have been added in float32.
NEAR_EXPLAINED = 1e-3
# What a file of explanations can raise that was changed, or that another version wrote.
BROKEN = (
    AttributionError, KeyError, ValueError, IndexError, TypeError, MemoryError, *RUNTIME_ERRORS
)  # fmt: skip


def check_output(manifest: Manifest, place: str, output: Sequence[float]) -> None:
    """Raise ManifestError unless an output is what its problem's outputs are.

    Probabilities are from 0 to 1 and sum to 1, a value is finite.
    """
    if not all(map(math.isfinite, output)):
        problem = "which is not finite"
    elif not manifest.target.labels:
        return
    elif not all(-NEAR <= share <= 1 + NEAR for share in output):
        problem = "which is no probability from 0 to 1"
    elif abs(math.fsum(output) - 1) > NEAR:
        problem = f"probabilities that sum to {math.fsum(output):g}"
    else:
        return
    raise ManifestError(
        f"{manifest.model.file} answers {list(output)} to {place}, {problem}: "
        "train and export the task again"
    )


def check_paths(model: Model) -> None:
    """Raise ManifestError unless each way to an answer gives a golden row the same one.

    A golden row that the contract does not let in is passed over: no client can send it.
    """
    explainer = copy_explainer(model)
    for number, golden in enumerate(model.manifest.golden):
        row = dict(golden.input)
        try:
            checked = Checked(["body"], *model.encoder.encode(["body"], row))
        except RowError:
            continue
        (outcome,) = model.run([checked])
        _check_answer(model, number, checked, outcome)
        if explainer:
            _check_explanation(model, explainer, number, checked, outcome)


def copy_explainer(model: Model) -> Explainer | None:
    """Return an explainer to try: what it unpacks is gone with it."""
    if model.explainer is None:
        return None
    return Explainer(model.explainer.attribution.content, model.manifest, model.explainer.layout)


def _check_answer(model: Model, number: int, checked: Checked, outcome: Outcome) -> None:
    """Hold the fast path and the JSON of an answer against the careful path."""
    sent = json.loads(model.answers.to_json([outcome], "golden"))["predictions"]
    expected = json.loads(encode_json([model.answers.answer(outcome)]))
    if sent != expected:
        raise ManifestError(f"golden.{number} is answered with {sent}, which is not {expected}")
    body, decoder = encode_json(dict(model.manifest.golden[number].input)), model.fast_decoder
    vectors = decoder.decode(body, 1) if decoder else None
    if vectors and not np.array_equal(vectors[0], checked.vector, equal_nan=True):
        raise ManifestError(f"golden.{number} is read as {vectors[0]} and as {checked.vector}")


def _check_explanation(
    model: Model, explainer: Explainer, number: int, checked: Checked, outcome: Outcome
) -> None:
    """Hold an explanation against the answer that it explains."""
    file, row = explainer.about.file, dict(model.manifest.golden[number].input)
    try:
        scores = explainer.explain(checked.vector, row)
    except BROKEN as error:
        reason = f"{type(error).__name__}: {error}"
        raise ManifestError(f"{file} cannot explain golden.{number}: {reason}") from error
    labels = model.manifest.target.labels
    for score in scores:
        answer = outcome.output[labels.index(score["label"]) if score["label"] is not None else 0]
        if not math.isclose(score["answer"], answer, rel_tol=NEAR_EXPLAINED, abs_tol=NEAR):
            raise ManifestError(
                f"{file} explains {score['answer']} of golden.{number}, "
                f"which the model answers with {answer}: export the task again"
            )
