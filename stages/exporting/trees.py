"""Reads the trees of a fitted ensemble, whatever library grew them, into plain arrays."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from serve.runtime.manifest import Link
from stages.exporting.estimators import compute_logit, round_down
from stages.exporting.onnx_builder import Array

LEAF = -1
XGBOOST: Mapping[str, Link] = {
    "binary:logistic": "logit",
    "multi:softprob": "softmax",
    "reg:squarederror": "identity",
    "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity",
    "reg:logistic": "logit",
    "count:poisson": "log",
    "reg:gamma": "log",
    "reg:tweedie": "log",
}
LIGHTGBM: Mapping[str, Link] = {
    "binary sigmoid:1": "logit",
    "multiclass": "softmax",
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "fair": "identity",
    "quantile": "identity",
    "mape": "identity",
    "poisson": "log",
    "gamma": "log",
    "tweedie": "log",
}
HISTOGRAM: Mapping[str, Link] = {"poisson": "log", "gamma": "log"}
MISSING_IS_ZERO = 1  # of LightGBM's three ways with missing values


class Tree(NamedTuple):
    """One tree, an entry a node: ``left`` and ``right`` are nodes, or LEAF at a leaf.

    A row goes left where its feature is at most ``threshold`` (float32). ``cover`` is the weight of
    the rows trained on that came by; ``value`` is what a leaf adds to each score.
    """

    left: Array
    right: Array
    feature: Array
    threshold: Array
    cover: Array
    value: Array  # nodes by scores


@dataclass(frozen=True)
class Ensemble:
    """Trees whose leaves' values, added to ``start`` (one for each score), are the scores."""

    trees: Sequence[Tree]
    start: Array
    link: Link


def read_ensemble(estimator: Any) -> Ensemble | None:
    """Return the trees of a fitted estimator, and how its scores become its answer.

    None where it is no ensemble of plain trees: one that splits on sets of categories, say.
    """
    family = type(estimator).__module__.split(".")[0]
    read = {"xgboost": _read_xgboost, "lightgbm": _read_lightgbm, "sklearn": _read_sklearn}.get(
        family
    )
    return read(estimator) if read else None


def _read_xgboost(estimator: Any) -> Ensemble | None:
    booster = estimator.get_booster()
    if best := booster.attr("best_iteration"):
        booster = booster[: int(best) + 1]
    learner = json.loads(booster.save_raw("json"))["learner"]
    link, grown = XGBOOST.get(learner["objective"]["name"]), learner["gradient_booster"]
    if link is None or grown["name"] != "gbtree":
        return None
    trees = grown["model"]["trees"]
    if any(tree["categories"] or tree["tree_param"]["size_leaf_vector"] != "1" for tree in trees):
        return None
    scores = max(1, int(learner["learner_model_param"]["num_class"]))
    base = [_compute_margin(score, link) for score in _read_base_scores(learner)]
    made = [
        _read_xgboost_tree(tree, score, scores)
        for tree, score in zip(trees, grown["model"]["tree_info"], strict=True)
    ]
    return Ensemble(made, np.broadcast_to(base, scores), link)


def _read_base_scores(learner: Mapping[str, Any]) -> list[float]:
    return list(map(float, json.loads(learner["learner_model_param"]["base_score"])))


def _compute_margin(base: float, link: Link) -> float:
    """Return a base score, which is on the answer's scale, on the scores' (float32)."""
    match link:
        case "logit":
            return compute_logit(base)
        case "log":
            return float(np.log(np.float32(base)))
        case _:
            return float(np.float32(base))


def _read_xgboost_tree(tree: Mapping[str, Any], score: int, scores: int) -> Tree:
    """Make ``x < condition`` into ``x <= threshold``; a leaf's condition is its value."""
    condition = np.array(tree["split_conditions"], dtype=np.float32)
    return Tree(
        left=np.array(tree["left_children"]),
        right=np.array(tree["right_children"]),
        feature=np.array(tree["split_indices"]),
        threshold=np.nextafter(condition, np.float32(-np.inf)),
        cover=np.array(tree["sum_hessian"]),
        value=_put_in_column(condition, score, scores),
    )


def _read_lightgbm(estimator: Any) -> Ensemble | None:
    text = estimator.booster_.model_to_string()  # up to the best round, as `predict` goes
    header, *blocks = text.split("\nend of trees")[0].split("\nTree=")
    about, trees = _parse_fields(header), [_parse_fields(block) for block in blocks]
    link = LIGHTGBM.get(about["objective"].split(" num_class")[0].split(" tweedie_")[0])
    if link is None or any(_is_beyond_plain(tree) for tree in trees):
        return None
    scores = int(about["num_tree_per_iteration"])
    share = scores / len(trees) if "\naverage_output" in header else 1.0
    made = [_read_lightgbm_tree(tree, i % scores, scores, share) for i, tree in enumerate(trees)]
    return Ensemble(made, np.zeros(scores), link)


def _parse_fields(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _is_beyond_plain(tree: Mapping[str, str]) -> bool:
    """Whether a tree has sets of categories, linear leaves, or zeros that count as missing."""
    ways = map(int, tree.get("decision_type", "").split())
    zeros = any(way >> 2 & 3 == MISSING_IS_ZERO for way in ways)
    return tree["num_cat"] != "0" or tree.get("is_linear", "0") != "0" or zeros


def _read_lightgbm_tree(tree: Mapping[str, str], score: int, scores: int, share: float) -> Tree:
    """Number the splits from 0, then the leaves, of which the text has the i-th as ``~i``."""

    def numbers(name: str) -> Array:
        return np.array(tree.get(name, "").split(), dtype=np.float64)

    values, splits = numbers("leaf_value"), len(numbers("threshold"))
    leaves = np.full(len(values), LEAF)

    def children(side: str) -> Array:
        found = numbers(side).astype(np.int64)
        return np.append(np.where(found < 0, splits + ~found, found), leaves)

    return Tree(
        left=children("left_child"),
        right=children("right_child"),
        feature=np.append(numbers("split_feature").astype(np.int64), leaves),
        threshold=np.append(round_down(numbers("threshold")), leaves).astype(np.float32),
        cover=np.append(numbers("internal_count"), numbers("leaf_count") if splits else [1]),
        value=_put_in_column(np.append(np.zeros(splits), values * share), score, scores),
    )


def _read_sklearn(estimator: Any) -> Ensemble | None:
    from sklearn import ensemble as of
    from sklearn import tree

    if isinstance(estimator, of.RandomForestClassifier | of.RandomForestRegressor):
        return _read_forest(estimator.estimators_)
    if isinstance(estimator, of.ExtraTreesClassifier | of.ExtraTreesRegressor):
        return _read_forest(estimator.estimators_)
    if isinstance(estimator, tree.DecisionTreeClassifier | tree.DecisionTreeRegressor):
        return _read_forest([estimator])
    if isinstance(estimator, of.HistGradientBoostingClassifier | of.HistGradientBoostingRegressor):
        return _read_histogram(estimator)
    return None


def _read_forest(members: Sequence[Any]) -> Ensemble:
    """Average the trees: the score is the value, or the probability itself (of two, the second)."""
    made = [_read_forest_tree(member.tree_, len(members)) for member in members]
    return Ensemble(made, np.zeros(made[0].value.shape[1]), "identity")


def _read_forest_tree(tree: Any, members: int) -> Tree:
    values = tree.value[:, 0, :] / members
    return Tree(
        left=tree.children_left,
        right=tree.children_right,
        feature=tree.feature,
        threshold=round_down(tree.threshold).astype(np.float32),
        cover=tree.weighted_n_node_samples,
        value=values[:, 1:] if values.shape[1] == 2 else values,
    )


def _read_histogram(estimator: Any) -> Ensemble | None:
    rounds = [[tree.nodes for tree in trees] for trees in estimator._predictors]
    if any(nodes["is_categorical"].any() for trees in rounds for nodes in trees):
        return None
    start = estimator._baseline_prediction.ravel().astype(np.float64)
    plain: Link = HISTOGRAM.get(estimator.loss, "identity")
    classes: Link = "logit" if len(start) == 1 else "softmax"
    made = [
        _read_histogram_tree(nodes, score, len(start))
        for trees in rounds
        for score, nodes in enumerate(trees)
    ]
    return Ensemble(made, start, classes if hasattr(estimator, "classes_") else plain)


def _read_histogram_tree(nodes: Array, score: int, scores: int) -> Tree:
    is_leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        left=np.where(is_leaf, LEAF, nodes["left"].astype(np.int64)),
        right=np.where(is_leaf, LEAF, nodes["right"].astype(np.int64)),
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=round_down(nodes["num_threshold"]).astype(np.float32),
        cover=nodes["count"].astype(np.float64),
        value=_put_in_column(nodes["value"], score, scores),
    )


def _put_in_column(values: Array, score: int, scores: int) -> Array:
    """Return nodes by scores, zero but for the one score that the tree adds to."""
    found = np.zeros((len(values), scores))
    found[:, score] = values
    return found
