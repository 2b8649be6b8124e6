"""Which n-grams of a text become features."""

from typing import Self

from pydantic import Field, model_validator

from stages.shared.frozen import Frozen, Items


class TextFeatures(Frozen):
    """Which n-grams of a text column become TF-IDF features; ``conf/contract.yaml`` explains it."""

    words: Items[int] | None = Field(min_length=2, max_length=2)
    characters: Items[int] | None = Field(min_length=2, max_length=2)
    min_count: int = Field(ge=1)
    most_features: int = Field(ge=1)
    sublinear: bool

    @model_validator(mode="after")
    def _makes_features(self) -> Self:
        if not self.words and not self.characters:
            raise ValueError("words and characters are both null: a text would have no features")
        for name, sizes in (("words", self.words), ("characters", self.characters)):
            if sizes and not 1 <= sizes[0] <= sizes[1]:
                raise ValueError(f"{name} must be [shortest, longest], not {list(sizes)}")
        return self
