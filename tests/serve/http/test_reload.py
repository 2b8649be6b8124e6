"""New models beside old ones: taken over if they prove themselves, refused with a reason if not."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient

from tests.support.serve_models import (
    HEART_ROW,
    HEART_VECTOR,
    HEART_WEIGHTS,
    HOUSING_ROW,
    Json,
    softmax,
    write_heart,
    write_housing,
    write_other_heart,
)
from tests.support.serving import Load, server_process, serving


@pytest.fixture
def models(tmp_path: Path) -> Path:
    write_heart(tmp_path)
    write_housing(tmp_path)
    return tmp_path


@pytest.fixture
def client(models: Path) -> Iterator[TestClient]:
    with serving(models, default="heart", reload="false") as client:
        yield client


def reload(client: TestClient) -> Json:
    response = client.post("/admin/reload")
    assert response.status_code == 200
    return dict(response.json()["tasks"])


def state(client: TestClient, task: str = "heart") -> Json:
    response = client.get("/ready")
    found = response.json()["tasks"][task]
    assert response.status_code == (200 if found["serves"] else 503)
    return dict(found)


def version(client: TestClient) -> str:
    return str(client.post("/predict/heart", json=HEART_ROW).json()["version"])


def test_a_new_model_is_taken_over(client: TestClient, models: Path) -> None:
    new = write_other_heart(models)
    assert version(client) != new
    assert reload(client) == {"heart": "served", "housing": "unchanged"}
    answer = client.post("/predict/heart", json=HEART_ROW).json()
    assert answer["version"] == new
    expected = softmax(np.array(HEART_VECTOR) @ (HEART_WEIGHTS * 2)).tolist()
    assert list(answer["predictions"][0]["probabilities"].values()) == pytest.approx(expected)
    assert state(client) == {"serves": True, "version": new, "detail": None}


def cut_short(folder: Path) -> None:
    (path,) = folder.glob("*.onnx")
    path.write_bytes(path.read_bytes()[:100])


def tamper(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"threshold": 0.3', '"threshold": 0.9'))


def half_write(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text()[:500])


def lose_the_model(folder: Path) -> None:
    (path,) = folder.glob("*.onnx")
    path.unlink()


def break_the_contract(folder: Path) -> None:
    write_heart(folder.parent, columns=[{"name": "age"}])


def change_the_answer(folder: Path) -> None:
    write_heart(folder.parent, golden=[{"input": HEART_ROW, "output": [0.5, 0.5]}])


BREAKAGES = [
    (cut_short, "was changed after its export"),
    (tamper, "was changed after its export"),
    (half_write, "manifest.json cannot be used"),
    (lose_the_model, "cannot be read: No such file"),
    (break_the_contract, "columns.0.type: Field required"),
    (change_the_answer, "the manifest, which says [0.5, 0.5]"),
]


@pytest.mark.parametrize(("damage", "reason"), BREAKAGES, ids=[b[0].__name__ for b in BREAKAGES])
def test_a_bad_model_is_refused_and_the_old_one_serves_on(
    client: TestClient, models: Path, damage: Callable[[Path], None], reason: str
) -> None:
    old = version(client)
    damage(models / "heart")
    assert reload(client) == {"heart": "refused", "housing": "unchanged"}
    assert version(client) == old
    found = state(client)  # the old one is as good as it was: the server stays ready
    assert (found["serves"], found["version"]) == (True, old)
    assert f"a new model is refused, version {old} serves on: " in found["detail"]
    assert reason in found["detail"]


def test_a_model_whose_folder_is_gone_serves_on_and_is_told_as_gone(
    client: TestClient, models: Path
) -> None:
    old = version(client)
    shutil.rmtree(models / "heart")
    assert reload(client) == {"heart": "removed", "housing": "unchanged"}
    found = state(client)
    assert (found["serves"], found["version"]) == (True, old)
    assert found["detail"] == f"its folder is gone: version {old} serves on until the next start"
    write_heart(models)
    assert reload(client)["heart"] == "unchanged"
    assert state(client)["detail"] is None


def test_a_mended_model_ends_the_refusal(client: TestClient, models: Path) -> None:
    half_write(models / "heart")
    assert reload(client)["heart"] == "refused"
    write_heart(models)
    assert reload(client)["heart"] == "unchanged"
    assert state(client)["detail"] is None


def test_a_model_that_never_served_makes_the_server_ready_once_it_does(models: Path) -> None:
    half_write(models / "heart")
    with serving(models, reload="false") as late:
        assert not state(late)["serves"]
        assert "manifest.json cannot be used" in state(late)["detail"]
        assert late.post("/predict/housing", json=HOUSING_ROW).status_code == 200
        write_heart(models)
        assert reload(late)["heart"] == "served"
        assert state(late)["serves"]


def test_a_new_task_is_served(models: Path) -> None:
    shutil.rmtree(models / "housing")
    with serving(models, reload="false") as late:
        assert late.post("/predict/housing", json=HOUSING_ROW).status_code == 404
        write_housing(models)
        assert reload(late) == {"heart": "unchanged", "housing": "served"}
        assert late.post("/predict/housing", json=HOUSING_ROW).status_code == 200
        assert "/predict/housing" in late.get("/openapi.json").json()["paths"]


def test_a_refused_task_whose_folder_goes_is_forgotten(tmp_path: Path) -> None:
    write_housing(tmp_path)
    half_write(write_heart(tmp_path))
    with serving(tmp_path, reload="false") as client:
        assert not state(client)["serves"]
        shutil.rmtree(tmp_path / "heart")
        assert reload(client)["heart"] == "removed"
        assert client.get("/ready").status_code == 200


def test_reloads_are_counted_and_the_old_version_is_no_longer_shown(
    client: TestClient, models: Path
) -> None:
    old = version(client)
    new = write_other_heart(models)
    reload(client)
    half_write(models / "heart")
    reload(client)
    text = client.get("/metrics").text
    assert 'serve_reloads_total{outcome="served",task="heart"} 1.0' in text
    assert 'serve_reloads_total{outcome="refused",task="heart"} 1.0' in text
    infos = [line for line in text.splitlines() if line.startswith("serve_model_info")]
    assert not any(old in line for line in infos)
    assert any(new in line for line in infos)


# The watcher, in real processes


def wait_for_version(url: str, wanted: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if httpx.post(f"{url}/predict/heart", json=HEART_ROW).json()["version"] == wanted:
            return
        time.sleep(0.02)
    raise TimeoutError(f"version {wanted} did not come")


def test_what_changes_is_found_without_being_told_and_no_request_fails(models: Path) -> None:
    with server_process(models, reload_seconds="0.05") as server:
        versions = set()
        with Load(f"{server.url}/predict/heart", HEART_ROW) as load:
            for factor in (2.0, 3.0, 4.0):
                versions.add(new := write_other_heart(models, factor))
                wait_for_version(server.url, new)
        assert not load.lost
        assert set(load.answered) == {200}
        assert versions <= load.versions


def test_what_is_refused_is_in_the_log_once(models: Path) -> None:
    with server_process(models, reload_seconds="0.02") as server:
        half_write(models / "heart")
        deadline = time.monotonic() + 20
        while "is refused" not in server.log and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)  # a dozen more looks at the same files
        refusals = [line for line in server.log_lines() if "is refused" in line["message"]]
        assert len(refusals) == 1
        assert (refusals[0]["level"], refusals[0]["logger"]) == ("error", "serve")


def test_a_watcher_survives_a_folder_that_is_away_for_a_while(models: Path) -> None:
    with server_process(models, reload_seconds="0.02") as server:
        away = models.with_name("away")
        models.rename(away)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            heart = httpx.get(f"{server.url}/ready").json()["tasks"]["heart"]
            if heart["detail"]:
                break
        assert heart["serves"]
        away.rename(models)
        wait_for_version(server.url, write_other_heart(models))


def test_a_reload_reaches_every_worker(models: Path) -> None:
    settings = {"workers": "2", "reload": "false", "reload_seconds": "0.05"}
    with server_process(models, **settings) as server:
        new = write_other_heart(models)
        assert httpx.post(f"{server.url}/admin/reload").json()["tasks"]["heart"] == "served"
        deadline = time.monotonic() + 20
        in_a_row = 0
        while in_a_row < 40 and time.monotonic() < deadline:  # each on a connection of its own
            answer = httpx.post(f"{server.url}/predict/heart", json=HEART_ROW).json()
            in_a_row = in_a_row + 1 if answer["version"] == new else 0
        assert in_a_row == 40
        assert json.loads((models / "heart" / "manifest.json").read_text())["version"] == new
