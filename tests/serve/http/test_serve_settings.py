"""What the environment may say, and what is said of a value that cannot be used."""

import subprocess
import sys
from pathlib import Path

import pytest
import uvicorn

from serve.__main__ import run
from serve.http.settings import Settings, SettingsError, read_settings
from tests.support.serve_models import HOUSING_ROW, write_heart, write_housing
from tests.support.serving import clean_environment, serving

COMMANDS = [("serve",), ("uvicorn", "serve.http.app:app", "--port", "0")]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MODELS_DIR", "SERVE_MODELS_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("SERVE_PORT", "http", "SERVE_PORT is 'http': Input should be a valid integer"),
        ("SERVE_PORT", "70000", "SERVE_PORT is '70000': Input should be less than or equal to"),
        ("SERVE_MAX_ROWS", "0", "SERVE_MAX_ROWS is '0': Input should be greater than or equal"),
        ("SERVE_RATE_LIMIT", "-1", "SERVE_RATE_LIMIT is '-1'"),
        ("SERVE_RELOAD", "perhaps", "SERVE_RELOAD is 'perhaps': Input should be a valid boolean"),
        ("SERVE_LOG_LEVEL", "loud", "SERVE_LOG_LEVEL is 'loud': Input should be 'debug'"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refusal:
        read_settings()
    assert reason in str(refusal.value)


def test_all_values_that_cannot_be_used_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVE_PORT", "x")
    monkeypatch.setenv("SERVE_WORKERS", "0")
    with pytest.raises(SettingsError, match=r"SERVE_PORT.*SERVE_WORKERS"):
        read_settings()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("SERVE_API_KEY", "did you mean SERVE_API_KEYS?"),
        ("serve_api_key", "did you mean SERVE_API_KEYS?"),
        ("SERVE_PREDICTION_LOGS", "did you mean SERVE_PREDICTION_LOG?"),
        ("SERVE_QXZ", "`python -m serve --help` lists them all"),
    ],
)
def test_a_variable_that_means_nothing_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, hint: str
) -> None:
    monkeypatch.setenv(name, "")
    monkeypatch.setenv("SERVE_PORT", "x")
    with pytest.raises(SettingsError) as refusal:
        read_settings()
    assert f"{name} is no setting: {hint}" in str(refusal.value)
    assert "SERVE_PORT is 'x'" in str(refusal.value)


def test_an_empty_value_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVE_PORT", "")
    monkeypatch.setenv("SERVE_DEFAULT_TASK", "")
    settings = read_settings()
    assert (settings.port, settings.default_task) == (8000, None)


@pytest.mark.parametrize("name", ["MODELS_DIR", "SERVE_MODELS_DIR"])
def test_the_models_folder_has_two_names(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "elsewhere")
    assert read_settings().models_dir == Path("elsewhere")


def test_lists_have_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVE_TASKS", "heart, housing,")
    assert read_settings().tasks == ("heart", "housing")


@pytest.mark.parametrize("command", COMMANDS, ids=["serve", "uvicorn"])
def test_a_server_with_such_a_value_does_not_start(command: tuple[str, ...]) -> None:
    environment = clean_environment() | {"SERVE_MAX_ROWS": "many"}
    words = [sys.executable, "-m", *command]
    run = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=30)
    assert run.returncode == 1
    assert run.stderr.startswith("the server cannot start: SERVE_MAX_ROWS is 'many'")
    assert "Traceback" not in run.stderr


def test_help_names_every_variable_with_its_default() -> None:
    command = [sys.executable, "-m", "serve", "--help"]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    for name, field in Settings.model_fields.items():
        (line,) = [it for it in run.stdout.splitlines() if f" SERVE_{name.upper()} " in it]
        assert field.description
        assert field.description in line
    assert "SERVE_PORT  the port to listen on [8000]" in run.stdout


def test_only_the_named_tasks_are_served(tmp_path: Path) -> None:
    write_heart(tmp_path)
    write_housing(tmp_path)
    with serving(tmp_path, tasks="housing") as client:
        assert list(client.get("/models").json()["tasks"]) == ["housing"]
        assert client.post("/predict", json=HOUSING_ROW).json()["task"] == "housing"
        assert client.post("/predict/heart", json={}).status_code == 404


def test_a_named_task_without_a_model_is_not_ready(tmp_path: Path) -> None:
    write_heart(tmp_path)
    with serving(tmp_path, tasks="heart,wine") as client:
        ready = client.get("/ready")
    assert ready.status_code == 503
    assert ready.json()["tasks"]["heart"]["serves"] is True
    assert "manifest.json cannot be read" in ready.json()["tasks"]["wine"]["detail"]


def test_the_limits_are_those_of_the_settings(tmp_path: Path) -> None:
    write_housing(tmp_path)
    with serving(tmp_path, max_rows="2", max_body_bytes="200") as client:
        rows = client.post("/predict", json=[HOUSING_ROW] * 3)
        large = client.post("/predict", json=[HOUSING_ROW] * 30)
        assert client.post("/predict", json=[HOUSING_ROW] * 2).status_code == 200
    assert (rows.status_code, rows.json()["detail"]) == (
        413,
        "3 rows: a request takes at most 2",
    )
    assert (large.status_code, large.json()["detail"]) == (
        413,
        "the body is larger than 200 bytes: send fewer rows",
    )


@pytest.mark.parametrize(
    ("proxies", "believed"), [("", None), ("10.0.0.7, ::1", ["10.0.0.7", "::1"])]
)
def test_a_proxy_is_believed_only_where_it_is_named(
    monkeypatch: pytest.MonkeyPatch, proxies: str, believed: list[str] | None
) -> None:
    monkeypatch.setenv("SERVE_PROXIES", proxies)
    found: list[uvicorn.Config] = []

    def note_config(server: uvicorn.Server) -> None:
        found.append(server.config)
        server.started = True

    monkeypatch.setattr(uvicorn.Server, "run", note_config)
    run(read_settings())
    (config,) = found
    assert config.proxy_headers == bool(believed)
    assert not believed or config.forwarded_allow_ips == believed
