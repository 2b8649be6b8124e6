"""TF-IDF is what the formulas say, sparse, and learned from the rows fitted on alone."""

import hashlib
import os
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from stages.shared.errors import PipelineError
from stages.shared.features import Featurizer
from stages.shared.schema import Derived, Schema
from stages.shared.text_features import TextFeaturizer
from tests.support.text_fixtures import FEATURES, ONE_TEXT, SCHEMA, matrix

WORDS = FEATURES.model_copy(
    update={"word_ngrams": (1, 1), "char_ngrams": None, "sublinear_tf": False}
)


def fitted(*texts: str, **changes: Any) -> TextFeaturizer:
    text = WORDS.model_copy(update=changes)
    return TextFeaturizer(ONE_TEXT, text, scale=True).fit(column(*texts))


def column(*texts: str) -> Any:
    return np.array(texts, dtype=object)[:, None]


def terms(featurizer: TextFeaturizer) -> list[str]:
    found = [
        vectorizer.get_feature_names_out().tolist() for vectorizer in featurizer.vectorizers_[0]
    ]
    return [term for part in found for term in part]


def test_a_word_weighs_by_its_count_and_rarity_and_a_text_has_length_1() -> None:
    featurizer = fitted("good food", "good good film", "bad")
    found = featurizer.transform(column("good good food nothing")).toarray()[0]
    # Of n = 3 texts 2 have "good", 1 has "food": the weight is ln((1 + n) / (1 + df)) + 1.
    good, food = 2 * (np.log(4 / 3) + 1), np.log(4 / 2) + 1
    length = np.sqrt(good**2 + food**2)
    expected = {"bad": 0, "film": 0, "food": food / length, "good": good / length}
    np.testing.assert_allclose(found, [expected[term] for term in terms(featurizer)], rtol=1e-15)


def test_a_sublinear_count_is_1_and_its_logarithm() -> None:
    featurizer = fitted("good food", "good food", sublinear_tf=True)  # both weigh the same
    food, good = featurizer.transform(column("good good good food")).toarray()[0]
    assert good / food == pytest.approx(1 + np.log(3))


def test_words_pairs_and_signs_between_them_are_features() -> None:
    featurizer = fitted("Isn't it GOOD? 😀", word_ngrams=(1, 2))
    signs = {"'", "?", "😀", "isn", "t", "it", "good"}
    pairs = {"isn '", "' t", "t it", "it good", "good ?", "? 😀"}
    assert set(terms(featurizer)) == signs | pairs


def test_runs_of_characters_stay_inside_words_and_know_where_they_end() -> None:
    featurizer = fitted("ab c", word_ngrams=None, char_ngrams=(2, 3))
    assert set(terms(featurizer)) == {" a", "ab", "b ", " ab", "ab ", " c", "c ", " c "}


def test_both_kinds_stand_side_by_side_each_of_length_1() -> None:
    featurizer = fitted("good food", "bad", char_ngrams=(2, 3))
    found = featurizer.transform(column("good food")).toarray()[0]
    words = len(featurizer.vectorizers_[0][0].vocabulary_)
    assert featurizer.widths == [len(found)]
    np.testing.assert_allclose([found[:words] @ found[:words], found @ found], [1, 2])


def test_rare_words_are_left_out_where_min_count_says_so() -> None:
    assert terms(fitted("good food", "good film film", min_df=2)) == ["good"]


def test_of_many_words_the_most_frequent_are_kept() -> None:
    assert terms(fitted("good food", "good film", "good food film so", max_features=1)) == ["good"]


TELLING = ("good food", "good film", "good food", "bad food", "bad film", "bad food")


def test_a_family_may_take_fewer_features_those_that_tell_the_classes() -> None:
    featurizer = TextFeaturizer(ONE_TEXT, WORDS, most=2)
    featurizer.fit(column(*TELLING), np.array([1, 1, 1, 0, 0, 0]))
    assert terms(featurizer) == ["bad", "good"]


def test_of_values_those_words_are_kept_that_go_with_them() -> None:
    schema = ONE_TEXT.model_copy(update={"problem": "regression", "labels": ()})
    featurizer = TextFeaturizer(schema, WORDS, most=2)
    featurizer.fit(column(*TELLING), np.array([3.0, 3.1, 2.9, 1.0, 1.1, 0.9]))
    assert terms(featurizer) == ["bad", "good"]


def test_fewer_features_weigh_what_they_weighed_among_all() -> None:
    """Their rarity is the same; the text's length is now that of the features kept."""
    few = TextFeaturizer(ONE_TEXT, WORDS, scale=True, most=2)
    few.fit(column(*TELLING), np.array([1, 1, 1, 0, 0, 0]))
    (vectorizer,) = few.vectorizers_[0]
    (every,) = fitted(*TELLING).vectorizers_[0]
    kept = [every.vocabulary_[term] for term in ("bad", "good")]
    np.testing.assert_array_equal(vectorizer.idf_, every.idf_[kept])
    assert few.transform(column("good food")).toarray().tolist() == [[0, 1]]


def test_a_missing_or_unknown_text_has_no_features() -> None:
    found = fitted("good food").transform(column("", "nothing", "good"))
    assert found.sum(axis=1).tolist() == [[0], [0], [1]]


def test_texts_without_anything_in_common_are_refused_in_words() -> None:
    with pytest.raises(PipelineError, match=r"the 2 texts of review .* text.min_df, now 2"):
        fitted("good", "bad", min_df=2)


# Beside other columns


@pytest.mark.parametrize("scale", [True, False])
def test_other_columns_have_the_features_they_have_without_texts(scale: bool) -> None:
    derived = (Derived(name="d", expression="price / 2"),)
    schema = SCHEMA.model_copy(update={"derived": derived})
    plain = Schema(
        problem="classification",
        fields=(SCHEMA.fields[0], SCHEMA.fields[2]),
        derived=derived,
        labels=SCHEMA.labels,
    )
    X, _ = matrix(80)
    numbers = X[:, [0, 2]].astype(float)
    expected = Featurizer(plain, scale=scale).fit(numbers).transform(numbers)
    featurizer = TextFeaturizer(schema, FEATURES, scale=scale).fit(X)
    found = featurizer.transform(X)
    assert sparse.issparse(found)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found[:, : expected.shape[1]].toarray(), expected)
    assert found.shape[1] == expected.shape[1] + sum(featurizer.widths)


def test_a_0_is_no_entry_so_that_xgboost_takes_every_0_alike() -> None:
    X, _ = matrix(80)
    assert (X[:, 0] == 0).any()
    found = TextFeaturizer(SCHEMA, FEATURES).fit(X).transform(X)
    assert (found.data != 0).all()


def test_nothing_is_learned_from_rows_that_are_transformed() -> None:
    featurizer = fitted("good food", "bad")
    before = pickle.dumps(featurizer)
    featurizer.transform(column("something else", "good"))
    assert pickle.dumps(featurizer) == before


def test_it_can_be_cloned_as_scikit_learn_does() -> None:
    copy = clone(fitted("good food"))
    assert copy.get_params() == fitted("good food").get_params()
    assert not hasattr(copy, "vectorizers_")


FIT = """
import hashlib, io, joblib
from tests.support.text_fixtures import FEATURES, SCHEMA, matrix
from stages.shared.text_features import TextFeaturizer
file = io.BytesIO()
joblib.dump(TextFeaturizer(SCHEMA, FEATURES).fit(matrix(60)[0]), file)
print(hashlib.sha256(file.getvalue()).hexdigest())
"""


def test_two_processes_learn_the_same_bytes_whatever_their_hash_seed() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", FIT],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
    assert len(found.pop().strip()) == len(hashlib.sha256().hexdigest())
