"""From an encoded row to what each column added to its answer."""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any

import numpy as np
import onnxruntime
from pydantic import Field
from typing_extensions import TypedDict

from serve.runtime.attribution import Array, Attribution, AttributionError, apply_link
from serve.runtime.encode import Vector
from serve.runtime.manifest import Explanation, Manifest
from serve.runtime.session import start
from serve.runtime.text import Layout


class Contribution(TypedDict):
    """What one column, or one number derived from columns, added to a score."""

    name: str
    value: Annotated[Any, Field(description="as it was sent; null where derived or missing")]
    contribution: float


class Score(TypedDict):
    """A score taken apart: base plus all contributions is the score, which gives the answer."""

    label: Annotated[str | None, Field(description="whose score it is; null for a value's")]
    base: Annotated[float, Field(description="the score where nothing is known of the row")]
    contributions: list[Contribution]
    score: float
    answer: Annotated[float, Field(description="the label's probability, or the value")]


class Explainer:
    """Explains one model's answers; nothing is unpacked or started before the first is asked for.

    With two labels there is one score, that of the positive label, or else of the second.
    """

    def __init__(self, content: bytes, manifest: Manifest, layout: Layout) -> None:
        if manifest.explanation is None:
            raise ValueError(f"{manifest.task} has no explanations")
        self.about: Explanation = manifest.explanation
        self.labels = manifest.target.labels
        self.names = [column.name for column in manifest.columns] + [*self.about.derived]
        self.layout = layout
        self.attribution = Attribution(content, len(self.names))

    @cached_property
    def session(self) -> onnxruntime.InferenceSession:
        return start(self.attribution.graph)

    def explain(self, vector: Vector, row: Mapping[str, object]) -> list[Score]:
        """Return each score of a row, given as its vector and as it was sent."""
        base, added = self.attribution.explain(self._compute_features(vector))
        if not np.isfinite(added).all():
            raise AttributionError("the row has no finite explanation")
        scores = np.array([math.fsum([base[at], *parts]) for at, parts in enumerate(added)])
        answers = apply_link(scores, self.about.link, bool(self.labels))
        return [
            Score(
                label=label,
                base=float(base[at]),
                contributions=self._list_contributions(added[at], row),
                score=float(scores[at]),
                answer=answers[place],
            )
            for at, (place, label) in enumerate(self._label_scores(len(scores)))
        ]

    def _compute_features(self, vector: Vector) -> Array:
        taken = np.empty((1, self.layout.width))
        self.layout.write(vector, taken[0])
        features: Array = self.session.run(None, {self.session.get_inputs()[0].name: taken})[0][0]
        return features

    def _label_scores(self, scores: int) -> Sequence[tuple[int, str | None]]:
        """Return for each score its place among the answers, and its label."""
        if not self.labels:
            return [(0, None)]
        return [*enumerate(self.labels)][-scores:]

    def _list_contributions(self, added: Array, row: Mapping[str, object]) -> list[Contribution]:
        return [
            Contribution(name=name, value=row.get(name), contribution=contribution)
            for name, contribution in zip(self.names, added.tolist(), strict=True)
        ]
