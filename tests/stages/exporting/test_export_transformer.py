"""A transformer leaves as one graph and one tokenizer that answer what was trained."""

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.numpy_helper import to_array
from ruamel.yaml import YAML
from tokenizers import Tokenizer

from serve.runtime.load import load_model
from serve.runtime.manifest import Manifest
from stages import export
from stages.evaluating.metrics import DecisionRule, find_metric
from stages.exporting import artifact, transformer
from stages.exporting.hard_texts import HARD, list_text_alterations, make_hard_texts
from stages.exporting.quantising import Answers, Judge, quantise_model
from stages.exporting.transformer import ExportedTransformer, to_onnx
from stages.runner import declare
from stages.shared.errors import PipelineError
from stages.shared.features import encode
from tests.support.text_fixtures import SCHEMA
from tests.support.transformer_fixtures import (
    TEMPERATURE,
    build_transformer_fixture,
    make_transformer,
    table,
)

OUTPUT = Path("models/demo")
MODEL = make_transformer()
CONTENT = to_onnx(MODEL)
EXPORTED = ExportedTransformer(CONTENT, MODEL)


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory: Any) -> Path:
    root: Path = tmp_path_factory.mktemp("transformer")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        build_transformer_fixture(root)
    return root


@pytest.fixture
def stand(evaluated: Path, tmp_path: Path, monkeypatch: Any) -> Callable[..., None]:
    """Return a function that makes a copy of the task the working directory."""

    def enter(**changes: Any) -> None:
        root = tmp_path / "world"
        shutil.copytree(evaluated, root, symlinks=True)
        monkeypatch.chdir(root)
        content = YAML(typ="safe").load(Path("params.yaml"))
        content["export"] |= changes
        with Path("params.yaml").open("w", encoding="utf-8") as file:
            YAML().dump(content, file)
        declare.read_params.cache_clear()

    return enter


def read() -> Manifest:
    return Manifest.model_validate_json((OUTPUT / "manifest.json").read_bytes())


def matrix(texts: list[str]) -> Any:
    """Return an encoded matrix whose reviews are these texts, without titles."""
    X = np.empty((len(texts), 4), dtype=object)
    X[:, 0], X[:, 1], X[:, 2], X[:, 3] = 1.0, texts, 0.0, ""
    return X


# The graph against the network


def test_it_answers_every_row_as_the_network_does() -> None:
    X = encode(table(60, 5), SCHEMA)
    assert np.abs(EXPORTED.predict(X) - MODEL.predict_proba(X)).max() < 1e-5


def test_it_answers_hard_texts_as_the_network_does() -> None:
    X = matrix([*make_hard_texts()])
    assert np.abs(EXPORTED.predict(X) - MODEL.predict_proba(X)).max() < 1e-5


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=4))
def test_it_answers_any_text_as_the_network_does(texts: list[str]) -> None:
    X = matrix(texts)
    assert np.abs(EXPORTED.predict(X) - MODEL.predict_proba(X)).max() < 1e-5


def test_the_mean_of_pieces_is_exported_as_the_network_has_it() -> None:
    """Here logits are averaged in float32, there the graph's probabilities."""
    windowed = replace(MODEL, windows=3)
    exported = ExportedTransformer(CONTENT, windowed)
    X = matrix(["good " * 30, "good " * 25 + "bad " * 30, "bad " * 300, "it", ""])
    found = exported.predict(X)
    assert np.abs(found - windowed.predict_proba(X)).max() < 1e-5
    assert np.abs(found - EXPORTED.predict(X)).max(axis=1)[1] > 1e-3  # the rest counts
    assert found[3:].tolist() == EXPORTED.predict(X)[3:].tolist()


def test_the_architectures_own_head_is_exported_as_well() -> None:
    own = make_transformer("own")
    X = encode(table(20, 6), SCHEMA)
    found = ExportedTransformer(to_onnx(own), own).predict(X)
    assert np.abs(found - own.predict_proba(X)).max() < 1e-5
    assert np.ptp(found[:, 0]) > 1e-3  # it tells texts apart


def test_the_temperature_is_in_the_graph() -> None:
    """Log odds times the temperature are the difference of the network's logits."""
    texts = ["the food was GREAT!", "it was bad"]
    logits = MODEL.logits(MODEL.texts(matrix(texts)))
    found = EXPORTED.predict(matrix(texts))
    odds = np.log(found[:, 1] / found[:, 0])
    assert odds * TEMPERATURE == pytest.approx(logits[:, 1] - logits[:, 0], rel=1e-3)


def test_a_row_has_the_same_answer_in_any_company() -> None:
    X = encode(table(30, 7), SCHEMA)
    together = EXPORTED.predict(X)
    assert all(np.array_equal(EXPORTED.predict(X[[i]])[0], together[i]) for i in range(len(X)))


def test_hard_texts_are_what_they_promise() -> None:
    texts = [*make_hard_texts()]
    assert texts == [*make_hard_texts()]
    assert "" in texts
    for text in texts:
        text.encode()  # none holds half a surrogate pair
    points = {ord(character) for text in texts for character in text}
    assert {0x1F621, 0x6F22, 0x5E9} < points  # an emoji, a Chinese character, a Hebrew one
    assert max(map(len, texts)) > 2000


def test_every_row_is_compared_with_each_text_missing_and_each_hard_text() -> None:
    X = encode(table(10, 8), SCHEMA)
    cases = [*list_text_alterations(X, SCHEMA)]
    texts = [*make_hard_texts()]
    assert sum(len(case.rows) for case in cases) == 10 + 2 * (10 + len(texts))
    assert {case.value for case in cases if case.column == 3} == set(texts)
    assert {case.column for case in cases} == {None, 1, 3}


# Its bytes

AGAIN = """
import hashlib, pickle, sys
from stages.exporting.quantising import quantise_model
from stages.exporting.transformer import to_onnx
content = to_onnx(pickle.load(sys.stdin.buffer))
print(*(hashlib.sha256(part).hexdigest() for part in (content, quantise_model(content))))
"""


def test_another_process_writes_the_same_bytes() -> None:
    expected = [
        hashlib.sha256(content).hexdigest() for content in (CONTENT, quantise_model(CONTENT))
    ]
    done = subprocess.run(
        [sys.executable, "-c", AGAIN],
        input=pickle.dumps(MODEL),
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        check=True,
    )
    assert done.stdout.decode().split() == expected


def test_no_path_of_this_machine_is_in_it() -> None:
    for content in (CONTENT, quantise_model(CONTENT)):
        assert str(Path(export.__file__).parents[1]).encode() not in content
        assert b"/tmp" not in content
        assert b".py" not in content


def test_quantised_weights_have_seven_bits_and_the_model_is_smaller() -> None:
    small = quantise_model(CONTENT)
    weights = [to_array(tensor) for tensor in onnx.load_from_string(small).graph.initializer]
    whole = [weight for weight in weights if weight.dtype == np.int8 and weight.size > 1]
    assert len(whole) >= 12  # six matrices in each of two layers
    assert all(np.abs(weight.astype(int)).max() <= 64 for weight in whole)
    assert len(small) < len(CONTENT)


# What is shipped


def test_the_folder_holds_what_the_manifest_names_and_serving_takes_it(stand: Any) -> None:
    stand()
    export.main("demo")
    manifest = read()
    assert manifest.tokenizer is not None
    names = {manifest.model.file, manifest.tokenizer.file}
    assert {path.name for path in OUTPUT.iterdir()} == {*names, "manifest.json", "README.md"}
    for part in (manifest.model, manifest.tokenizer):
        content = (OUTPUT / part.file).read_bytes()
        assert hashlib.sha256(content).hexdigest() == part.sha256
        assert part.sha256[:12] in part.file
    assert (OUTPUT / manifest.tokenizer.file).read_text() == MODEL.tokenizer
    assert manifest.model.trained_on_rows == 160  # validation's only stop and calibrate
    load_model(OUTPUT)


def test_int8_is_shipped_where_it_loses_little_and_card_and_manifest_say_so(stand: Any) -> None:
    stand(max_int8_loss=1.0)
    export.main("demo")
    manifest, card = read(), (OUTPUT / "README.md").read_text()
    precision = manifest.precision
    assert precision is not None
    assert (precision.shipped, precision.metric, precision.most_loss) == ("int8", "roc_auc", 1.0)
    size = (OUTPUT / manifest.model.file).stat().st_size
    assert size == precision.int8.bytes < precision.fp32.bytes == len(CONTENT)
    assert precision.loss == precision.fp32.value - precision.int8.value  # type: ignore[operator]
    assert precision.rows == 80
    assert "**int8** is shipped" in card
    assert "a loss of" in card
    assert manifest.parity.largest_difference <= 1e-5  # fp32's: int8's is in `precision`
    assert precision.largest_difference > 1e-5


def damaged(_: bytes) -> bytes:
    """Return a network whose head answers the opposite."""
    model = onnx.load_from_string(CONTENT)
    nodes = model.graph.node
    last = nodes[-1]
    assert last.op_type == "Softmax"
    nodes.insert(len(nodes) - 1, onnx.helper.make_node("Neg", [last.input[0]], ["negated"]))
    nodes[-1].input[0] = "negated"
    content: bytes = model.SerializeToString()
    return content


def test_int8_is_refused_where_it_loses_more_than_is_allowed(stand: Any, monkeypatch: Any) -> None:
    stand(max_int8_loss=0.02)
    monkeypatch.setattr(artifact, "quantise_model", damaged)
    export.main("demo")
    manifest = read()
    precision = manifest.precision
    assert precision is not None
    assert precision.shipped == "fp32"
    assert precision.loss is not None
    assert precision.loss > 0.5
    assert precision.same_label < 0.2
    assert (OUTPUT / manifest.model.file).read_bytes() == CONTENT
    assert "**fp32** is shipped" in (OUTPUT / "README.md").read_text()


def test_without_a_bound_it_stays_in_fp32(stand: Any) -> None:
    stand(max_int8_loss=None)
    export.main("demo")
    manifest = read()
    assert manifest.precision is None
    assert (OUTPUT / manifest.model.file).read_bytes() == CONTENT
    assert "int8" not in (OUTPUT / "README.md").read_text()


def test_golden_answers_are_those_of_the_file_that_is_shipped(stand: Any) -> None:
    stand(max_int8_loss=1.0)
    export.main("demo")
    model = load_model(OUTPUT)
    for golden in model.manifest.golden:
        vector = model.encoder.encode_unchecked(golden.input)
        assert tuple(model.engine.run(vector)) == golden.output


@pytest.mark.parametrize(
    ("metric", "int8", "shipped"),
    [
        ("accuracy", [0.9, 0.8, 0.3, 0.2], "int8"),  # the same labels
        ("accuracy", [0.4, 0.8, 0.3, 0.2], "fp32"),  # one in four wrong
        ("log_loss", [0.9, 0.8, 0.2, 0.1], "int8"),  # a little too sure
        ("log_loss", [0.5, 0.5, 0.5, 0.5], "fp32"),
    ],
)
def test_the_metric_decides(metric: str, int8: list[float], shipped: str) -> None:
    found = judge(metric).judge(answered([0.8, 0.8, 0.2, 0.2]), answered(int8))
    assert found.shipped == shipped


def test_a_loss_is_what_fp32s_own_probabilities_lead_to_expect() -> None:
    fp32, int8 = answered([0.8, 0.6]), answered([0.7, 0.4])
    found = judge("accuracy").judge(fp32, int8)
    assert found.rows == 2
    assert found.fp32.value == pytest.approx((0.8 + 0.6) / 2)
    assert found.int8.value == pytest.approx((0.8 + 0.4) / 2)  # the second is decided otherwise
    assert found.loss == pytest.approx(0.1)
    found = judge("log_loss").judge(fp32, int8)
    likely, said = np.array([0.8, 0.2, 0.6, 0.4]), np.array([0.7, 0.3, 0.4, 0.6])
    assert found.int8.value == pytest.approx(-(likely * np.log(said)).sum() / 2)
    assert found.loss == pytest.approx((likely * np.log(likely / said)).sum() / 2)  # a divergence


def test_a_metric_without_a_value_ships_fp32() -> None:
    """The area under the curve needs both classes, and here one of them is impossible."""
    same = answered([1.0, 1.0, 1.0, 1.0])
    found = judge("roc_auc").judge(same, same)
    assert (found.shipped, found.loss) == ("fp32", None)


def judge(metric: str) -> Judge:
    return Judge(find_metric(metric, "classification", "test"), DecisionRule(), 0.1)


def answered(probabilities: list[float]) -> Answers:
    table = np.column_stack([1 - np.array(probabilities), probabilities])
    return Answers(1, table, table)


# What is refused


def test_another_graph_than_the_networks_is_refused_and_nothing_is_lost(
    stand: Any, monkeypatch: Any
) -> None:
    stand()
    export.main("demo")
    before = {path.name: path.read_bytes() for path in OUTPUT.iterdir()}
    other = to_onnx(replace(MODEL, temperature=1.0))
    monkeypatch.setattr(transformer, "to_onnx", lambda _: other)
    with pytest.raises(PipelineError, match=r"is not the trained one: for row \d+ of the table"):
        export.main("demo")
    assert {path.name: path.read_bytes() for path in OUTPUT.iterdir()} == before


def test_a_tokenizer_without_a_token_for_nothing_is_refused() -> None:
    bare = Tokenizer.from_str(MODEL.tokenizer)
    content = json.loads(bare.to_str()) | {"post_processor": None}
    with pytest.raises(PipelineError, match="gives an empty text no token"):
        ExportedTransformer(CONTENT, replace(MODEL, tokenizer=json.dumps(content)))


def test_a_text_that_differs_is_named(stand: Any, monkeypatch: Any) -> None:
    """A tokenizer that reads capitals in another way shows on a hard text at the latest."""
    stand()
    wrong = json.loads(MODEL.tokenizer) | {"normalizer": None}
    real = ExportedTransformer.__init__

    def other(self: Any, content: bytes, model: Any) -> None:
        real(self, content, replace(model, tokenizer=json.dumps(wrong)))

    monkeypatch.setattr(ExportedTransformer, "__init__", other)
    with pytest.raises(PipelineError, match="is not the trained one"):
        export.main("demo")
    assert not OUTPUT.exists()
    assert any(text != text.lower() for text in HARD)
