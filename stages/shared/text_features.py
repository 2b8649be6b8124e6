"""TF-IDF features of texts, beside those of the other columns.

A text becomes two blocks of numbers: its words (and pairs of words) and its runs of characters,
each weighted by how rare it is in training (Spärck Jones 1972) and scaled to Euclidean length 1.
``serve/runtime/text.py`` computes the same numbers without scikit-learn.
"""

from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import f_classif, f_regression

from stages.contract.text_features import TextFeatures
from stages.shared.errors import PipelineError
from stages.shared.features import Array, Featurizer
from stages.shared.schema import Schema

WORDS = r"\w+|[^\w\s]"  # words, and each sign between them: "!" and emoji tell much


class _Vectorizer(TfidfVectorizer):  # type: ignore[misc]
    """scikit-learn's, without the address of an object, which differs in each process."""

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in super().__getstate__().items() if k != "_stop_words_id"}


class TextFeaturizer(Featurizer):
    """A ``Featurizer`` for tables with texts: the features are a sparse matrix, the texts' last.

    ``text`` says which n-grams count. Of each column and kind at most ``most`` are kept, those that
    tell the target best (by the F statistic, in the rows fitted on). TF-IDF is not standardised;
    ``scale`` is for the numbers. A missing text has no n-gram, so its features are all 0.

    Learned besides: ``vectorizers_``, for each text column one of words, one of characters.
    """

    def __init__(
        self, schema: Schema, text: TextFeatures, scale: bool = False, most: int | None = None
    ) -> None:
        super().__init__(schema, scale)
        self.text = text
        self.most = most

    def fit(self, X: Array, y: Array | None = None) -> Self:
        """Learn medians, means and deviations, and each text column's n-grams and weights.

        The target ``y`` is needed with ``most``. Raises PipelineError where a column's texts have
        no n-gram that counts.
        """
        super().fit(X, y)
        self.vectorizers_ = [self._vectorizers(X[:, i], y, name) for i, name in self._texts()]
        return self

    def transform(self, X: Array) -> Any:
        """Return the features as a CSR matrix: of the other columns, then of each text column."""
        kind = np.float64 if self.scale else np.float32
        blocks = [sparse.csr_matrix(super().transform(X).astype(kind)), *self.text_blocks(X)]
        return sparse.hstack(blocks, format="csr", dtype=kind)

    def text_blocks(self, X: Array) -> list[Any]:
        """Return each text column's TF-IDF (rows by n-grams) as a float64 CSR matrix."""
        return [
            sparse.hstack(
                [vectorizer.transform(X[:, i]) for vectorizer in vectorizers], format="csr"
            )
            for (i, _), vectorizers in zip(self._texts(), self.vectorizers_, strict=True)
        ]

    @property
    def widths(self) -> list[int]:
        """How many features each text column has."""
        return [
            sum(len(vectorizer.vocabulary_) for vectorizer in found) for found in self.vectorizers_
        ]

    def _texts(self) -> list[tuple[int, str]]:
        fields = enumerate(self.schema.fields)
        return [(i, field.name) for i, field in fields if field.type == "text"]

    def _vectorizers(self, texts: Array, y: Array | None, name: str) -> list[_Vectorizer]:
        try:
            return [self._fit_vectorizer(arguments, texts, y) for arguments in self._kinds()]
        except ValueError as error:
            raise PipelineError(
                f"the {len(texts)} texts of {name} to fit have no n-gram that counts ({error}): "
                f"lower text.min_df, now {self.text.min_df}, in conf/task or bring more rows"
            ) from error

    def _kinds(self) -> list[dict[str, Any]]:
        """Return the arguments of a vectorizer of words, and of one of characters."""
        kinds = {
            "word": (self.text.word_ngrams, {"token_pattern": WORDS}),
            "char_wb": (self.text.char_ngrams, {}),
        }
        return [
            {"analyzer": analyzer, "ngram_range": tuple(sizes), **own}
            for analyzer, (sizes, own) in kinds.items()
            if sizes
        ]

    def _fit_vectorizer(
        self, arguments: dict[str, Any], texts: Array, y: Array | None
    ) -> _Vectorizer:
        arguments = {**arguments, "sublinear_tf": self.text.sublinear_tf}
        limits = {"min_df": self.text.min_df, "max_features": self.text.max_features}
        vectorizer = _Vectorizer(**arguments, **limits)
        features = vectorizer.fit_transform(texts)
        if not self.most or len(vectorizer.vocabulary_) <= self.most:
            return vectorizer
        terms = vectorizer.get_feature_names_out()
        kept = np.sort(_select_best(self._scores(features, y), self.most))
        vectorizer = _Vectorizer(**arguments, vocabulary=terms[kept].tolist())
        vectorizer.fit(texts)
        return vectorizer

    def _scores(self, features: Any, y: Array | None) -> Array:
        """Return each feature's F statistic, of the classes' means or of a line through values."""
        score = f_classif if self.schema.problem == "classification" else f_regression
        return np.asarray(score(features, y)[0])


def _select_best(scores: Array, most: int) -> Array:
    """Return the places of the highest scores, of equal ones the first; undefined ones last."""
    return np.argsort(-np.nan_to_num(scores), kind="stable")[:most]
