"""Writes what turns texts into TF-IDF as plain data, for a server that has no scikit-learn."""

import json
from typing import Any

from sklearn.feature_extraction.text import TfidfVectorizer

from stages.shared.features import Featurizer
from stages.shared.text_features import TextFeaturizer

KINDS = {"word": "words", "char_wb": "characters"}


def render_vectorisers(featurizer: Featurizer) -> list[tuple[str, int, bytes]]:
    """Return each text column's name, its number of features, and its vectoriser as JSON.

    ``serve/runtime/text.py`` says how the JSON is read.
    """
    if not isinstance(featurizer, TextFeaturizer):
        return []
    names = [field.name for field in featurizer.schema.fields if field.type == "text"]
    return [
        (name, width, _render(vectorizers, featurizer.text.sublinear_tf))
        for name, width, vectorizers in zip(
            names, featurizer.widths, featurizer.vectorizers_, strict=True
        )
    ]


def _render(vectorizers: list[TfidfVectorizer], sublinear: bool) -> bytes:
    content = {
        "lowercase": True,
        "sublinear": sublinear,
        "norm": "l2",
        "blocks": [_describe_block(vectorizer) for vectorizer in vectorizers],
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode()


def _describe_block(vectorizer: TfidfVectorizer) -> dict[str, Any]:
    """Return the n-grams in the order of their features, each with its weight."""
    is_words = vectorizer.analyzer == "word"
    return {
        "kind": KINDS[vectorizer.analyzer],
        "pattern": vectorizer.token_pattern if is_words else None,
        "sizes": list(vectorizer.ngram_range),
        "terms": vectorizer.get_feature_names_out().tolist(),
        "weights": vectorizer.idf_.tolist(),
    }
