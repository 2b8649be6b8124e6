"""Which n-grams of a text become features."""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from stages.contract.section import Section
from stages.shared.frozen import Items


class TextFeatures(Section):
    """Which n-grams of a text column become TF-IDF features; ``conf/contract.yaml`` explains it."""

    renamed: ClassVar = {
        "words": "word_ngrams",
        "characters": "char_ngrams",
        "min_count": "min_df",
        "most_features": "max_features",
        "sublinear": "sublinear_tf",
    }

    word_ngrams: Items[int] | None = Field(min_length=2, max_length=2)
    """The shortest and the longest run of words; null for none."""
    char_ngrams: Items[int] | None = Field(min_length=2, max_length=2)
    """The shortest and the longest run of characters inside words; null for none."""
    min_df: int = Field(ge=1)
    """The number of rows in which an n-gram must be seen."""
    max_features: int = Field(ge=1)
    """The number of n-grams of each kind and column, the most frequent; some models take fewer."""
    sublinear_tf: bool
    """Whether n times counts as 1 + ln(n)."""

    @model_validator(mode="after")
    def _makes_features(self) -> Self:
        if not self.word_ngrams and not self.char_ngrams:
            raise ValueError("word_ngrams and char_ngrams are both null: a text has no features")
        for name, sizes in (("word_ngrams", self.word_ngrams), ("char_ngrams", self.char_ngrams)):
            if sizes and not 1 <= sizes[0] <= sizes[1]:
                raise ValueError(f"{name} must be [shortest, longest], not {list(sizes)}")
        return self
