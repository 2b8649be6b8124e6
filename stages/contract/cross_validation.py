"""How candidates are compared before the test: over which folds, how often."""

from pydantic import Field

from stages.shared.frozen import Frozen


class CrossValidation(Frozen):
    """Folds over train and validation, shuffled (and stratified for classes) with ``seed``.

    A table that is split by group has its groups in one fold each.
    """

    folds: int = Field(ge=2)
    repeats: int = Field(default=1, ge=1)
    seed: int
