"""A champion in the form in which it is served, whatever kind of model it is."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from sklearn.pipeline import Pipeline

from serve.runtime.manifest import Manifest, Precision, Tokens, Vectoriser
from stages.exporting import transformer
from stages.exporting.describing import describe_tokenizer, describe_vectoriser
from stages.exporting.graph import INPUT, to_onnx
from stages.exporting.hard_texts import list_text_alterations
from stages.exporting.parity import Alteration, Array, Exported, Predictor, list_alterations
from stages.exporting.quantising import Answers, Judge, quantise_model
from stages.exporting.transformer import ExportedTransformer
from stages.exporting.vectorisers import render_vectorisers
from stages.shared.finetuned import FineTuned

Champion: TypeAlias = Pipeline | FineTuned


@dataclass(frozen=True)
class Artifact:
    """The champion as it is served: what answers, its model, and the files it needs besides.

    ``input`` is the name of the graph's input. A transformer has a tokenizer and a precision.
    """

    exported: Predictor
    model: bytes
    input: str
    vectorisers: tuple[tuple[Vectoriser, bytes], ...] = ()
    tokenizer: tuple[Tokens, bytes] | None = None
    precision: Precision | None = None

    @classmethod
    def of(cls, champion: Champion) -> "Artifact":
        """Return a champion as ONNX, in full precision."""
        return (
            _export_transformer(champion)
            if isinstance(champion, FineTuned)
            else _export_pipeline(champion)
        )

    def files(self, manifest: Manifest) -> dict[str, bytes]:
        """Return the content of every file that the manifest names."""
        files = {manifest.model.file: self.model}
        files |= {entry.file: content for entry, content in self.vectorisers}
        return files | ({self.tokenizer[0].file: self.tokenizer[1]} if self.tokenizer else {})


def list_cases(champion: Champion, X: Array, schema: Any) -> Iterator[Alteration]:
    """Yield the rows on which a champion and its artifact are compared, hard cases included."""
    if isinstance(champion, FineTuned):
        return list_text_alterations(X, schema)
    return list_alterations(X, schema.fields)


def choose_precision(
    full: Artifact, champion: FineTuned, judge: Judge, unseen: Array, all_rows: Array
) -> Artifact:
    """Return a transformer in int8 if that loses little, else as it is; either way with figures.

    ``unseen``, what it has not learnt from, and ``all_rows`` are encoded matrices.
    """
    content = quantise_model(full.model)
    small = replace(full, exported=ExportedTransformer(content, champion), model=content)
    answered = [
        Answers.by(variant.exported, variant.model, unseen, all_rows) for variant in (full, small)
    ]
    precision = judge.judge(*answered)
    return replace(small if precision.shipped == "int8" else full, precision=precision)


def _export_pipeline(pipeline: Pipeline) -> Artifact:
    model, featurizer = to_onnx(pipeline), pipeline["features"]
    vectorisers = (
        (describe_vectoriser(content, column, width), content)
        for column, width, content in render_vectorisers(featurizer)
    )
    return Artifact(Exported(model, featurizer), model, INPUT, tuple(vectorisers))


def _export_transformer(model: FineTuned) -> Artifact:
    content, tokenizer = transformer.to_onnx(model), model.tokenizer.encode()
    return Artifact(
        ExportedTransformer(content, model),
        content,
        transformer.INPUT,
        tokenizer=(describe_tokenizer(tokenizer, model.separator, model.windows), tokenizer),
    )
