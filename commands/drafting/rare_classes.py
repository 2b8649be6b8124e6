"""Classes of so few rows that no fold could hold one: told as one class, or set aside."""

from dataclasses import dataclass

import pandas as pd

FEWEST = 6  # rows of a class, so that train and its folds hold some
TOGETHER = "other"


@dataclass(frozen=True)
class Classes:
    """The class of each word of the target, the rows of each, and of those that are left out."""

    names: dict[str, str]
    counts: pd.Series
    left_out: int = 0
    comment: str = ""

    def describe(self) -> list[str] | dict[str, str]:
        """Return the classes as a contract has them: a list where each is called as its word."""
        words = dict(sorted(self.names.items()))
        return list(words) if all(word == name for word, name in words.items()) else words


def group_rare(counts: pd.Series) -> Classes:
    """Return the classes of several; ``counts`` are each word's rows, the most frequent first."""
    rare, rest = counts[counts < FEWEST], counts[counts >= FEWEST]
    names = {str(word): str(word) for word in rest.index}
    together_enough = len(rare) > 1 and rare.sum() >= FEWEST
    if not len(rare) or len(rest) + together_enough < 2:
        return Classes({str(word): str(word) for word in counts.index}, counts)
    listed = ", ".join(f"{word} ({count})" for word, count in rare.items())
    few = f"{listed} {'has' if len(rare) == 1 else 'have'} too few rows to learn from"
    if not together_enough:
        comment = f"{few}: no class, so the rows are set aside"
        return Classes(names, rest, int(rare.sum()), comment)
    together = TOGETHER if TOGETHER not in counts.index else f"{TOGETHER} (rare)"
    names |= dict.fromkeys(map(str, rare.index), together)
    merged = pd.concat([rest, pd.Series({together: rare.sum()})])
    return Classes(names, merged, 0, f"{few}: told as one class, {together}")
