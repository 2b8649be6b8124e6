"""The registry: an MLflow server that ``MLFLOW_TRACKING_URI`` names, or else a store right here.

The local one is ``data/registry/mlflow.db`` with the files beside it, which git ignores.
"""

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from commands.registry.audit_log import FOLDER
from stages.shared.errors import PipelineError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

URI = "MLFLOW_TRACKING_URI"
CHAMPION, CHALLENGER = "champion", "challenger"
CONTENT = "content"  # the tag that tells what a run or version holds
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # A server that is down is noticed within seconds: its own default is to wait minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
}
DATABASE = FOLDER / "mlflow.db"
UNFINISHED = ".unfinished-"
SECONDS = 5  # to wait for a server's first answer


@dataclass(frozen=True)
class Registry:
    """A connection; each model has its task's name, and each task an experiment of that name."""

    client: "MlflowClient"
    uri: str

    @property
    def address(self) -> str:
        return mask_address(self.uri)

    def experiment(self, task: str) -> str:
        """Return the id of the task's experiment, which is made where there is none."""
        found = self.client.get_experiment_by_name(task)
        if found:
            return str(found.experiment_id)
        # A server decides where files go; without one MLflow would put them into ./mlruns.
        here = (FOLDER / "artifacts" / task).resolve().as_uri()
        location = None if self.uri.startswith("http") else here
        return str(self.client.create_experiment(task, location))

    def page(self, task: str) -> str | None:
        """Return where a server shows the task's runs; None where there is no server.

        Without ``workflowType`` MLflow may show an experiment's traces, whatever its kind.
        """
        if not self.uri.startswith("http"):
            return None
        address, experiment = self.address.rstrip("/"), self.experiment(task)
        return f"{address}/#/experiments/{experiment}/runs?workflowType=machine_learning"

    def run(self, experiment: str, content: str) -> "Run | None":
        """Return the run that holds this content, finished or not."""
        found = self.client.search_runs([experiment], f"tags.{CONTENT} = '{content}'")
        return found[0] if found else None

    def find_version(self, task: str, content: str) -> "ModelVersion | None":
        """Return the version that holds this content."""
        wanted = f"name = '{task}' and tags.{CONTENT} = '{content}'"
        found = self.client.search_model_versions(wanted)
        return found[0] if found else None

    def version_at_alias(self, task: str, alias: str) -> "ModelVersion | None":
        """Return the version that an alias points at, None where it points at none."""
        from mlflow.exceptions import MlflowException

        try:
            return self.client.get_model_version_by_alias(task, alias)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def version(self, task: str, name: str) -> "ModelVersion":
        """Return a version by number or alias; raises PipelineError where there is none."""
        from mlflow.exceptions import MlflowException

        try:
            found = (
                self.client.get_model_version(task, name)
                if name.isdecimal()
                else self.version_at_alias(task, name)
            )
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            found = None
        if found is None:
            raise PipelineError(
                f"{self.address} has no {task}@{name}: "
                f"`make register TASK={task}` registers a model"
            )
        return found

    def set_alias(self, task: str, alias: str, version: str) -> None:
        """Set an alias, in one step."""
        self.client.set_registered_model_alias(task, alias, version)

    def create_version(
        self, task: str, source: str, run: str, tags: Mapping[str, str], model_id: str
    ) -> "ModelVersion":
        """Make a version, with its tags in the same step."""
        if not self.client.search_registered_models(f"name = '{task}'"):
            self.client.create_registered_model(task)
        return self.client.create_model_version(
            task, source, run_id=run, tags=dict(tags), model_id=model_id
        )


@contextmanager
def registry() -> Iterator[Registry]:
    """Connect; whatever fails on the registry's side becomes a PipelineError that says so."""
    uri = os.environ.get(URI) or local_uri()
    _silence_mlflow()
    import mlflow
    import requests
    import sqlalchemy.exc
    from mlflow.exceptions import MlflowException

    try:
        if uri == local_uri():
            create_tables()
        elif uri.startswith("http"):
            requests.get(f"{uri.rstrip('/')}/health", timeout=SECONDS).raise_for_status()
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        yield Registry(mlflow.MlflowClient(uri, uri), uri)
    except (MlflowException, requests.RequestException, sqlalchemy.exc.SQLAlchemyError) as error:
        raise PipelineError(
            f"the registry {mask_address(uri)} ({URI}) failed: {_describe_error(error)}\n"
            "The pipeline's outputs are unchanged. Safe to repeat: run the same command again"
        ) from error


def local_uri() -> str:
    """Return an absolute address: a relative one would be another store in each folder."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{DATABASE.resolve()}"


def create_tables() -> None:
    """Give the local store its tables, unless it has them.

    MLflow makes them in some fifty steps, and fails for ever where one was cut off by a kill: so
    they are made in a file beside, which becomes the store when it is whole.
    """
    import mlflow

    if DATABASE.exists():
        return
    with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=FOLDER) as folder:
        made = Path(folder, DATABASE.name).resolve()
        mlflow.MlflowClient(f"sqlite:///{made}").search_experiments(max_results=1)
        with suppress(FileExistsError):  # another command was faster
            os.link(made, DATABASE)
    for left in FOLDER.glob(f"{UNFINISHED}*"):  # by a command that was killed
        shutil.rmtree(left, ignore_errors=True)


def download(version: "ModelVersion", path: str, target: Path) -> Path:
    """Fetch a folder of a version's files to ``target`` and return where it is."""
    import mlflow.artifacts

    uri = f"models:/{version.name}/{version.version}/{path}"
    return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(target)))


def _silence_mlflow() -> None:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _describe_error(error: Exception) -> str:
    """Return the first line of an error: MLflow's go on with a server's whole answer."""
    import requests

    response = getattr(error, "response", None)
    if isinstance(error, requests.HTTPError) and response is not None:
        hint = " (start the server with --allowed-hosts)" if response.status_code == 403 else ""
        return f"it answers {response.status_code}{hint}"
    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return "it cannot be reached"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return mask_secrets(lines[0])


def mask_address(uri: str) -> str:
    """Return an address without what may be a password or a token."""
    return mask_secrets(uri.partition("?")[0])


def mask_secrets(text: str) -> str:
    """Return a text without what stands for a user in its addresses."""
    return re.sub(r"//[^/\s]*@", "//", text)
