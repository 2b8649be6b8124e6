"""What is to be predicted."""

from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from stages.contract.expressions import Expression
from stages.contract.names import check_order
from stages.contract.section import Section
from stages.contract.types import Problem
from stages.shared.frozen import Items


class Target(Section):
    """What is to be predicted."""

    expression: str
    """A column's name, or a formula over columns such as `num > 0`."""
    classes: dict[str, str] | None = Field(default=None, min_length=2)
    """For classification: the name that people and clients read, by the value of the
    expression; a list where both are the same."""
    positive: str | None = None
    """The class whose probability is answered and scored; two classes need one."""
    unit: str | None = None
    """The unit of a number to predict."""
    range: Items[float] | None = Field(default=None, min_length=2, max_length=2)
    """The lowest and the highest number that can be true, both included."""

    @field_validator("expression")
    @classmethod
    def _reads_columns(cls, text: str) -> str:
        if not Expression.parse(text).names:
            raise ValueError("the formula reads no column")
        return text

    @field_validator("classes", mode="before")
    @classmethod
    def _as_text(cls, classes: Any) -> Any:
        """Let YAML's ``true`` and ``1`` be keys; a plain list names each class after its value."""
        if isinstance(classes, list | tuple):
            return {str(value): str(value) for value in classes}
        if isinstance(classes, dict):
            return {_to_token(value): label for value, label in classes.items()}
        return classes

    @model_validator(mode="after")
    def _fits_its_problem(self) -> Self:
        if self.classes and self.range:
            raise ValueError("classes have no range")
        if not self.classes and not Expression.parse(self.expression).is_arithmetic:
            raise ValueError(f"{self.expression!r} is true or false: name the two as classes")
        check_order(self.range)
        return self

    @model_validator(mode="after")
    def _names_a_positive_class(self) -> Self:
        labels = self.labels
        if len(labels) == 1:
            raise ValueError(f"every value is of the same class, {labels[0]!r}")
        if self.positive is not None and self.positive not in labels:
            raise ValueError(f"positive is {self.positive!r}; the classes are {', '.join(labels)}")
        if len(labels) == 2 and self.positive is None:
            raise ValueError(f"two classes ({', '.join(labels)}) need one named as positive")
        return self

    @property
    def problem(self) -> Problem:
        """What kind of target it is: with classes, classification; else regression."""
        return "classification" if self.classes else "regression"

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names in the order of the models' probabilities: the positive one last."""
        names = tuple(dict.fromkeys((self.classes or {}).values()))
        return tuple(sorted(names, key=lambda name: name == self.positive))


def _to_token(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
