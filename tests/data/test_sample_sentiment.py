"""The sample reviews: balanced, varied, written one by one, and neither trivial nor hopeless."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from stages.contract.text_features import TextFeatures
from stages.shared.schema import Field, Schema
from stages.shared.text_features import TextFeaturizer

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "data" / "sample" / "sentiment" / "reviews.csv"
PUBLISHED = ROOT.parent / "shared" / "data" / "sentiment"
DOMAINS = {"film", "product", "restaurant", "service", "software"}
SHALLOW = 0.58  # accuracy that nothing but words and their order may reach
TEST_SHARE = 0.2  # of the rows, by which models are judged
MOST_SHARED = 0.35  # Jaccard of two reviews' runs of four characters
MOST_ALIKE = 0.62  # cosine of two reviews' TF-IDF of words
PHRASE = 5  # words
OFTEN = 4  # reviews that may share a phrase
Array = np.ndarray[Any, np.dtype[Any]]


@pytest.fixture(scope="module")
def reviews() -> pd.DataFrame:
    return pd.read_csv(FILE, keep_default_na=False)


@pytest.fixture(scope="module")
def positive(reviews: pd.DataFrame) -> Array:
    return (reviews["label"] == "positive").to_numpy(dtype=np.int64)


def accuracy(model: BaseEstimator, X: Any, y: Array) -> float:
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return float(cross_val_score(model, X, y, cv=folds).mean())


# The file


def test_there_are_about_a_thousand_with_text_label_and_domain(reviews: pd.DataFrame) -> None:
    assert list(reviews.columns) == ["text", "label", "domain"]
    assert 1_000 <= len(reviews) <= 1_100
    assert set(reviews["domain"]) == DOMAINS


def test_labels_are_balanced_in_every_domain(reviews: pd.DataFrame) -> None:
    counts = reviews.groupby(["domain", "label"]).size()
    assert len(counts) == 2 * len(DOMAINS)
    assert counts.nunique() == 1


def test_the_file_is_utf_8_with_unix_line_ends() -> None:
    content = FILE.read_bytes()
    assert b"\r" not in content
    assert content.endswith(b"\n")
    assert not content.startswith(b"\xef\xbb\xbf")
    content.decode("utf-8")


def test_texts_are_written_as_people_write(reviews: pd.DataFrame) -> None:
    """Commas, quotation marks inside a cell, emoji, negation."""
    texts = reviews["text"]
    assert texts.str.contains(",").mean() > 0.3
    assert texts.str.contains('"').sum() >= 10
    assert texts.str.contains(r"[\u2600-\u27bf\U0001f300-\U0001faff]").sum() >= 8
    assert texts.str.contains(r"\b(?:not|no|never|nobody|nothing)\b|n't\b", case=False).mean() > 0.2


def test_no_text_has_blanks_around_it_or_line_breaks(reviews: pd.DataFrame) -> None:
    assert (reviews["text"] == reviews["text"].str.strip()).all()
    assert not reviews["text"].str.contains(r"[\n\t]|  ").any()


# Variety


def test_lengths_go_from_two_words_to_a_paragraph(reviews: pd.DataFrame) -> None:
    words = reviews["text"].str.split().str.len()
    assert words.min() <= 3
    assert 10 <= words.median() <= 20
    assert words.max() >= 50
    assert (words > 30).sum() >= 50


def test_lengths_are_alike_for_both_labels(reviews: pd.DataFrame) -> None:
    medians = reviews["text"].str.len().groupby(reviews["label"]).median()
    assert medians["positive"] == pytest.approx(medians["negative"], rel=0.1)


def test_no_review_stands_there_twice(reviews: pd.DataFrame) -> None:
    plain = reviews["text"].str.casefold().str.replace(r"\W+", " ", regex=True).str.strip()
    assert plain.is_unique


def test_no_two_reviews_share_many_runs_of_characters(reviews: pd.DataFrame) -> None:
    """Broder's resemblance (1997): shared runs of four characters over all that either has."""
    found = CountVectorizer(analyzer="char", ngram_range=(4, 4), binary=True, dtype=np.float64)
    held = found.fit_transform(reviews["text"])
    shared = (held @ held.T).toarray()
    sizes = shared.diagonal()
    assert highest(shared / (sizes[:, None] + sizes - shared), reviews) < MOST_SHARED


def test_no_two_reviews_say_the_same_in_the_same_words(reviews: pd.DataFrame) -> None:
    weights = TfidfVectorizer(token_pattern=r"\w+").fit_transform(reviews["text"])
    assert highest((weights @ weights.T).toarray(), reviews) < MOST_ALIKE


def highest(alike: Array, reviews: pd.DataFrame) -> float:
    """Return the highest value of two different reviews, and print these for who must mend them."""
    np.fill_diagonal(alike, 0)
    first, second = np.unravel_index(alike.argmax(), alike.shape)
    print(reviews["text"].iloc[first], reviews["text"].iloc[second], sep="\n")
    return float(alike.max())


def test_no_phrase_is_a_template(reviews: pd.DataFrame) -> None:
    counts = Counter(phrase for text in reviews["text"] for phrase in phrases(text))
    assert [phrase for phrase, times in counts.items() if times > OFTEN] == []


def phrases(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return {tuple(words[i : i + PHRASE]) for i in range(len(words) - PHRASE + 1)}


def test_most_words_are_rare_as_in_any_real_text(reviews: pd.DataFrame) -> None:
    """Zipf: about half of all different words occur once."""
    counts = Counter(re.findall(r"\w+", " ".join(reviews["text"]).casefold()))
    assert len(counts) > 2_500
    assert 0.4 < sum(times == 1 for times in counts.values()) / len(counts) < 0.7


# Difficulty


def test_words_tell_much_but_not_all(reviews: pd.DataFrame, positive: Array) -> None:
    schema = Schema(
        problem="classification",
        fields=(Field(name="text", type="text"),),
        labels=("negative", "positive"),
        positive="positive",
    )
    settings = TextFeatures(
        word_ngrams=(1, 2), char_ngrams=(2, 5), min_df=1, max_features=20_000, sublinear_tf=True
    )
    model = make_pipeline(
        TextFeaturizer(schema, settings, scale=True), LogisticRegression(C=10, max_iter=1000)
    )
    found = accuracy(model, reviews[["text"]].to_numpy(dtype=object), positive)
    # On the test rows it is told from shallow signs, and a better model could be told from it.
    half_width = 1.96 * np.sqrt(found * (1 - found) / (TEST_SHARE * len(reviews)))
    assert found - half_width > SHALLOW
    assert found + half_width < 1 - half_width


def test_the_length_tells_nothing(reviews: pd.DataFrame, positive: Array) -> None:
    texts = reviews["text"]
    sizes = np.column_stack([texts.str.len(), texts.str.split().str.len()])
    assert accuracy(shallow(), sizes, positive) < SHALLOW


def test_punctuation_and_capitals_tell_nothing(reviews: pd.DataFrame, positive: Array) -> None:
    signs = [re.escape(sign) for sign in "!?.,;:'\"()…"]
    kinds = [*signs, "[A-Z]", r"\d", r"[^\x00-\x7f]"]
    counts = np.column_stack([reviews["text"].str.count(kind) for kind in kinds])
    assert accuracy(shallow(), counts, positive) < SHALLOW


def test_the_domain_tells_nothing(reviews: pd.DataFrame, positive: Array) -> None:
    model = make_pipeline(OneHotEncoder(), LogisticRegression())
    assert accuracy(model, reviews[["domain"]], positive) < SHALLOW


def shallow() -> BaseEstimator:
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published sentences are not at ../shared")
def test_no_review_is_copied_from_the_published_sentences(reviews: pd.DataFrame) -> None:
    lines = "\n".join(path.read_text(encoding="utf-8") for path in PUBLISHED.glob("*.txt"))
    theirs = {line.split("\t")[0].strip().casefold() for line in lines.split("\n")}
    assert len(theirs) > 2_900
    assert theirs.isdisjoint(reviews["text"].str.casefold())
