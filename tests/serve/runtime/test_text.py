"""A text has in the server the features it had in training, bit by bit, and clear limits."""
# ruff: noqa: RUF001 - letters that look like others are what is tested

import json
import shutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from serve.http.openapi.rows import column_schema
from serve.runtime import encode, load, text
from serve.runtime.encode import Encoder, MisfitError
from serve.runtime.load import load_model
from serve.runtime.manifest import MAX_CHARACTERS, Column
from serve.runtime.manifest_file import ManifestError, read_manifest
from serve.runtime.spelling import clean_text
from serve.runtime.text import MAX_MARKS, Vectoriser, find_flaw
from stages.exporting.golden import HARD_TEXT
from stages.exporting.vectorisers import render_vectorisers
from stages.shared.loading import load_pipeline
from stages.shared.storage import read_frame
from stages.shared.text_features import TextFeaturizer
from tests.support.serving import serving
from tests.support.text_fixtures import (
    BAD,
    COLUMNS,
    FEATURES,
    GOOD,
    ONE_TEXT,
    build_text_world,
    reviews,
)

FAMILIES = ("linear", "forest", "lightgbm", "xgboost")
SEEN = [
    *reviews(150)["review"],
    "emoji 👩‍👩‍👧‍👦 🇩🇪🇫🇷 👍🏽 ❤️",
    "combining é ö̲ n͈̰̎ x\u0301\u0316",
    "漢字かな交じり文 한국어 ไทยไม่มีช่องว่าง",
    "مرحبا بالعالم שלום עולם हिन्दी में",
    "ſtraße STRASSE ﬁne ﬀ İI ıi ǅ ΌΔΟΣ",
    "controls \x00\x01\x1f\x7f\x85\u2028\u2029\ufeff end",
]
HARD = {
    "empty": "",
    "blank": " \t\u3000\x85",
    "one character": "漢",
    "emoji of several characters": "👩‍👩‍👧‍👦👩‍👩‍👧‍👦 👍🏽👍🏿 🇩🇪🇩🇪🇫🇷",
    "combining marks": "n͈̰̎n͈̰̎ é é x\u0301\u0316\u0301",
    "CJK": "漢字かな交じり文漢字かな。한국어 한국어",
    "right to left": "שלום שלום \u200fمرحبا\u200e بالعالم!",
    "vowel signs": "हिन्दी में हिन्दी ไทยไม่มี",
    "control characters": "a\x00b \x1fcontrols\x7f \x85end\u2028end\u2029\ufeff",
    "dotless and dotted i": "İSTANBUL Isparta ısı İI",
    "sharp s and ligatures": "STRASSE Straße ẞ ﬁne ﬀ ſtraße",
    "final sigma": "ΌΔΟΣ ΌΔΟΣΑ ΣΣ",
    "one very long word": "good" * 2000,
    "very long": "the food was GREAT! and 😡 " * 400,
    "private and unassigned": "\ue000\U000f0000\U0003ffff\uffff",
}


def featurizer(**changes: Any) -> TextFeaturizer:
    made = FEATURES.model_copy(update=changes)
    return TextFeaturizer(ONE_TEXT, made).fit(np.array(SEEN, dtype=object)[:, None])


def both(fitted: TextFeaturizer, texts: list[str]) -> tuple[Any, Any]:
    """Return the features by scikit-learn, and by the server from the exported file."""
    ((_, width, content),) = render_vectorisers(fitted)
    (expected,) = fitted.text_blocks(np.array(texts, dtype=object)[:, None])
    vectoriser = Vectoriser(content)
    assert vectoriser.width == width
    rows = np.zeros((len(texts), width))
    for row, each in zip(rows, texts, strict=True):
        vectoriser.fill(each, row)
    return expected.toarray(), rows


# The vectoriser against scikit-learn


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"word_ngrams": None, "char_ngrams": (1, 1)},
        {"word_ngrams": (1, 1), "char_ngrams": None},
        {"word_ngrams": (2, 3), "char_ngrams": (3, 6)},
        {"sublinear_tf": False, "min_df": 2},
        {"max_features": 60},
    ],
    ids=str,
)
def test_every_row_and_every_hard_text_has_the_same_bits(changes: dict[str, Any]) -> None:
    fitted = featurizer(**changes)
    expected, found = both(fitted, [*SEEN, *HARD.values()])
    assert expected.any(axis=1).sum() > 150
    np.testing.assert_array_equal(found, expected)


def random_text(rng: np.random.Generator) -> str:
    """Return characters of all planes, among them pieces of the texts that were fitted."""
    planes = [(0x20, 0x7F), (0x00, 0x250), (0x250, 0xD800), (0xE000, 0x110000)]
    parts = []
    for _ in range(rng.integers(0, 60)):
        low, high = planes[rng.integers(len(planes))]
        parts.append(chr(rng.integers(low, high)))
        if rng.random() < 0.3:
            whole = SEEN[rng.integers(len(SEEN))]
            start = rng.integers(len(whole))
            parts.append(whole[start : start + rng.integers(1, 12)])
    return "".join(parts)


def test_a_thousand_random_texts_have_the_same_bits() -> None:
    rng = np.random.default_rng(42)
    texts = [random_text(rng) for _ in range(1000)]
    assert len(set("".join(texts))) > 5000
    expected, found = both(featurizer(), texts)
    assert expected.any(axis=1).sum() > 700
    np.testing.assert_array_equal(found, expected)


FITTED = featurizer()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_any_text_has_the_same_bits(any_text: str) -> None:
    np.testing.assert_array_equal(*both(FITTED, [any_text]))


@pytest.mark.parametrize("form", ["NFC", "NFKC", None])
@given(any_text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_a_text_is_cleaned_as_unicode_says(form: Any, any_text: str) -> None:
    normal = unicodedata.normalize(form, any_text) if form else any_text
    assert clean_text(any_text, form) == normal.strip()


def test_what_is_kept_of_words_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "WORDS_KEPT", 2)
    texts = [*SEEN[:50], *SEEN[:50]]
    expected, found = both(FITTED, texts)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_the_hard_golden_text_is_what_the_server_makes_of_it(form: Any) -> None:
    assert clean_text(HARD_TEXT, form) == HARD_TEXT


# What a column takes


def review(**changes: Any) -> Column:
    plain = dict.fromkeys(("unit", "range", "values", "seen"))
    declared = {
        "description": "",
        "unseen": "reject",
        "length": (3, 8),
        "normalise": "NFC",
        "missing": "forbidden",
    }
    return Column(name="review", type="text", **{**plain, **declared, **changes})


def checked(value: object, **changes: Any) -> object:
    (found,) = Encoder([review(**changes)]).inputs
    try:
        return found.check(value)
    except MisfitError as misfit:
        return {misfit.kind}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("good", "good"),
        ("  good\n", "good"),
        ("cafe\u0301", "café"),
        ("abc", "abc"),
        ("ab", {"wrong_length"}),
        ("a" * 8, "a" * 8),
        ("a" * 9, {"wrong_length"}),
        (" " * 50 + "a" * 8, "a" * 8),
        ("e\u0301" * 8, "é" * 8),  # 16 characters in the request, 8 when normalised
        ("👍" * 8, "👍" * 8),
        ("", {"null"}),
        (" \t\u3000", {"null"}),
        (None, {"null"}),
        (3, {"wrong_type"}),
        (True, {"wrong_type"}),
        (["good"], {"wrong_type"}),
        ("bad \ud83d", {"malformed_text"}),
    ],
)
def test_a_text_is_taken_cleaned_or_refused(value: object, expected: object) -> None:
    assert checked(value) == expected


@pytest.mark.parametrize("blank", ["", "  ", None])
def test_a_blank_text_is_a_missing_one(blank: str | None) -> None:
    assert checked(blank, missing="allowed") == ""


def test_without_a_declared_length_there_is_a_limit_all_the_same() -> None:
    assert checked("a" * MAX_CHARACTERS, length=None) == "a" * MAX_CHARACTERS
    assert checked("a" * (MAX_CHARACTERS + 1), length=None) == {"wrong_length"}


def test_a_text_far_too_long_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Normalising a million combining marks would take a quarter of an hour."""

    def read(*_: Any) -> None:
        raise AssertionError("was read")

    monkeypatch.setattr(encode, "clean_text", read)
    monkeypatch.setattr(text, "find_flaw", read)
    assert checked("a" + "\u0301\u0316" * 500_000) == {"wrong_length"}


@pytest.mark.parametrize(("marks", "taken"), [(MAX_MARKS, True), (MAX_MARKS + 1, False)])
def test_marks_without_end_are_refused(marks: int, taken: bool) -> None:
    assert (find_flaw("x" * 200 + "\u0301" * marks + "y") is None) == taken


@pytest.mark.parametrize(
    ("missing", "nullable"), [("forbidden", False), ("allowed", True)], ids=["never", "allowed"]
)
def test_the_document_says_how_long_a_text_may_be(missing: Any, nullable: bool) -> None:
    schema = column_schema(review(missing=missing))
    plain = schema["anyOf"][0] if nullable else schema
    assert (plain["type"], plain["minLength"], plain["maxLength"]) == ("string", 3, 8)
    assert "a text of 3 to 8 characters" in schema["description"]


# Export and service, for every family


@pytest.fixture(scope="module", params=FAMILIES)
def world(request: Any, tmp_path_factory: Any) -> Iterator[Path]:
    """A mixed table of reviews, prepared, trained with one family, evaluated and exported."""
    root = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        build_text_world(root, (request.param,))
        yield root


@pytest.fixture
def client(world: Path) -> Iterator[TestClient]:
    with serving(world / "models") as client:
        yield client


def requests(world: Path) -> list[dict[str, Any]]:
    frame = read_frame(world / "data/prepared/demo/test.parquet")[list(COLUMNS)]
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def test_the_folder_holds_a_vectoriser_for_each_text(world: Path) -> None:
    manifest = read_manifest(world / "models/demo")
    assert [entry.column for entry in manifest.vectorisers] == ["review", "title"]
    named = {manifest.model.file, *(entry.file for entry in manifest.vectorisers)}
    found = {path.name for path in (world / "models/demo").iterdir()}
    explained = {manifest.explanation.file} if manifest.explanation else set()
    assert found == {*named, *explained, "manifest.json", "README.md"}


def test_the_service_answers_each_test_row_as_the_trained_model(
    world: Path, client: TestClient
) -> None:
    pipeline = load_pipeline(world / "data/evaluated/demo/champion.joblib")
    rows = requests(world)
    assert len(rows) > 20
    X = np.empty((len(rows), 4), dtype=object)
    X[:, 0] = [np.nan if row["price"] is None else row["price"] for row in rows]
    X[:, 1] = [row["review"] for row in rows]
    X[:, 2] = [float(["a", "b"].index(row["shop"])) for row in rows]
    X[:, 3] = [row["title"] or "" for row in rows]
    answers = client.post("/predict", json=rows).json()["predictions"]
    found = [answer["probabilities"]["positive"] for answer in answers]
    np.testing.assert_allclose(found, pipeline.predict_proba(X)[:, 1], rtol=0, atol=1e-6)


def test_an_explanation_is_exact_or_there_is_none(world: Path, client: TestClient) -> None:
    row = requests(world)[0]
    answer = client.post("/explain/demo", json=row)
    if world.name.startswith("xgboost"):
        assert answer.status_code == 404
        assert "xgboost" in answer.json()["detail"]
        return
    (explained,) = answer.json()["explanations"]
    (score,) = explained["scores"]
    assert [it["name"] for it in score["contributions"]] == [*COLUMNS, "twice"]
    total = score["base"] + sum(it["contribution"] for it in score["contributions"])
    probability = explained["prediction"]["probabilities"]["positive"]
    assert 1 / (1 + np.exp(-total)) == pytest.approx(probability, abs=1e-5) or (
        total == pytest.approx(probability, abs=1e-5)  # a forest's score is its answer
    )


@pytest.mark.parametrize("world", ["linear"], indirect=True)
def test_a_text_adds_what_its_n_grams_weigh(world: Path, client: TestClient) -> None:
    pipeline = load_pipeline(world / "data/evaluated/demo/champion.joblib")
    rows = requests(world)[:2]
    rows[1] = {**rows[0], "review": "a film that was never dull"}
    texts = [row["review"] for row in rows]
    featurizer = pipeline["features"]
    blocks = [it.transform(texts).toarray() for it in featurizer.vectorizers_[0]]
    after_texts = featurizer.widths[1]
    weights = pipeline["estimator"].coef_[0][-featurizer.widths[0] - after_texts : -after_texts]
    expected = np.subtract(*(np.hstack(blocks) @ weights))
    explained = client.post("/explain/demo", json=rows).json()["explanations"]
    added = [it["scores"][0]["contributions"][1]["contribution"] for it in explained]
    assert np.subtract(*added) == pytest.approx(expected, rel=1e-9)
    others = [it["scores"][0]["contributions"][2:] for it in explained]
    assert others[0] == others[1]


def test_golden_texts_are_answered_again(world: Path) -> None:
    model = load_model(world / "models/demo")
    assert None in [golden.input["title"] for golden in model.manifest.golden]
    assert HARD_TEXT in [golden.input["review"] for golden in model.manifest.golden]
    for golden in model.manifest.golden:
        output = model.engine.run(model.encoder.encode_unchecked(golden.input))
        assert tuple(output) == golden.output


def test_parity_was_tested_on_every_row_and_without_each_column(world: Path) -> None:
    parity = read_manifest(world / "models/demo").parity
    frames = (world / f"data/prepared/demo/{part}.parquet" for part in ("train", "validation"))
    rows = sum(len(read_frame(path)) for path in frames) + len(requests(world))
    assert parity.rows == rows * (1 + 4 + 1)  # as it is, 4 columns missing, a shop unseen


def test_the_card_tells_of_texts_and_of_their_files(world: Path) -> None:
    page = (world / "models/demo/README.md").read_text(encoding="utf-8")
    assert "| review | text |  | 3 to 120 characters |" in page
    for entry in read_manifest(world / "models/demo").vectorisers:
        assert f"{entry.features} features of the text {entry.column}: `{entry.file}`" in page


def test_what_does_not_fit_is_told_with_what_was_found(client: TestClient) -> None:
    row = {"price": 3, "review": "x" * 121, "shop": "a", "title": None}
    (finding,) = client.post("/predict", json=row).json()["detail"]
    assert (finding["loc"], finding["type"]) == (["body", "review"], "wrong_length")
    assert "expected a text of 3 to 120 characters, got the text" in finding["msg"]
    assert finding["msg"].endswith("of 121 characters")
    half = client.post(
        "/predict",
        content=json.dumps(row | {"review": "half \ud83d"}),
        headers={"content-type": "application/json"},
    )
    assert half.status_code == 422
    assert "half a surrogate pair, '\\ud83d'" in half.json()["detail"][0]["msg"]
    blank = client.post("/predict", json=row | {"review": " \u3000 "})
    assert blank.json()["detail"][0]["msg"].endswith("which is blank")


def test_the_documents_example_is_answered(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    body = schema["paths"]["/predict/demo"]["post"]["requestBody"]["content"]["application/json"]
    rows = body["examples"]["rows"]["value"]
    assert client.post("/predict/demo", json=rows).status_code == 200


def test_a_good_word_counts_for_it_and_a_bad_one_against(world: Path) -> None:
    model = load_model(world / "models/demo")

    def positive(word: str) -> float:
        row = {"price": 20.0, "review": f"the film was {word}", "shop": "a", "title": None}
        return model.engine.run(model.encoder.encode_unchecked(row))[1]

    assert np.mean([positive(word) for word in GOOD]) > np.mean([positive(word) for word in BAD])


# Files that do not fit


@pytest.fixture
def folder(world: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(world / "models/demo", tmp_path / "demo"))


def test_a_changed_vectoriser_is_refused(folder: Path) -> None:
    entry = read_manifest(folder).vectorisers[0]
    path = folder / entry.file
    path.write_bytes(path.read_bytes().replace(b'"the"', b'"teh"', 1))
    with pytest.raises(ManifestError, match=f"{entry.file} was changed after its export"):
        load_model(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b'{"lowercase":true,"sublinear":true,"norm":"l1","blocks":[]}',
        b'{"lowercase":true,"sublinear":true,"norm":"l2","blocks":[{"kind":"words",'
        b'"pattern":"[","sizes":[1,1],"terms":["a"],"weights":[1.0]}]}',
        b'{"lowercase":true,"sublinear":true,"norm":"l2","blocks":[{"kind":"characters",'
        b'"pattern":null,"sizes":[1,1],"terms":["a"],"weights":[]}]}',
    ],
    ids=["a list", "another norm", "no pattern", "a weight missing"],
)
def test_a_file_that_is_no_vectoriser_is_refused_by_name(
    folder: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "read_file", lambda *_: content)
    with pytest.raises(ManifestError, match=r"vectoriser-\w+\.json cannot be used"):
        load.read_vectorisers(folder, read_manifest(folder))


def test_a_text_without_a_vectoriser_is_refused(folder: Path) -> None:
    path = folder / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["vectorisers"][1]
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ManifestError, match=r"text columns are \['review', 'title'\]"):
        read_manifest(folder)
