"""Tries a model on every route before it serves: what would be a failure there is a refusal here.

`serve.runtime.load` has tried what a model does in a process; this tries what the service makes of
it: tensors, a table, and its part of the document.
"""

import io
from collections.abc import Callable
from pathlib import Path

from serve.files.formats import open_sink, open_source
from serve.files.sinks import Layout
from serve.files.table import Predictor
from serve.http.openapi import examples
from serve.http.openapi.rows import row_schema
from serve.http.tensors import RequestInput, build_tensors, read_rows
from serve.runtime.errors import RequestError
from serve.runtime.json_rows import encode_json
from serve.runtime.load import load_model
from serve.runtime.manifest_file import ManifestError
from serve.runtime.model import Model

Row = dict[str, object]


def load_proven(folder: Path) -> Model:
    """Return a task's model once every route has taken its golden rows without failing.

    Raises ManifestError that names what is wrong.
    """
    model = load_model(folder)
    rows = examples.list_rows(model, may_be_real=True)
    for route, ask in ROUTES.items():
        try:
            ask(model, rows)
        except RequestError:
            pass  # an answer, too: not every row can be written as a table
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise ManifestError(f"{route} fails with a golden row: {reason}") from error
    return model


def _describe(model: Model, rows: list[Row]) -> None:
    encode_json(row_schema(model))
    encode_json([examples.make_up_row(model), *rows])


def _ask_tensors(model: Model, rows: list[Row]) -> None:
    for row in rows:
        inputs = [RequestInput.model_validate(item) for item in examples.make_tensors(model, row)]
        found = read_rows(inputs, model.manifest.columns, b"", 1)
        outcomes = model.run(model.check([(["inputs", 0], found[0])]))
        build_tensors(model.manifest, [*map(model.answers.answer, outcomes)])


def _ask_table(model: Model, rows: list[Row]) -> None:
    file = io.BytesIO(examples.write_csv(model, rows).encode())
    source, predictor = (
        open_source("csv", file, model.manifest.spelling, len(rows)),
        Predictor(model),
    )
    predictor.check(source.names)
    sink = open_sink("csv", io.BytesIO(), Layout(model, source.kind, None), False)
    sink.write(predictor.predict(source.rows(predictor.wanted)))


ROUTES: dict[str, Callable[[Model, list[Row]], None]] = {
    "/openapi.json": _describe,
    "/v2/models/…/infer": _ask_tensors,
    "/predict/…/csv": _ask_table,
}
