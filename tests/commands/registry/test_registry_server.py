"""The same registry on a real ``mlflow server`` over PostgreSQL, and over one that says no."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import mlflow
import pytest

from commands.registry import history, register
from commands.registry.audit_log import AuditLog
from commands.registry.promote import promote
from commands.registry.pull import pull
from commands.registry.store import CHALLENGER, CHAMPION, URI, registry
from serve.runtime.load import load_model
from stages.shared.errors import PipelineError
from tests.support.registry_fixtures import TASK, enter, make_world, retitle
from tests.support.servers import (
    PASSWORD,
    Answer,
    closed_port,
    http_server,
    postgres_binaries,
    postgres_server,
)

pytestmark = pytest.mark.long
START_SECONDS = 120


@contextmanager
def mlflow_server(database: str, folder: Path) -> Iterator[str]:
    """Run a server on a free port of 127.0.0.1, its files in ``folder``; stop it at the end."""
    port = closed_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", database, "--artifacts-destination", str(folder / "files")]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--workers", "1"], cwd=folder, env=environment, stdout=log, stderr=log
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_healthy(server, url, folder / "log")
            yield url
        finally:
            server.terminate()
            server.wait(30)


def _wait_until_healthy(server: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            if httpx.get(f"{url}/health").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if postgres_binaries() is None:
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")
    with postgres_server() as postgres:
        database = postgres.url(password=quote(PASSWORD, safe=""))
        with mlflow_server(database, tmp_path_factory.mktemp("mlflow")) as url:
            yield url


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "world"
    make_world(root)
    enter(root, monkeypatch)
    return root


def test_the_whole_way_on_a_server(
    server: str, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URI, server)
    for _ in range(2):  # the second time changes nothing
        register.register(TASK)
    promote(TASK, "ada", "the first one")
    retitle(world, "The same answers, another content")
    register.register(TASK)
    with pytest.raises(PipelineError, match="the verdict is 'not worse'"):
        promote(TASK, "ada", "hope")
    history.verify(AuditLog(TASK))
    with registry() as store:
        aliases = [store.version_at_alias(TASK, name) for name in (CHAMPION, CHALLENGER)]
        runs = store.client.search_runs([store.experiment(TASK)])
    assert [str(model.version) for model in aliases if model] == ["1", "2"]
    assert [run.info.status for run in runs] == ["FINISHED", "FINISHED"]
    pull(TASK, CHAMPION, tmp_path / "served")
    served = load_model(tmp_path / "served" / TASK)
    assert served.registered is not None
    assert (served.registered.version, served.registered.alias) == ("1", CHAMPION)
    loaded = mlflow.pyfunc.load_model(f"models:/{TASK}@{CHAMPION}")
    assert loaded.metadata.metadata == {"task": TASK, "version": served.manifest.version}
    assert not (world / "data/registry/mlflow.db").exists()


@pytest.mark.usefixtures("world")
def test_a_server_shows_what_its_pages_ask_for(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URI, server)
    registered = register.register(TASK)
    with httpx.Client(base_url=f"{server}/api/2.0/mlflow") as api:
        experiment = api.get("experiments/get-by-name", params={"experiment_name": TASK}).json()[
            "experiment"
        ]
        where = {"experiment_ids": [experiment["experiment_id"]]}
        run = api.post("runs/search", json=where).json()["runs"][0]
        model = api.post("logged-models/search", json=where).json()["models"][0]
        description = api.get("registered-models/get", params={"name": TASK}).json()
    tags = {tag["key"]: tag["value"] for tag in experiment["tags"]}
    assert tags["mlflow.experimentKind"] == "custom_model_development"
    tables = {entry["dataset"]["name"] for entry in run["inputs"]["dataset_inputs"]}
    assert tables == {"demo-train", "demo-validation", "demo-test"}
    assert run["outputs"]["model_outputs"][0]["model_id"] == model["info"]["model_id"]
    metrics = {metric["key"]: metric["dataset_name"] for metric in model["data"]["metrics"]}
    assert metrics["test.roc_auc"] == "demo-test"
    assert "## What it predicts" in description["registered_model"]["description"]
    assert registered.page == (
        f"{server}/#/experiments/{experiment['experiment_id']}/runs?workflowType=machine_learning"
    )


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("status", "told"), [(403, r"403 \(start the server with --allowed-hosts\)"), (500, "500")]
)
def test_a_server_that_refuses_is_told(
    monkeypatch: pytest.MonkeyPatch, status: int, told: str
) -> None:
    with http_server({"/health": Answer(status=status)}) as refusing:
        monkeypatch.setenv(URI, refusing.url)
        with pytest.raises(PipelineError, match=f"it answers {told}"):
            register.register(TASK)
