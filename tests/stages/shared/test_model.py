"""A model family is what its YAML says; what its estimator does not know is refused by name."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages.shared.errors import PipelineError
from stages.shared.model import EarlyStopping, Model

WHERE = "conf/task/shop.yaml: models.mine"
SHIPPED = sorted(Path("conf/model").glob("*.yaml"))
LOGISTIC = "sklearn.linear_model.LogisticRegression"
LINEAR: dict[str, Any] = {
    "_target_": {"classification": LOGISTIC, "regression": "sklearn.linear_model.Ridge"},
    "_complexity_": 1,
    "_scale_": True,
    "_only_": {"classification": {"C": 1.0}, "regression": {"alpha": 2.0}},
    "random_state": 42,
}
BOOSTED: dict[str, Any] = {
    "_target_": {"classification": "xgboost.XGBClassifier"},
    "_complexity_": 2,
    "_early_stopping_": {"rounds": 10, "fraction": 0.1},
    "n_estimators": 500,
}


def override(content: dict[str, Any], problem: Any = "classification", **overrides: Any) -> Model:
    return Model.parse(content, "conf/model/mine.yaml").with_overrides(problem, overrides, WHERE)


def refusal(content: dict[str, Any], problem: Any = "classification", **overrides: Any) -> str:
    with pytest.raises(PipelineError) as caught:
        override(content, problem, **overrides)
    return str(caught.value)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
@pytest.mark.parametrize("problem", ["classification", "regression"])
def test_every_shipped_family_makes_its_estimator(path: Path, problem: Any) -> None:
    model = Model.parse(YAML(typ="safe").load(path), str(path)).with_overrides(problem, {}, WHERE)
    estimator = model.estimator_class(problem)(**model.arguments, **model.extra)
    given = estimator.get_params()
    assert {name: given[name] for name in model.arguments} == model.arguments


def test_there_are_four_shipped_families() -> None:
    assert [path.stem for path in SHIPPED] == ["forest", "lightgbm", "linear", "xgboost"]


def test_keys_without_underscores_are_arguments() -> None:
    model = Model.parse(LINEAR, "x")
    assert model.arguments == {"random_state": 42}
    assert (model.complexity, model.scale, model.package) == (1, True, "sklearn")


def test_each_problem_gets_the_arguments_of_its_own() -> None:
    assert override(LINEAR).arguments == {"random_state": 42, "C": 1.0}
    assert override(LINEAR, "regression").arguments == {"random_state": 42, "alpha": 2.0}


def test_a_task_overrides_the_family() -> None:
    assert override(LINEAR, C=0.1, tol=0.5).arguments == {"random_state": 42, "C": 0.1, "tol": 0.5}
    assert override(LINEAR, _scale_=False).scale is False


def test_an_override_does_not_change_the_family() -> None:
    model = Model.parse(LINEAR, "x")
    model.with_overrides("classification", {"C": 9.0}, WHERE)
    assert model.with_overrides("classification", {}, WHERE).arguments["C"] == 1.0


def test_early_stopping_can_be_turned_off_and_changed() -> None:
    assert override(BOOSTED).early_stopping == EarlyStopping(rounds=10, fraction=0.1)
    assert override(BOOSTED, _early_stopping_=None).early_stopping is None
    changed = override(BOOSTED, _early_stopping_={"rounds": 5, "fraction": 0.2})
    assert changed.early_stopping == EarlyStopping(rounds=5, fraction=0.2)


def test_null_reaches_the_estimator() -> None:
    forest = {"_target_": {"classification": "sklearn.ensemble.RandomForestClassifier"}}
    model = override({**forest, "_complexity_": 1}, max_features=None)
    assert model.arguments == {"max_features": None}


def test_arguments_that_are_passed_up_to_a_base_class_are_known() -> None:
    assert override(BOOSTED, max_depth=3, reg_lambda=2.0).arguments["max_depth"] == 3


def test_extra_arguments_are_not_checked() -> None:
    assert override({**LINEAR, "_extra_": {"anything": 1}}).extra == {"anything": 1}


def test_an_unknown_argument_is_refused_with_those_there_are() -> None:
    message = refusal(BOOSTED, max_dept=3)
    for word in (WHERE, "max_dept = 3", "xgboost.XGBClassifier", "max_depth"):
        assert word in message


def test_an_argument_of_the_other_problem_is_refused() -> None:
    assert "alpha = 1.0 is no argument of" in refusal(LINEAR, alpha=1.0)


def test_a_problem_that_the_family_does_not_solve_is_refused() -> None:
    assert f"{WHERE}: there is no _target_ for regression" in refusal(BOOSTED, "regression")


@pytest.mark.parametrize(
    "target",
    [
        "sklearn.linear_model.LogisticRegresion",
        "sklearn.linear_models.LogisticRegression",
        "nosuchpackage.Classifier",
        "LogisticRegression",
        "",
    ],
)
def test_a_target_that_does_not_exist_is_refused(target: str) -> None:
    message = refusal({**LINEAR, "_target_": {"classification": target}})
    assert f"{WHERE}: _target_.classification is {target!r}" in message


@pytest.mark.parametrize("key", ["_target_", "_only_"])
def test_what_makes_the_family_cannot_be_overridden(key: str) -> None:
    message = refusal(LINEAR, **{key: {"classification": LOGISTIC}})
    assert f"{WHERE}: {key} = " in message
    assert "conf/model/" in message


def test_early_stopping_is_for_estimators_that_can() -> None:
    message = refusal(LINEAR, _early_stopping_={"rounds": 5, "fraction": 0.1})
    assert f"{WHERE}: _early_stopping_ = {{'rounds': 5, 'fraction': 0.1}}" in message
    assert LOGISTIC in message


def test_a_classifier_without_probabilities_is_refused() -> None:
    target = {"classification": "sklearn.svm.LinearSVC"}
    message = refusal({"_target_": target, "_complexity_": 1})
    assert f"{WHERE}: sklearn.svm.LinearSVC gives no probabilities" in message


# name: (what is laid over the linear family, words of the message)
INVALID = {
    "unknown key of ours": ({"_scael_": True}, ["_scael_: unknown key", "True"]),
    "wrong type": ({"_scale_": "yes"}, ["_scale_", "'yes'"]),
    "unknown problem": ({"_target_": {"ranking": "a.B"}}, ["_target_.ranking", "classification"]),
    "no target": ({"_target_": {}}, ["_target_", "{}"]),
    "no complexity": ({"_complexity_": None}, ["_complexity_", "None"]),
    "patience": ({"_early_stopping_": {"rounds": 0, "fraction": 0.1}}, ["rounds", "0"]),
    "fraction": ({"_early_stopping_": {"rounds": 1, "fraction": 0.9}}, ["fraction", "0.9"]),
    "key that is no text": ({1: 2}, ["arguments.1"]),
}


@pytest.mark.parametrize(("change", "words"), INVALID.values(), ids=INVALID.keys())
def test_an_invalid_family_is_refused_by_file_key_and_value(
    change: dict[Any, Any], words: list[str]
) -> None:
    with pytest.raises(PipelineError) as caught:
        Model.parse({**LINEAR, **change}, "conf/model/mine.yaml")
    for word in ["conf/model/mine.yaml", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize("content", [None, [], "linear"])
def test_a_family_that_is_no_mapping_is_refused(content: object) -> None:
    with pytest.raises(PipelineError, match=r"conf/model/mine.yaml cannot be used"):
        Model.parse(content, "conf/model/mine.yaml")


def test_an_override_of_the_wrong_type_names_the_task() -> None:
    with pytest.raises(PipelineError, match=r"models.mine cannot be used:\n  _scale_.*'no'"):
        override(LINEAR, _scale_="no")


def test_a_weighted_fit_of_an_estimator_without_weights_is_refused_by_name() -> None:
    nearest = {
        "_target_": {"classification": "sklearn.neighbors.KNeighborsClassifier"},
        "_complexity_": 1,
    }
    model = Model.parse(nearest, "x")
    assert model.with_overrides("classification", {}, WHERE).package == "sklearn"
    with pytest.raises(PipelineError, match=r"mine: class_weight is 'balanced', but .* no weights"):
        model.with_overrides("classification", {}, WHERE, weighted=True)


@pytest.mark.parametrize("most", [0, -1, 2.5, "many"])
def test_a_number_of_text_features_that_makes_no_sense_is_refused(most: Any) -> None:
    assert "_text_features_" in refusal(LINEAR, _text_features_=most)
