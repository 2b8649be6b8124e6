"""Who may ask, how often, and what every answer's headers say."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from serve.http.auth import MAX_BUCKETS, Authenticator, Bucket
from serve.http.keys import main, new_key
from serve.http.settings import Settings, SettingsError, read_settings
from serve.runtime.errors import RequestError
from tests.support.serve_models import HEART_ROW, write_heart
from tests.support.serving import serving

USER, USER_LINE = new_key(["predict"])
ADMIN, ADMIN_LINE = new_key(["admin"])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_heart(folder)
    return folder


@pytest.fixture(scope="module")
def guarded(models: Path) -> Iterator[TestClient]:
    with serving(models, api_keys=f"{USER_LINE},{ADMIN_LINE}") as client:
        yield client


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


# Keys


def test_a_line_holds_the_hash_and_never_the_key() -> None:
    key, line = new_key(["predict", "admin"])
    assert line == f"sha256:{hashlib.sha256(key.encode()).hexdigest()}:predict+admin"
    assert len(key) >= 43  # 256 bits in base64


def test_two_keys_differ() -> None:
    assert new_key(["predict"])[0] != new_key(["predict"])[0]


def test_the_command_prints_a_key_and_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    main(["new", "--scope", "admin"])
    _, key, _, line = capsys.readouterr().out.splitlines()
    assert line.strip() == f"sha256:{hashlib.sha256(key.strip().encode()).hexdigest()}:admin"


@pytest.mark.parametrize(
    "line",
    ["hunter2", "sha256:12:predict", USER_LINE + "+root", USER_LINE.rpartition(":")[0]],
    ids=["a password", "short", "unknown scope", "no scope"],
)
def test_a_line_that_is_none_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setenv("SERVE_API_KEYS", f"{USER_LINE},{line}")
    with pytest.raises(SettingsError, match="SERVE_API_KEYS cannot be used") as refusal:
        read_settings()
    assert line not in str(refusal.value)


@pytest.mark.parametrize(
    "headers",
    [{}, bearer("wrong"), bearer(""), bearer(USER_LINE), {"Authorization": f"Basic {USER}"}],
    ids=["none", "wrong", "empty", "its hash", "basic"],
)
@pytest.mark.parametrize("path", ["/predict", "/predict/heart", "/predict/none", "/admin/reload"])
def test_without_a_key_that_it_knows_the_server_refuses(
    guarded: TestClient, headers: dict[str, str], path: str
) -> None:
    response = guarded.post(path, json=HEART_ROW, headers=headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert "Authorization: Bearer" in response.json()["detail"]


@pytest.mark.parametrize("headers", [bearer(USER), {"X-API-Key": USER}], ids=["bearer", "own"])
def test_a_key_lets_in(guarded: TestClient, headers: dict[str, str]) -> None:
    assert guarded.post("/predict", json=HEART_ROW, headers=headers).status_code == 200
    assert guarded.get("/model/info", headers=headers).status_code == 200


def test_a_scope_is_not_another(guarded: TestClient) -> None:
    for path, key, scope in [("/admin/reload", USER, "admin"), ("/predict", ADMIN, "predict")]:
        response = guarded.post(path, json=HEART_ROW, headers=bearer(key))
        assert (response.status_code, scope in response.json()["detail"]) == (403, True)
    assert guarded.post("/admin/reload", headers=bearer(ADMIN)).status_code == 200


@pytest.mark.parametrize("path", ["/model/info", "/model/info/heart", "/models", "/metrics"])
def test_what_models_are_and_do_needs_a_key(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).status_code == 401
    assert guarded.get(path, headers=bearer(USER)).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/ready", "/v2/health/ready", "/", "/docs"])
def test_probes_and_pages_need_none(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).status_code == 200


def test_what_the_models_are_is_for_those_with_a_key(models: Path, guarded: TestClient) -> None:
    assert guarded.get("/openapi.json").status_code == 401
    assert guarded.get("/ready").json() == {"ready": True, "problem": None, "tasks": {}}
    for key in (USER, ADMIN):
        assert "/predict/heart" in guarded.get("/openapi.json", headers=bearer(key)).text
        assert "heart" in guarded.get("/ready", headers=bearer(key)).json()["tasks"]
    with serving(models, api_keys=USER_LINE, public_details="true") as opened:
        assert "/predict/heart" in opened.get("/openapi.json").text
        assert "heart" in opened.get("/ready").json()["tasks"]


def test_that_no_key_is_set_is_said(models: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(models):
        assert "no API key is set" in capfd.readouterr().err
    with serving(models, api_keys=USER_LINE):
        assert "no API key is set" not in capfd.readouterr().err


# Rates


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(burst=3, now=0.0)
    assert [bucket.take(2.0, 3, now) for now in (0.0, 0.0, 0.0)] == [0, 0, 0]
    assert bucket.take(2.0, 3, 0.0) == 0.5  # at two a second, the next comes in half a second
    assert bucket.take(2.0, 3, 0.5) == 0
    assert [bucket.take(2.0, 3, 100.0) for _ in range(4)] == [0, 0, 0, 0.5]  # never above its burst


def test_too_many_requests_are_told_when_to_come_again(models: Path) -> None:
    with serving(models, rate_limit="0.5", rate_burst="2") as client:
        statuses = [client.post("/predict", json=HEART_ROW).status_code for _ in range(3)]
        refused = client.get("/model/info")
        assert client.get("/health").status_code == 200  # a probe is never refused
    assert statuses == [200, 200, 429]
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")


def test_each_key_has_a_rate_of_its_own(models: Path) -> None:
    other, other_line = new_key(["predict"])
    keys = f"{USER_LINE},{other_line}"
    with serving(models, api_keys=keys, rate_limit="0.1", rate_burst="1") as client:
        for key in (USER, other):
            statuses = [client.get("/models", headers=bearer(key)).status_code for _ in range(2)]
            assert statuses == [200, 429]


def test_keys_cannot_be_tried_without_end(models: Path) -> None:
    with serving(models, api_keys=USER_LINE, rate_limit="0.1", rate_burst="3") as client:
        tried = [client.post("/predict", headers=bearer(str(n))).status_code for n in range(5)]
        document = client.get("/openapi.json").status_code
        known = client.post("/predict", json=HEART_ROW, headers=bearer(USER)).status_code
        refused = [client.post("/admin/reload", headers=bearer(USER)).status_code for _ in range(3)]
    assert tried == [401, 401, 401, 429, 429]
    assert document == 429
    assert known == 200  # who has a key does not wait for those who try
    assert refused == [403, 403, 429]


def test_the_memory_of_clients_is_bounded() -> None:
    gate = Authenticator(Settings(rate_limit=1.0, rate_burst=1))
    for number in range(MAX_BUCKETS + 10):
        gate.admit({"client": (f"address {number}", 1)}, {}, "predict")
    assert len(gate._buckets) == MAX_BUCKETS
    with pytest.raises(RequestError):  # the last ones are remembered
        gate.admit({"client": (f"address {MAX_BUCKETS + 9}", 1)}, {}, "predict")


# Headers


@pytest.mark.parametrize("path", ["/predict", "/health", "/nowhere", "/metrics"])
def test_every_answer_has_an_id_and_security_headers(guarded: TestClient, path: str) -> None:
    response = guarded.post(path, json=HEART_ROW, headers=bearer(USER))
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Request-ID"]


def test_a_page_may_not_be_framed(guarded: TestClient) -> None:
    assert guarded.get("/docs").headers["X-Frame-Options"] == "DENY"


def test_a_requests_own_id_comes_back(guarded: TestClient) -> None:
    headers = {**bearer(USER), "X-Request-ID": "from-the-client:1"}
    response = guarded.post("/predict", json=HEART_ROW, headers=headers)
    assert response.headers["X-Request-ID"] == "from-the-client:1"
    assert response.json()["request_id"] == "from-the-client:1"
    assert guarded.get("/health", headers=headers).headers["X-Request-ID"] == "from-the-client:1"


@pytest.mark.parametrize("sent", ["x" * 129, 'a"b', "a b", "\xff", "", "a\\u0022"])
def test_an_id_that_is_long_or_not_plain_is_replaced(guarded: TestClient, sent: str) -> None:
    headers = {**bearer(USER), "X-Request-ID": sent.encode("latin-1")}
    response = guarded.post("/predict", json=HEART_ROW, headers=headers)  # type: ignore[arg-type]
    made = response.headers["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{16}-\d+", made)
    assert response.json()["request_id"] == made


def test_two_requests_have_two_ids(guarded: TestClient) -> None:
    assert len({guarded.get("/health").headers["X-Request-ID"] for _ in range(5)}) == 5


def test_pages_of_other_hosts_may_not_ask(guarded: TestClient) -> None:
    response = guarded.get("/health", headers={"Origin": "https://other.example"})
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("path", ["/", "/health", "/ready", "/models", "/docs", "/openapi.json"])
def test_every_page_has_its_head(guarded: TestClient, path: str) -> None:
    got, head = (ask(path, headers=bearer(USER)) for ask in (guarded.get, guarded.head))
    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Length", "Content-Type"):
        assert head.headers[name] == got.headers[name]
    assert guarded.head("/predict", headers=bearer(USER)).status_code == 405


ASKED = {"allowed": "https://page.example", "other": "https://x.example", "none": None}


@pytest.mark.parametrize("origins", ["https://page.example,https://b.example", "*"])
@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("row", [HEART_ROW, {}], ids=["answered", "refused"])
def test_both_ways_to_an_answer_have_the_same_headers_for_pages(
    models: Path, origins: str, asked: str, row: object
) -> None:
    origin = ASKED[asked]
    headers = {"Origin": origin} if origin else {}
    with serving(models, cors_origins=origins) as client:
        fast = client.post("/predict/heart", json=row, headers=headers)
        client.app.request_middleware.direct = lambda *_: None  # type: ignore[attr-defined]
        slow = client.post("/predict/heart", json=row, headers=headers)
    assert (fast.status_code, fast.content[:50]) == (slow.status_code, slow.content[:50])

    def for_pages(response: httpx.Response) -> set[tuple[str, str]]:
        found = response.headers.multi_items()
        return {item for item in found if item[0].startswith(("access-control", "vary"))}

    assert for_pages(fast) == for_pages(slow)
    assert ("vary", "Origin") in for_pages(fast)


def test_pages_of_named_origins_are_answered_on_the_fast_way(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(models, cors_origins="https://page.example") as client:
        middleware = client.app.request_middleware  # type: ignore[attr-defined]
        monkeypatch.setattr(middleware, "inner", None)  # the long way would fail
        headers = {"Origin": "https://page.example"}
        assert client.post("/predict/heart", json=HEART_ROW, headers=headers).status_code == 200


def test_pages_of_a_named_origin_may_ask(models: Path) -> None:
    with serving(models, cors_origins="https://page.example") as client:
        asks = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
        allowed = client.options("/predict", headers=asks)
        answered = client.post("/predict", json=HEART_ROW, headers={"Origin": asks["Origin"]})
        other = client.post("/predict", json=HEART_ROW, headers={"Origin": "https://x.example"})
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://page.example"
    assert answered.headers["Access-Control-Allow-Origin"] == "https://page.example"
    assert (answered.status_code, answered.json()["task"]) == (200, "heart")
    assert "Access-Control-Allow-Origin" not in other.headers
