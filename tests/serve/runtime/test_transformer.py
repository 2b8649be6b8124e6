"""A served transformer: the same routes, contract and answers as tables have, without torch."""

import hashlib
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from scipy.stats import binomtest

from commands.registry.artifact import file_names
from serve.runtime.load import load_model
from serve.runtime.manifest import compute_version
from serve.runtime.manifest_file import ManifestError, read_manifest
from serve.runtime.transformer import Transformer
from tests.support.environments import ROOT, find_distributions, link_distributions, read_group
from tests.support.serving import serving
from tests.support.text_fixtures import GOOD
from tests.support.transformer_fixtures import (
    MOST_TOKENS,
    build_exported_transformer,
    table,
    texts,
)

Json = dict[str, Any]
ROW: Json = {"price": 9.5, "review": "the food was GREAT!", "shop": "a", "title": None}
HEAVY = {
    *("torch", "transformers", "pandas", "sklearn", "scipy", "onnx", "mlflow", "safetensors"),
    *("huggingface_hub", "stages"),
}


@pytest.fixture(scope="session")
def models(tmp_path_factory: Any) -> Path:
    """A folder of models with one task, ``demo``, in int8."""
    root = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        return build_exported_transformer(root, max_int8_loss=1.0)


@pytest.fixture(scope="session")
def client(models: Path) -> Iterator[TestClient]:
    with serving(models) as client:
        yield client


@pytest.fixture
def copy(models: Path, tmp_path: Path) -> Path:
    """The task's folder, to be spoilt."""
    return Path(shutil.copytree(models / "demo", tmp_path / "demo"))


def rows(count: int = 40) -> list[Json]:
    """Return rows as requests have them, short and long ones."""
    frame = table(count, 11).drop(columns=["_row", "_target"])
    found = [
        {name: None if value != value else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]
    return [*found, {**ROW, "review": "good " * 20}, {**ROW, "title": "it " * 500}]


def probabilities(answer: Json) -> list[float]:
    return [answer["probabilities"][label] for label in ("negative", "positive")]


# One answer through every route


def test_every_route_gives_the_bits_of_the_shipped_file(models: Path, client: TestClient) -> None:
    sent = rows()
    folder, manifest = models / "demo", read_manifest(models / "demo")
    assert manifest.tokenizer is not None
    alone = Transformer(
        (folder / manifest.model.file).read_bytes(),
        (folder / manifest.tokenizer.file).read_bytes(),
    )
    expected = [alone.run(text) for text in texts(sent)]
    singles = [client.post("/predict/demo", json=row).json()["predictions"][0] for row in sent]
    together = client.post("/predict", json=sent).json()["predictions"]
    tensors = client.post("/v2/models/demo/infer", json=as_tensors(sent)).json()["outputs"]
    (shares,) = [it["data"] for it in tensors if it["name"] == "probabilities"]
    assert [*map(probabilities, singles)] == expected
    assert [*map(without_place, together)] == [*map(without_place, singles)]
    assert np.array(shares).reshape(-1, 2).tolist() == expected
    model = load_model(folder)
    assert [dict(model.predict_one(row)) for row in sent] == singles


def without_place(answer: Json) -> Json:
    """Return an answer whose warnings do not say in which row of a request they are."""
    warnings = [{**warning, "loc": warning["loc"][-1]} for warning in answer["warnings"]]
    return {**answer, "warnings": warnings}


def as_tensors(sent: list[Json]) -> Json:
    kinds = {"price": "FP64", "review": "BYTES", "shop": "BYTES", "title": "BYTES"}
    inputs = [
        {"name": name, "shape": [len(sent)], "datatype": kind, "data": [row[name] for row in sent]}
        for name, kind in kinds.items()
    ]
    return {"inputs": inputs}


def test_requests_at_the_same_time_do_not_change_each_other(client: TestClient) -> None:
    sent = rows(30)

    def ask(row: Json) -> Json:
        answer: Json = client.post("/predict/demo", json=row).json()["predictions"][0]
        return answer

    alone = [ask(row) for row in sent]
    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(ask, sent)] == alone


def test_a_text_is_read_as_far_as_in_training(client: TestClient) -> None:
    """MOST_TOKENS with two special ones: the next word changes nothing, the one before does."""
    read = "it " * (MOST_TOKENS - 3)
    words = [f"{read}{last}" for last in ("bad", "bad GREAT!", "GREAT! bad")]
    found = [client.post("/predict", json={**ROW, "review": it}).json() for it in words]
    first, same, other = (it["predictions"][0]["probabilities"] for it in found)
    assert first == same != other


def test_a_text_that_is_cut_is_told_with_both_numbers(client: TestClient) -> None:
    whole = {**ROW, "review": "it " * (MOST_TOKENS - 3)}
    cut = {**ROW, "review": "it it", "title": "it " * 500}
    first, second = client.post("/predict", json=[whole, cut]).json()["predictions"]
    assert first["warnings"] == []
    (warning,) = second["warnings"]
    assert (warning["loc"], warning["type"]) == (["body", 1, "review"], "text_cut")
    read, there = MOST_TOKENS - 2, 503  # with the separator, beside the marks of begin and end
    assert f"reads the first {read} of {there} tokens of review and title" in warning["msg"]
    kind = {"Content-Type": "text/csv"}
    table = f"price,review,shop,title\n9.5,it it,a,{'it ' * 300}\n"
    answer = client.post("/predict/demo/csv", content=table, headers=kind)
    assert answer.headers["X-Warned-Rows"] == "1"
    assert "text_cut" in answer.text


def test_one_text_need_not_wait_for_a_list_of_them(models: Path) -> None:
    """A list is run a text at a time: with one thread a single text comes in between."""
    with serving(models, threads="1") as client, ThreadPoolExecutor(2) as pool:
        ended: list[str] = []

        def ask(name: str, body: object) -> None:
            assert client.post("/predict/demo", json=body).status_code == 200
            ended.append(name)

        many = pool.submit(ask, "list", [ROW] * 400)
        queue = client.app.shared.queue  # type: ignore[attr-defined]
        while not queue.held:
            time.sleep(0.001)
        one = pool.submit(ask, "single", ROW)
        for waiting in (many, one):
            waiting.result(60)
    assert ended == ["single", "list"]


def test_several_pieces_are_read_and_their_mean_answers(models: Path) -> None:
    folder, manifest = models / "demo", read_manifest(models / "demo")
    assert manifest.tokenizer is not None
    files = [(folder / entry.file).read_bytes() for entry in (manifest.model, manifest.tokenizer)]
    one, three = (Transformer(*files, windows) for windows in (1, 3))
    room = MOST_TOKENS - 2
    good, bad = "good " * room, "bad " * room
    assert one.run(good + bad) == one.run(good)
    alone = np.log([one.run(text) for text in (good, bad)])
    mean = np.exp(alone.mean(axis=0))
    answer, read = three.run_counting(good + bad)
    assert answer == pytest.approx(mean / mean.sum(), rel=1e-12)
    assert read == (2 * room, 2 * room)
    assert three.run_counting(good * 5)[1] == (3 * room, 5 * room)
    assert three.run(good) == one.run(good)  # to the last bit


def test_it_tells_good_reviews_from_bad_ones(client: TestClient) -> None:
    sent = rows(60)[:60]
    found = client.post("/predict", json=sent).json()["predictions"]
    good = [any(word in row["review"] for word in GOOD) for row in sent]
    right = [(it["label"] == "positive") == truth for it, truth in zip(found, good, strict=True)]
    # By one who always gives the commoner label, so many right ones come once in a thousand times.
    share = max(np.mean(good), 1 - np.mean(good))
    assert binomtest(sum(right), len(right), share, alternative="greater").pvalue < 1e-3


# One contract


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"review": None}, "null"),
        ({"review": "  "}, "null"),
        ({"review": "ab"}, "wrong_length"),
        ({"review": "a" * 121}, "wrong_length"),
        ({"review": 3}, "wrong_type"),
        ({"shop": "z"}, "unknown_category"),
        ({"price": "9.5"}, "wrong_type"),
        ({"colour": "red"}, "unknown_key"),
    ],
)
def test_what_does_not_fit_is_refused_as_in_tables(
    client: TestClient, change: Json, kind: str
) -> None:
    response = client.post("/predict/demo", json={**ROW, **change})
    assert response.status_code == 422
    assert [it["type"] for it in response.json()["detail"]] == [kind]


def test_half_a_surrogate_pair_is_refused(client: TestClient) -> None:
    body = json.dumps({**ROW, "review": "half \ud83d of one"})
    headers = {"content-type": "application/json"}
    response = client.post("/predict", content=body, headers=headers)
    assert response.json()["detail"][0]["type"] == "malformed_text"


def test_nothing_explains_it_and_it_says_so(client: TestClient) -> None:
    response = client.post("/explain/demo", json=ROW)
    assert response.status_code == 404
    assert response.json()["detail"] == "demo's model (tiny) has no exact additive explanation"


def test_its_card_says_what_is_shipped(client: TestClient) -> None:
    card = client.get("/model/info/demo").json()
    assert card["precision"]["shipped"] == "int8"
    assert card["tokenizer"]["file"].startswith("tokenizer-")
    assert card["vectorisers"] == []
    assert client.get("/ready").json()["ready"] is True


# Nobody waits for it who need not


@pytest.fixture
def held(monkeypatch: Any) -> Iterator[tuple[threading.Event, threading.Event]]:
    """A transformer that takes its time: events for having begun, and for going on."""
    begun, go_on = threading.Event(), threading.Event()
    real = Transformer.run_counting

    def run(self: Transformer, text: str) -> Any:
        if "slowly" in text:
            begun.set()
            assert go_on.wait(30)
        return real(self, text)

    monkeypatch.setattr(Transformer, "run_counting", run)
    yield begun, go_on
    go_on.set()


SLOW = {**ROW, "review": "read it slowly"}
ROUTES = {"/predict/demo": SLOW, "/v2/models/demo/infer": as_tensors([SLOW])}


@pytest.mark.parametrize("path", ROUTES)
def test_the_server_answers_others_meanwhile(models: Path, held: Any, path: str) -> None:
    begun, go_on = held
    with serving(models, threads="2") as client, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.post, path, json=ROUTES[path])
        assert begun.wait(30)
        assert client.get("/health").status_code == 200
        assert client.post("/predict/demo", json=ROW).status_code == 200
        assert not waiting.done()
        go_on.set()
        assert waiting.result().status_code == 200


@pytest.mark.parametrize("path", ROUTES)
def test_too_many_at_a_time_are_told_to_come_back(models: Path, held: Any, path: str) -> None:
    begun, go_on = held
    settings = {"threads": "1", "max_waiting": "1"}
    with serving(models, **settings) as client, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.post, "/predict/demo", json=SLOW)
        assert begun.wait(30)
        refused = client.post(path, json=ROUTES[path])
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert "try again later" in refused.text
        go_on.set()
        assert waiting.result().status_code == 200
        assert client.post("/predict/demo", json=ROW).status_code == 200


# What is not to be believed


def rewrite(folder: Path, **changes: Any) -> None:
    """Change the manifest, and its version with it, as somebody might who knows how."""
    path = folder / "manifest.json"
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps(content))
    try:
        read_manifest(folder)
    except ManifestError as error:
        found = str(error).partition("describes is ")[2][:12]
        path.write_text(json.dumps({**content, "version": found or content["version"]}))


def replace_tokenizer(folder: Path, content: bytes) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    digest = hashlib.sha256(content).hexdigest()
    (folder / "other.json").write_bytes(content)
    rewrite(folder, tokenizer={**manifest["tokenizer"], "file": "other.json", "sha256": digest})


def test_a_tokenizer_that_was_changed_is_refused(copy: Path) -> None:
    (path,) = copy.glob("tokenizer-*.json")
    path.write_text(path.read_text().replace("##", "#"))
    with pytest.raises(ManifestError, match=r"tokenizer-\w+\.json was changed after its export"):
        load_model(copy)


def test_what_is_no_tokenizer_is_refused(copy: Path) -> None:
    replace_tokenizer(copy, b'{"model": "none"}')
    with pytest.raises(ManifestError, match=r"other\.json cannot be used: it is no tokenizer"):
        load_model(copy)


def test_another_tokenizer_does_not_give_the_golden_answers(copy: Path) -> None:
    (path,) = copy.glob("tokenizer-*.json")
    content = json.loads(path.read_text())
    words = content["model"]["vocab"]
    first, *others = words.values()
    content["model"]["vocab"] = dict(zip(words, [first, *others[4:], *others[:4]], strict=True))
    replace_tokenizer(copy, json.dumps(content).encode())
    with pytest.raises(ManifestError, match=r"golden|fails in onnxruntime"):
        load_model(copy)


def test_a_graph_for_tables_is_refused(copy: Path) -> None:
    rewrite(copy, onnx={"input": "X", "output": "probabilities"})
    with pytest.raises(ManifestError, match=r"takes .*input_ids.*; the manifest says .*'X'"):
        load_model(copy)


def test_a_tokenizer_beside_vectorisers_is_refused(copy: Path) -> None:
    one = {"column": "review", "file": "v.json", "sha256": "0" * 64, "features": 3}
    rewrite(copy, vectorisers=[one])
    with pytest.raises(ManifestError, match="a tokenizer is for text columns without vectorisers"):
        load_model(copy)


def test_texts_need_a_tokenizer_or_vectorisers(copy: Path) -> None:
    rewrite(copy, tokenizer=None)
    with pytest.raises(ManifestError, match="each has a vectoriser"):
        load_model(copy)


def test_the_version_follows_the_tokenizer(models: Path) -> None:
    manifest = read_manifest(models / "demo")
    assert manifest.tokenizer is not None
    other = manifest.tokenizer.model_copy(update={"separator": " "})
    assert compute_version(manifest.model_copy(update={"tokenizer": other})) != manifest.version


def test_a_registered_one_carries_every_file_that_was_exported(models: Path) -> None:
    manifest = read_manifest(models / "demo")
    assert set(file_names(manifest)) == {path.name for path in (models / "demo").iterdir()}


# Without torch

LOADED = (
    "import sys; import serve.http.app; from serve.http.catalog import load_catalog\n"
    "models = load_catalog(serve.http.app.Settings(models_dir={models!r})).loaded\n"
    "print(models['demo'].predict_one({row!r})['label'])\n"
    "print(*{{name.split('.')[0] for name in sys.modules}})"
)


def test_serving_it_imports_no_training_library(models: Path) -> None:
    script = LOADED.format(models=str(models), row=ROW)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    answered, loaded = run.stdout.splitlines()
    assert answered in ("positive", "negative")
    assert {"onnxruntime", "tokenizers"} <= set(loaded.split())
    assert not HEAVY & set(loaded.split())


def test_a_server_of_tables_does_without_the_tokenizers_library() -> None:
    script = "import sys; import serve.http.app; print('tokenizers' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False"]


def test_it_is_served_with_the_services_own_dependencies_alone(
    models: Path, tmp_path: Path
) -> None:
    names = find_distributions(read_group("serve"))
    link_distributions(names, tmp_path)
    found = f"import sys; sys.path += [{str(tmp_path)!r}, {str(ROOT)!r}]\n"
    script = found + LOADED.format(models=str(models), row=ROW)
    command = [sys.executable, "-I", "-S", "-c", script]  # without site-packages
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert not names & {"torch", "transformers", "pandas", "scikit-learn"}
