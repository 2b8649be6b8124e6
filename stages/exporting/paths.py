"""Turns trees into their leaves' paths, from which Shapley values come without walking a tree."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stages.exporting.onnx_builder import Array
from stages.exporting.trees import LEAF, Tree

SMALLEST_SHARE = 1e-12  # of the rows: a branch that none took, where a share of 0 would divide


@dataclass(frozen=True)
class Paths:
    """The paths of one length ``d``: arrays of d features by n leaves, and each leaf's values.

    A row takes a step of the path where ``low < x <= high`` for the step's feature. Where that is
    not known, it does so with the chance ``share``: of the rows trained on that came to the splits
    on this feature along the path, how many went on.
    """

    feature: Array
    low: Array
    high: Array
    share: Array
    value: Array  # n by scores


def find_paths(trees: Sequence[Tree]) -> tuple[list[Paths], Array]:
    """Return the paths of all leaves by their length, and what trees of a single leaf add."""
    single = np.zeros(trees[0].value.shape[1])
    found = []
    for tree in trees:
        if tree.left[0] == LEAF:
            single = single + tree.value[0]
        else:
            found.append(_find_tree_paths(tree))
    return list(_group_by_length(found)), single


def _find_tree_paths(tree: Tree) -> tuple[Array, Paths]:
    """Return the steps of a tree's leaves, one a feature, and how many steps each leaf has.

    Steps are 1-d here: a leaf's stand together, in the order of the leaves.
    """
    leaf, feature, low, high, share = _walk(tree)
    order = np.lexsort((feature, leaf))
    leaf, feature = leaf[order], feature[order]
    is_new = np.append(True, (np.diff(leaf) != 0) | (np.diff(feature) != 0))
    start = np.flatnonzero(is_new)
    steps = np.unique(leaf[start], return_counts=True)
    return steps[1], Paths(
        feature=feature[start].astype(np.int32),
        low=np.maximum.reduceat(low[order], start),
        high=np.minimum.reduceat(high[order], start),
        share=np.maximum(np.multiply.reduceat(share[order], start), SMALLEST_SHARE),
        value=tree.value[steps[0]],
    )


def _walk(tree: Tree) -> tuple[Array, ...]:
    """Return each split above each leaf: leaf, feature, bounds and share of the rows."""
    splits = np.flatnonzero(tree.left != LEAF)
    above = np.full(len(tree.left), LEAF)
    above[tree.left[splits]] = above[tree.right[splits]] = splits
    leaf = node = np.flatnonzero((tree.left == LEAF) & (above != LEAF))  # pruned ones hang nowhere
    found = []
    while len(node):
        parent = above[node]
        threshold, is_left = tree.threshold[parent], tree.left[parent] == node
        low = np.where(is_left, np.float32(-np.inf), threshold)
        high = np.where(is_left, threshold, np.float32(np.inf))
        share = tree.cover[node] / np.maximum(tree.cover[parent], SMALLEST_SHARE)
        found.append((leaf, tree.feature[parent], low, high, share))
        below_root = above[parent] != LEAF
        leaf, node = leaf[below_root], parent[below_root]
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _group_by_length(found: Sequence[tuple[Array, Paths]]) -> Iterator[Paths]:
    """Join the trees' paths, and yield those of each length as arrays of two dimensions."""
    if not found:
        return
    steps = np.concatenate([steps for steps, _ in found])
    joined = {
        name: np.concatenate([getattr(paths, name) for _, paths in found])
        for name in ("feature", "low", "high", "share")
    }
    value = np.concatenate([paths.value for _, paths in found])
    start = np.cumsum(steps) - steps
    for length in np.unique(steps):
        leaves = np.flatnonzero(steps == length)
        places = start[leaves] + np.arange(length)[:, None]
        yield Paths(**{name: array[places] for name, array in joined.items()}, value=value[leaves])
