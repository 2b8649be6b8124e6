"""The base of a contract's sections: what stands under a field says what the field means."""

from pydantic import ConfigDict

from stages.shared.frozen import Frozen


class Section(Frozen):
    """A part of a contract; the texts under its fields become its reference and its schema."""

    model_config = ConfigDict(use_attribute_docstrings=True)
