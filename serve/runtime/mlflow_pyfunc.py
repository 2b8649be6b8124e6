"""Lets ``mlflow.pyfunc`` load an exported model: `_load_pyfunc` is the name it calls.

A registered model carries this package along, and so answers as the service does, without pickle.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from serve.runtime.answers import Answer
from serve.runtime.errors import RequestError
from serve.runtime.load import load_model
from serve.runtime.model import Model


class Frame(Protocol):
    """As much of a pandas DataFrame as is used here."""

    def astype(self, kind: type) -> "Frame": ...

    def notna(self) -> Any: ...

    def where(self, condition: Any, other: None) -> "Frame": ...

    def to_dict(self, orient: str) -> list[dict[str, Any]]: ...


class Predictor:
    """A verified model behind MLflow's interface."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, rows: Frame, params: Mapping[str, Any] | None = None) -> list[Answer]:
        """Return what /predict answers to the rows of a table, which has a column for each input.

        Raises ValueError that says which value of which row does not fit.
        """
        if params:
            raise ValueError(f"this model takes no parameters; got {sorted(params)}")
        table = rows.astype(object)
        records = table.where(table.notna(), None).to_dict("records")
        try:
            return self.model.predict([(["row", i], row) for i, row in enumerate(records)])
        except RequestError as error:
            raise ValueError(f"not every row fits the model's columns: {error.detail}") from error


def _load_pyfunc(path: str) -> Predictor:
    return Predictor(load_model(Path(path)))
