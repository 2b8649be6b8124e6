"""The quick way in: it never accepts or reads otherwise than the careful way."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from serve.http.routes.predict import answer
from serve.runtime.answers import Outcome
from serve.runtime.encode import Encoder, RowError
from serve.runtime.errors import RequestError
from serve.runtime.fast_decoder import FastDecoder
from serve.runtime.json_rows import parse_rows
from serve.runtime.load import load_model
from serve.runtime.manifest_file import read_manifest
from tests.support.serve_models import column, write_heart, write_housing

Json = dict[str, Any]
MOST = 3
COLUMNS = [
    column("age", "integer", range=[18.0, 100.0], seen=[29.0, 77.0]),
    column("sex", "category", values=[0, 1]),
    column("chol", "number", range=[80.0, 700.0], missing="allowed", seen=[126.0, 564.0]),
    column("smoker", "boolean", missing="allowed"),
    column("zone", "category", values=["a", "b:c", "ü"], missing="allowed"),
    column("free", "number"),
]
ROW: Json = {"age": 63, "sex": 1, "chol": 233.5, "smoker": True, "zone": "ü", "free": 1e300}
VECTOR = [63.0, 1.0, 233.5, 1.0, 2.0, 1e300]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    golden = [{"input": ROW, "output": [0.5, 0.5]}]
    folder = write_heart(tmp_path_factory.mktemp("models"), columns=COLUMNS, golden=golden)
    return Encoder(read_manifest(folder).columns)


@pytest.fixture(scope="module")
def quick(encoder: Encoder) -> FastDecoder:
    made = FastDecoder.of([item.column for item in encoder.inputs])
    assert made
    return made


def carefully(encoder: Encoder, body: bytes) -> list[list[float]] | None:
    """Return the vectors of the careful way, or None if it refuses a row or warns of one."""
    try:
        encoded = [encoder.encode(place, row) for place, row in parse_rows(body, MOST)]
    except (RequestError, RowError):
        return None
    return None if any(warnings for _, warnings in encoded) else [vector for vector, _ in encoded]


def changed(**changes: Any) -> bytes:
    return json.dumps({**ROW, **changes}, ensure_ascii=False).encode()


def test_a_row_is_read_as_numbers_and_codes(quick: FastDecoder) -> None:
    assert quick.decode(changed(), MOST) == [VECTOR]


def test_rows_keep_their_order(quick: FastDecoder) -> None:
    body = b"[" + changed() + b"," + changed(age=30) + b"]"
    assert quick.decode(body, MOST) == [VECTOR, [30.0, *VECTOR[1:]]]


def test_null_and_an_absent_key_are_nan(quick: FastDecoder) -> None:
    absent = {key: value for key, value in ROW.items() if key != "chol"}
    for body in (changed(chol=None), json.dumps(absent).encode()):
        (vector,) = quick.decode(body, MOST) or [[]]
        assert math.isnan(vector[2])


@pytest.mark.parametrize(
    "body",
    [
        changed().replace(b'"age": 63', b'"age": 63, "age": 63'),
        changed().replace(b'"chol": 233.5', b'"age": 63'),  # one too many, and one too few
        changed(age=78),  # to be warned of
        changed(age=101),
        changed(age=63.5),
        changed(age=None),
        changed(age="63"),
        changed(age=True),
        changed(sex=2),
        changed(sex=True),
        changed(smoker=1),
        changed(zone="d"),
        changed(other=1),
        changed(free=math.nan),
        changed(free=math.inf),
        changed().replace(b"1e+300", b"1e999"),
        changed().replace(b"1e+300", b"01"),
        b"\xef\xbb\xbf" + changed(),
        changed() + b"x",
        changed().replace(b"age", b"\xffge"),
        b"",
        b"[]",
        b"[1]",
        b"null",
        b"[" * 100_000,
        b"[" + b",".join([changed()] * (MOST + 1)) + b"]",
    ],
)
def test_what_needs_a_message_takes_the_careful_way(quick: FastDecoder, body: bytes) -> None:
    assert quick.decode(body, MOST) is None


numbers = st.one_of(
    st.integers(-(10**20), 10**20),
    st.integers(0, 130),
    st.floats(),
    st.floats(0, 800),
    st.sampled_from([29, 77, 126.0, 564.0, 28.999999999999996, 564.0000000000001, 2**53 + 1, -0.0]),
)
values = st.one_of(numbers, st.none(), st.booleans(), st.sampled_from(["a", "b:c", "ü", "1", ""]))
rows = st.builds(
    lambda row, changes, dropped: {k: v for k, v in {**row, **changes}.items() if k not in dropped},
    st.just(ROW),
    st.dictionaries(st.sampled_from([*ROW, "zone ", "Age"]), values, max_size=3),
    st.sets(st.sampled_from([*ROW]), max_size=1),
)
spaces = st.sampled_from([None, (",", ":"), (" ,\n", "\t: ")])
bodies = st.builds(
    lambda content, separators, ascii_only: json.dumps(
        content, separators=separators, ensure_ascii=ascii_only
    ).encode(),
    rows | st.lists(rows, max_size=MOST + 1),
    spaces,
    st.booleans(),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a body with a few bytes cut out, doubled or replaced."""
    body = draw(bodies)
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(body)))
        end = start + draw(st.integers(0, 12))
        put = draw(st.sampled_from([b"", body[start:end] * 2, b'"', b":", b"e5", b"-", b"\\u0061"]))
        body = body[:start] + put + body[end:]
    return body


@settings(max_examples=1500, deadline=None)
@example(changed().replace(b"1e+300", b"9007199254740993"))
@example(changed().replace(b"1e+300", b"179769313486231580793728971405301199e275"))
@example(changed().replace(b"age", b"\\u0061ge"))
@given(body=damaged())
def test_what_is_accepted_is_what_the_careful_way_reads(
    quick: FastDecoder, encoder: Encoder, body: bytes
) -> None:
    vectors = quick.decode(body, MOST)
    if vectors is not None:
        expected = carefully(encoder, body)
        assert expected is not None, body
        assert repr([list(map(float, vector)) for vector in vectors]).replace("-0.0", "0.0") == (
            repr(expected).replace("-0.0", "0.0")  # nothing that a model computes tells them apart
        )


@pytest.mark.parametrize(
    "columns",
    [[column("note", "datetime")], [column("mixed", "category", values=[1, "one"])]],
    ids=["datetime", "mixed"],
)
def test_values_that_need_more_than_a_look_have_no_quick_way(
    tmp_path: Path, columns: list[Json]
) -> None:
    name = columns[0]["name"]
    value = "2026-11-21" if name == "note" else 1
    folder = write_heart(
        tmp_path, columns=columns, golden=[{"input": {name: value}, "output": [1]}]
    )
    assert FastDecoder.of(read_manifest(folder).columns) is None


@pytest.mark.parametrize("write", [write_heart, write_housing])
@pytest.mark.parametrize("interval", [True, False])
def test_the_json_is_that_of_the_typed_answer(tmp_path: Path, write: Any, interval: bool) -> None:
    """Both are made of the same outcome: the JSON directly, the typed answer for other routes."""
    folder = write(tmp_path)
    if not interval and write is write_housing:
        target = {"labels": [], "positive": None, "threshold": None, "unit": "100 %"}
        folder = write(tmp_path, target={**target, "interval": None})
    answers = load_model(folder).answers
    warning = {"loc": ["body", "\ud800"], "msg": 'a "%s" \u00fc', "type": "t", "input": None}
    for output in ([0.1 + 0.2, 0.7], [1e-7, 5e-324], [1e22, 3.0], [-0.0, 123456789.123456789]):
        outcome = Outcome(output[: len(answers.labels)], 0, [warning])
        sent = json.loads(answers.to_json([outcome, outcome], "an-id"))
        assert sent["request_id"] == "an-id"
        told = json.loads(json.dumps(answers.answer(outcome)))
        assert repr(sent["predictions"]) == repr([told, told])


def test_numbers_too_large_for_the_model_are_told_after_the_quick_way(tmp_path: Path) -> None:
    """The quick way has no message for them: the careful way is taken, and names the row."""
    columns = [column("income", "number"), column("ocean", "category", values=["a", "b"])]
    golden = [{"input": {"income": 1.0, "ocean": "a"}, "output": [40_000.0]}]
    model = load_model(write_housing(tmp_path, columns=columns, golden=golden))
    with pytest.raises(RequestError) as refusal:
        answer(model, b'[{"income":1,"ocean":"a"},{"income":1e305,"ocean":"a"}]', "id", 9)
    (finding,) = refusal.value.detail
    assert (finding["loc"], finding["type"]) == (["body", 1], "no_answer")
