"""Packs ``models/<task>`` as a model that ``mlflow.pyfunc`` loads, with its signature."""

import hashlib
import re
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serve.runtime.load import load_model
from serve.runtime.manifest import MANIFEST, Column, Manifest
from serve.runtime.manifest_file import ManifestError
from stages.exporting.publishing import CARD
from stages.runner import imports
from stages.shared.errors import PipelineError

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

LOADER = "serve.runtime.mlflow_pyfunc"
RUNTIME = Path("serve/runtime")  # all of our code that a registered model carries
DATA = "data"  # where MLflow puts the exported files, in a folder with the task's name
LOCK = Path("requirements.lock")


def read_export(folder: Path) -> tuple[Manifest, str]:
    """Return the verified manifest and its SHA-256, which is the whole content's identity.

    Raises PipelineError for a model that cannot be served: it gives its golden predictions again.
    """
    try:
        manifest = load_model(folder).manifest
    except ManifestError as error:
        raise PipelineError(f"{folder} cannot be registered: {error}") from error
    return manifest, hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


def file_names(manifest: Manifest) -> list[str]:
    """Return the names of the files that make an exported model."""
    entries = [manifest.model, *manifest.vectorisers, manifest.tokenizer, manifest.explanation]
    return [*(entry.file for entry in entries if entry), CARD, MANIFEST]


def pack(folder: Path, manifest: Manifest, target: Path, model_id: str | None = None) -> None:
    """Write an MLflow model to ``target``, which does not exist yet."""
    import mlflow.pyfunc
    from mlflow.models import Model

    beside = target.with_name(f"{target.name}.files")
    data = beside / manifest.task
    data.mkdir(parents=True)
    for name in file_names(manifest):
        shutil.copyfile(folder / name, data / name)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*input example")  # golden rows are inside
        mlflow.pyfunc.save_model(
            target,
            loader_module=LOADER,
            data_path=str(data),
            code_paths=[str(copy_runtime(beside / "code"))],
            pip_requirements=list(pinned_requirements()),
            signature=make_signature(manifest),
            mlflow_model=Model(model_id=model_id),
            metadata={"task": manifest.task, "version": manifest.version},
        )


def copy_runtime(folder: Path) -> Path:
    """Copy what loading needs of our code; return the copy of ``serve``, with nothing else in it.

    MLflow puts the content of ``code_paths`` on Python's path under its own name, so that the
    copy is found as ``serve.runtime`` without the rest of the service.
    """
    shutil.copytree(
        RUNTIME, folder / RUNTIME, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
    )
    return folder / RUNTIME.parts[0]


def pinned_requirements() -> Iterator[str]:
    """Yield what loading needs, pinned as the lock file pins it."""
    pinned = dict(re.findall(r"^([\w.-]+)==([\w.+!-]+)", LOCK.read_text(encoding="utf-8"), re.M))
    for name in imports.list_libraries(
        imports.list_modules(Path("serve/runtime/mlflow_pyfunc.py"))
    ):
        yield f"{name}=={pinned[name]}"


def make_signature(manifest: Manifest) -> "ModelSignature":
    """Return the types of the columns, and of an answer's parts, as MLflow has them."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Map

    classes = [ColSpec(DataType.string, "label"), ColSpec(Map(DataType.double), "probabilities")]
    values = [ColSpec(DataType.double, "value"), ColSpec(_any_type(), "interval")]
    answer = classes if manifest.target.labels else [*values, ColSpec(_any_type(), "unit")]
    return ModelSignature(
        inputs=Schema([ColSpec(_type(column), column.name) for column in manifest.columns]),
        outputs=Schema([*answer, ColSpec(_any_type(), "warnings")]),
    )


def _type(column: Column) -> Any:
    """Numbers are doubles, which alone can be missing; what else may be missing is of any type.

    MLflow's check of a table is strict: a column of integers has to be cast to float64.
    """
    from mlflow.types import DataType

    if column.type in ("number", "integer"):
        return DataType.double
    if column.type == "category" and all(isinstance(value, int) for value in column.values or ()):
        return DataType.double
    if column.missing == "allowed" or column.type == "category":
        return _any_type()
    return DataType.boolean if column.type == "boolean" else DataType.string


def _any_type() -> Any:
    from mlflow.types.schema import AnyType

    return AnyType()  # type: ignore[no-untyped-call]
