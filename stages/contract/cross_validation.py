"""How candidates are compared before the test: over which folds, how often."""

from pydantic import Field

from stages.contract.section import Section


class CrossValidation(Section):
    """Folds over train and validation, shuffled (and stratified for classes) with ``seed``.

    Rows that are equal in all columns are in one fold, as they are in one split; where the table
    is split by group, the rows of a group are.
    """

    folds: int = Field(ge=2)
    """Into how many parts the rows are cut, each of which is predicted by models fitted on the
    others."""
    repeats: int = Field(default=1, ge=1)
    """How many times, each with other folds: more where a table is small."""
    seed: int

    """Another seed cuts other folds."""
