"""Weights come from a package, a folder or the Hub, and what is of no use is named."""

import contextlib
import http.server
import json
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from ruamel.yaml import YAML
from tokenizers import Tokenizer

from stages.fine_tuning.pretrained import Pretrained, load_pretrained
from stages.fine_tuning.trainable import build_trainable
from stages.shared.encoder import Encoder
from stages.shared.errors import PipelineError
from stages.shared.storage import read_json, sha256, write_json
from tests.support.fine_tuning_fixtures import (
    ROOT,
    build_fixture,
    configure,
    encoder,
    outputs,
    start,
)
from tests.support.text_fixtures import FILLER
from tests.support.tiny_encoder import make_encoder

WHERE = "conf/task/demo.yaml: encoders.tiny"
COMMIT = "5c38ec7c405ec4b44b94cc5a9bb96e735b38267a"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny encoder that the working directory holds as ``encoder``."""
    monkeypatch.chdir(tmp_path)
    return make_encoder(Path("encoder"), FILLER)


def loaded(**changes: Any) -> Pretrained:
    return load_pretrained(encoder(**changes), WHERE)


def test_the_shipped_default_works_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package all-MiniLM-L6-v2 is in: 6 layers, 384 wide, a vocabulary of 30,522."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with (ROOT / "params.yaml").open(encoding="utf-8") as file:
        shipped = Encoder.parse(YAML(typ="safe").load(file)["encoder"]["minilm"], "params.yaml")
    found = load_pretrained(shipped, WHERE)
    config = json.loads(found.config)
    assert (config["num_hidden_layers"], config["hidden_size"]) == (6, 384)
    ids = Tokenizer.from_str(found.tokenizer).encode("a wonderful film").ids
    assert ids == [101, 1037, 6919, 2143, 102]  # as bert-base-uncased has them
    assert found.weights()["embeddings.word_embeddings.weight"].shape == (30522, 384)


@pytest.mark.usefixtures("folder")
def test_long_texts_are_cut_and_short_ones_not_padded() -> None:
    cut = Tokenizer.from_str(loaded(max_length=16).tokenizer)
    assert len(cut.encode("the film " * 50).ids) == 16
    assert len(cut.encode("the film").ids) == 4


def test_what_lies_below_the_head_is_pretrained(folder: Path) -> None:
    found = loaded()
    stored = safetensors.torch.load_file(folder / "model.safetensors")
    module = build_trainable(encoder(), found, labels=3, attention="eager")
    for name, value in module.state_dict().items():
        if not name.startswith("head."):
            assert torch.equal(value, stored[name.removeprefix("encoder.")]), name
    assert module.head.weight.shape == (3, 32)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("path:nowhere", r"weights = 'path:nowhere', but nowhere has no config\.json"),
        ("package:gt_no_such_package/model", r"\(not installed\)/model has no config\.json"),
    ],
)
def test_weights_that_are_not_there_are_named(weights: str, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        loaded(weights=weights)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": "what is this"}, "neither package:…, path:… nor a name"),
        ({"weights": "someone/tiny"}, "need a revision"),
        ({"revision": COMMIT}, "only weights from the Hub have one"),
        ({"method": "frozen", "pooling": "own"}, "frozen needs pooling mean"),
        ({"method": "half"}, "method"),
        ({"epochs": 0}, "epochs"),
        ({"speed": 3}, "speed"),
    ],
)
def test_settings_that_do_not_hang_together_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(PipelineError, match=message):
        encoder(**changes)


@pytest.mark.usefixtures("folder")
def test_more_tokens_than_the_encoder_takes_are_refused() -> None:
    with pytest.raises(PipelineError, match="max_length = 65, but path:encoder takes up to 64"):
        loaded(max_length=65)


def test_weights_that_may_hold_code_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(PipelineError, match=r"encoder has no \*\.safetensors"):
        loaded().weights()


def test_a_damaged_file_is_named(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(PipelineError, match=r"encoder/model\.safetensors is damaged"):
        loaded().weights()


def test_an_architecture_that_nobody_knows_is_named(folder: Path) -> None:
    write_json(folder / "config.json", {**read_json(folder / "config.json"), "model_type": "tea"})
    with pytest.raises(PipelineError, match=rf"{re.escape(WHERE)}: weights = 'path:encoder'.*tea"):
        loaded()


@pytest.mark.parametrize("changes", [{"num_hidden_layers": 3}, {"intermediate_size": 65}])
def test_weights_that_do_not_fit_their_configuration_are_refused(
    folder: Path, changes: dict[str, int]
) -> None:
    """Transformers would draw those that are missing and say so in a line of the log."""
    write_json(folder / "config.json", {**read_json(folder / "config.json"), **changes})
    with pytest.raises(PipelineError, match="has no weights of the right size for"):
        build_trainable(encoder(), loaded(), labels=2, attention="eager")


@pytest.mark.usefixtures("folder")
def test_adapters_for_layers_that_do_not_exist_are_refused() -> None:
    lora = {"rank": 2, "alpha": 2, "dropout": 0.0, "target_modules": ["door"]}
    with pytest.raises(PipelineError, match=r"lora\.target_modules = \('door',\)"):
        build_trainable(encoder(method="lora", lora=lora), loaded(), labels=2, attention="eager")


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of the Hugging Face Hub's API as a download by name and commit needs."""

    folder: Path
    asked: list[str]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == f"/api/models/someone/tiny/revision/{COMMIT}":
            files = [{"rfilename": file.name} for file in sorted(self.folder.iterdir())]
            self._answer(json.dumps({"id": "someone/tiny", "sha": COMMIT, "siblings": files}))
        elif self.path.startswith(f"/api/models/someone/tiny/tree/{COMMIT}?"):
            self._answer(json.dumps([_entry(file) for file in sorted(self.folder.iterdir())]))
        elif self.path.startswith(f"/someone/tiny/resolve/{COMMIT}/"):
            self._file(self.folder / self.path.rsplit("/", 1)[1])
        else:
            self._answer('{"error": "Repository not found"}', 404, "X-Error-Code", "RepoNotFound")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _file(self, path: Path) -> None:
        self._answer(path.read_bytes(), 200, "ETag", f'"{sha256(path)}"')

    def _answer(self, body: str | bytes, status: int = 200, *header: str) -> None:
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Repo-Commit", COMMIT)
        if header:
            self.send_header(*header)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _entry(path: Path) -> dict[str, Any]:
    size, digest = path.stat().st_size, sha256(path)
    return {"type": "file", "path": path.name, "size": size, "oid": digest[:40]}


@contextlib.contextmanager
def hub(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve ``folder`` as ``someone/tiny``; yield the address, and the paths as they are asked."""
    asked: list[str] = []
    handler = type("Handler", (Hub,), {"folder": folder, "asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_weights_by_name_come_from_the_hub_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, far = tmp_path / "world", tmp_path / "far"
    root.mkdir()
    monkeypatch.chdir(root)
    build_fixture(root)
    (root / "encoder").rename(far)
    (far / "pytorch_model.bin").write_bytes(b"code, perhaps")
    configure(root, weights="someone/tiny", revision=COMMIT, method="frozen")
    with hub(far) as (address, asked):
        settings = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "cache")}
        code, said = ended(root, **settings)
        assert code == 0, said
        first = outputs(root)
        assert any(path.endswith("/model.safetensors") for path in asked)
        assert not any(path.endswith(".bin") for path in asked)
        configure(root, weights="someone/other", revision=COMMIT, method="frozen")
        code, said = ended(root, **settings)
        assert code == 1
        assert "weights = 'someone/other'" in said
        assert "could not be had from the Hugging Face Hub" in said
    shutil.rmtree(root / "data/candidates")
    configure(root, weights="someone/tiny", revision=COMMIT, method="frozen")
    code, said = ended(root, **settings)  # the server is gone
    assert (code, outputs(root)) == (0, first), said


def ended(root: Path, **environment: str) -> tuple[int, str]:
    """Return the exit code of the stage and what it said."""
    process = start(root, **environment)
    said, _ = process.communicate(timeout=300)
    return process.returncode, said
