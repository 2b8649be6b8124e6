"""A contract that holds becomes a typed object; one that does not names file, key and value."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from stages.contract.columns import Column
from stages.contract.source import Origin
from stages.contract.split import Split
from stages.contract.target import Target
from stages.contract.task import Task
from stages.shared.errors import PipelineError
from stages.shared.schema import Schema

FILE = "conf/task/shop.yaml"
BASE = """
title: Shops
source: own
sources: {own: {path: data/shops.csv}}
origin: {path: data/shops.csv}
columns:
  size: {type: number, range: [0, 900]}
  staff: {type: integer}
  kind: {type: category, values: [food, books]}
  open: {type: boolean, missing: allowed}
  since: {type: datetime}
target: {expression: sales > 100, classes: {false: poor, true: rich}, positive: rich}
metric: roc_auc
split: {seed: 1, validation: 0.2, test: 0.2}
cv: {folds: 5, seed: 1}
text: {word_ngrams: [1, 2], char_ngrams: [2, 5], min_df: 2, max_features: 100, sublinear_tf: true}
models: {linear: , forest: {n_estimators: 5}}
"""
VALID = {
    "as it stands": "",
    "regression": "target: {expression: sales, classes: null, positive: null, range: [0, 5]}",
    "three classes": "target: {expression: grade, classes: [a, b, c], positive: null}",
    "one of three classes": "target: {expression: grade, classes: [a, b, c], positive: b}",
    "several values in a class": "target: {expression: n, classes: {0: poor, 1: rich, 2: rich}}",
    "a name with blanks": "target: {expression: col('total sales') > 100}",
    "category of integers": "columns: {kind: {values: [1, 2]}}",
    "unseen categories": "columns: {kind: {unseen: flag}}",
    "derived": "derived: {per_head: size / staff, root: sqrt(abs(size))}",
    "by group": "split: {group: owner}",
    "by time": "split: {time: {column: a, validation_from: '2020-01-01', test_from: '2021-01-01'}}",
    "by time of day": "split: {time: {column: since, validation_from: '2020-01-01 12:30',"
    " test_from: '2020-01-01T12:30:01Z'}}",
    "download": f"origin: {{url: 'https://example.org/x', sha256: {'a' * 64}}}",
    "query": "origin: {path: x.parquet, database: 'sqlite:///x.db', query: select 1}",
    "no header": "origin: {header: false, names: [size, staff, kind, open, since, sales]}",
    "dialect": "origin: {delimiter: \"\\t\", decimal: ',', encoding: latin-1, missing: ['-9']}",
    "weights": "class_weight: balanced",
    "words alone": "text: {char_ngrams: null}",
    "characters alone": "text: {word_ngrams: null, char_ngrams: [3, 3]}",
    "rules switched off, as Hydra reads it": "checks: {extra: false, range: 'off', shift: warn}",
    "missing in some columns": "origin: {missing_in: {size: ['0'], sales: ['-1']}}",
}
# name: (what is laid over the base, the key in the message, what else the message holds)
INVALID = {
    "unknown key": ("metrik: rmse", "metrik: unknown key", ["'rmse'"]),
    "unknown key, deep": ("columns: {size: {typ: 1}}", "columns.size.typ", ["unknown key", "1"]),
    "no features of texts": ("text: {word_ngrams: null, char_ngrams: null}", "text", ["both null"]),
    "longest before shortest": ("text: {word_ngrams: [2, 1]}", "text", ["[shortest, longest]"]),
    "runs of nothing": ("text: {char_ngrams: [0, 2]}", "text", ["char_ngrams", "[0, 2]"]),
    "missing key": ("metric: __none__", "metric: missing", []),
    "unknown type": ("columns: {size: {type: float}}", "columns.size.type", ["'float'", "number"]),
    "text for a number": ("cv: {folds: '5'}", "cv.folds", ["integer", "'5'"]),
    "float for an integer": ("cv: {folds: 2.5}", "cv.folds", ["integer", "2.5"]),
    "boolean for an integer": ("split: {seed: true}", "split.seed", ["integer", "True"]),
    "one fold": ("cv: {folds: 1}", "cv.folds", ["greater than or equal to 2", "1"]),
    "no seed": ("cv: {seed: null}", "cv.seed", ["integer", "None"]),
    "no columns": ("columns: __none__", "columns: missing", []),
    "models left blank": ("models: null", "models", ["dictionary", "None"]),
    "no models": ("models: __empty__", "models", ["at least 1", "{}"]),
    "reserved name": ("columns: {_row: {type: number}}", "columns", ["'_row'", "prepare"]),
    "reserved beginning": ("columns: {_slice_a: {type: number}}", "columns", ["'_slice_a'"]),
    "slices of a column": ("slices: [size]", "slices", ["['size'] are columns"]),
    "weight": ("class_weight: heavy", "class_weight", ["balanced", "'heavy'"]),
    # columns
    "number with values": ("columns: {size: {values: [1]}}", "columns.size", ["values", "[1]"]),
    "category without values": ("columns: {kind: {values: null}}", "columns.kind", ["values"]),
    "values twice": ("columns: {kind: {values: [1, '1']}}", "columns.kind", ["differ", "[1, '1']"]),
    "values of floats": ("columns: {kind: {values: [1.5]}}", "columns.kind.values.0", ["1.5"]),
    "values of booleans": ("columns: {kind: {values: [true]}}", "columns.kind.values.0", ["True"]),
    "a value that counts as missing": (
        "columns: {kind: {values: [food, NA]}}", "columns.kind.values", ["['NA']", "missing"],
    ),
    "a value that counts as missing in its column": (
        "{columns: {kind: {values: [food, x]}}, origin: {missing_in: {kind: [x]}}}",
        "columns.kind.values", ["['x']", "missing"],
    ),
    "range of a category": ("columns: {kind: {range: [0, 1]}}", "columns.kind", ["no range"]),
    "unseen numbers": ("columns: {size: {unseen: flag}}", "columns.size", ["no unseen values"]),
    "length of a number": ("columns: {size: {length: [1, 2]}}", "columns.size", ["no length"]),
    "length turned round": (
        "columns: {note: {type: text, length: [9, 1]}}", "columns.note", ["length", "[9, 1]"],
    ),
    "form": (
        "columns: {note: {type: text, normalise: NFX}}", "columns.note.normalise", ["'NFX'"],
    ),
    "range of one": ("columns: {size: {range: [0]}}", "columns.size.range", ["2 items", "[0]"]),
    "range turned round": ("columns: {size: {range: [9, 1]}}", "columns.size", ["[9.0, 1.0]"]),
    "range of text": ("columns: {size: {range: [a, b]}}", "columns.size.range.0", ["'a'"]),
    "range of no number": ("columns: {size: {range: [.nan, 1]}}", "columns.size", ["nan"]),
    "missing": ("columns: {size: {missing: maybe}}", "columns.size.missing", ["'maybe'"]),
    # target
    "leak": ("target: {expression: size > 1}", "columns", ["['size']", "would tell the target"]),
    "formula": ("target: {expression: sales ** 2}", "target.expression", ["'sales ** 2'"]),
    "constant": ("target: {expression: '1'}", "target.expression", ["reads no column", "'1'"]),
    "true or false as a number": (
        "target: {classes: null, positive: null}", "target", ["'sales > 100'", "classes"],
    ),
    "no positive class": ("target: {positive: null}", "target", ["poor, rich", "positive"]),
    "unknown positive class": ("target: {positive: x}", "target", ["positive is 'x'", "poor"]),
    "one class": ("target: {classes: [rich]}", "target.classes", ["at least 2", "rich"]),
    "one class by two names": ("target: {classes: {0: rich, 1: rich}}", "target", ["'rich'"]),
    "a class twice": ("target: {classes: [a, a]}", "target.classes", ["at least 2", "{'a': 'a'}"]),
    "range of classes": ("target: {range: [0, 1]}", "target", ["classes have no range"]),
    "range of the target": (
        "target: {expression: sales, classes: null, positive: null, range: [1, 0]}",
        "target", ["[1.0, 0.0]"],
    ),
    # derived
    "derived from a category": ("derived: {x: kind * 2}", "derived.x", ["'kind'", "number"]),
    "derived from nothing": ("derived: {x: 1 + 1}", "derived.x", ["'1 + 1'"]),
    "derived from the target": ("derived: {x: sales * 2}", "derived.x", ["'sales'"]),
    "derived answer": ("derived: {x: size > 2}", "derived.x", ["'size > 2'", "arithmetic"]),
    "derived name taken": ("derived: {size: staff * 2}", "derived.size", ["taken"]),
    "derived name with blanks": ("derived: {'a b': staff * 2}", "derived.a b", ["plain"]),
    # split
    "nothing to train on": ("split: {test: 0.8}", "split", ["nothing to train on", "0.8"]),
    "no test": ("split: {test: 0}", "split.test", ["greater than 0", "0"]),
    "group and time": (
        "split: {group: a, time: {column: b, validation_from: '2020-01-01',"
        " test_from: '2020-01-01'}}",
        "split", ["not both"],
    ),
    "no date": (
        "split: {time: {column: b, validation_from: 1.1.2020, test_from: '2020-01-01'}}",
        "split.time.validation_from", ["'1.1.2020'"],
    ),
    "no such day": (
        "split: {time: {column: b, validation_from: '2020-01-01', test_from: '2020-02-30'}}",
        "split.time", ["'2020-02-30'"],
    ),
    "dates turned round": (
        "split: {time: {column: b, validation_from: '2021-01-01', test_from: '2020-12-31'}}",
        "split.time", ["validation_from", "'2021-01-01'"],
    ),
    # origin
    "url without hash": ("origin: {url: 'https://x'}", "origin", ["sha256", "'https://x'"]),
    "hash too short": ("origin: {url: 'https://x', sha256: abc}", "origin.sha256", ["'abc'"]),
    "query without database": ("origin: {query: select 1}", "origin", ["database", "'select 1'"]),
    "query to CSV": (
        "origin: {query: select 1, database: x}", "origin", ["Parquet", "'data/shops.csv'"],
    ),
    "names with a header": ("origin: {names: [a]}", "origin", ["header", "['a']"]),
    "delimiter": ("origin: {delimiter: '; '}", "origin.delimiter", ["at most 1", "'; '"]),
    "encoding": ("origin: {encoding: utf-88}", "origin.encoding", ["'utf-88'"]),
    "decimal": ("origin: {decimal: ';'}", "origin.decimal", ["';'"]),
    "missing elsewhere": ("origin: {missing_in: {siz: ['0']}}", "origin.missing_in", ["['siz']"]),
    "missing as a number": ("origin: {missing: [-9]}", "origin.missing.0", ["string", "-9"]),
}  # fmt: skip


def read_plain(text: str) -> Any:
    return YAML(typ="safe").load(text) or {}


def lay_over(base: Any, change: Any) -> Any:
    """Return ``base`` with ``change`` in it; ``__none__`` takes a key out."""
    if change == "__empty__":
        return {}
    if not isinstance(change, dict) or not isinstance(base, dict):
        return change
    merged = {key: lay_over(base.get(key), value) for key, value in change.items()}
    return {key: value for key, value in {**base, **merged}.items() if value != "__none__"}


def parse_task(change: str = "") -> Task:
    return Task.parse(lay_over(read_plain(BASE), read_plain(change)), FILE)


@pytest.mark.parametrize("change", VALID.values(), ids=VALID.keys())
def test_a_valid_contract_is_accepted(change: str) -> None:
    assert isinstance(parse_task(change), Task)


@pytest.mark.parametrize(("change", "key", "words"), INVALID.values(), ids=INVALID.keys())
def test_an_invalid_contract_is_refused_by_file_key_and_value(
    change: str, key: str, words: list[str]
) -> None:
    with pytest.raises(PipelineError) as caught:
        parse_task(change)
    message = str(caught.value)
    assert message.startswith(f"{FILE} cannot be used:\n")
    for word in [key, *words]:
        assert word in message


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(PipelineError) as caught:
        parse_task("{metrik: a, cv: {folds: '5'}, columns: {size: {type: x}}}")
    for key in ("metrik", "cv.folds", "columns.size.type"):
        assert key in str(caught.value)


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(PipelineError) as caught:
        parse_task(f"cv: {{folds: {'x' * 500}}}")
    assert "x" * 70 in str(caught.value)
    assert "x" * 90 not in str(caught.value)


def test_the_shipped_contracts_hold() -> None:
    shipped = read_plain(Path("params.yaml").read_text(encoding="utf-8"))["task"]
    assert {"heart", "housing", "sentiment"} <= set(shipped)
    for name, content in shipped.items():
        Task.parse(content, name)


def test_a_bare_model_name_means_no_changes() -> None:
    assert parse_task().models == {"linear": {}, "forest": {"n_estimators": 5}}


def test_a_contract_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        parse_task().title = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        ("{false: well, true: ill}", ("well", "ill")),
        ("{true: ill, false: well}", ("well", "ill")),
        ("{0: well, 1: ill, 2: ill}", ("well", "ill")),
        ("[ill, b, c]", ("b", "c", "ill")),
    ],
)
def test_the_positive_class_comes_last(classes: str, labels: tuple[str, ...]) -> None:
    target = Target.parse(read_plain(f"{{expression: x, classes: {classes}, positive: ill}}"), "x")
    assert target.labels == labels
    assert target.problem == "classification"


def test_keys_of_classes_are_the_text_of_their_values() -> None:
    target = Target.parse(
        read_plain("{expression: x, classes: {true: a, false: b, 3: c, x: d}, positive: a}"), "x"
    )
    assert target.classes == {"true": "a", "false": "b", "3": "c", "x": "d"}


def test_without_classes_it_is_regression() -> None:
    target = Target(expression="x")
    assert (target.problem, target.labels) == ("regression", ())


def test_tokens_are_the_values_as_text() -> None:
    assert Column(type="category", values=(1, "a")).tokens == ("1", "a")
    assert Column(type="number").tokens == ()


def test_only_a_url_or_a_query_is_fetched() -> None:
    assert not Origin(path="x.csv").is_fetched
    assert Origin(path="x.csv", url="https://x", sha256="0" * 64).is_fetched
    assert Origin(path="x.parquet", database="sqlite://", query="select 1").is_fetched


def test_defaults_need_not_be_written() -> None:
    assert Split(seed=1, validation=0.1, test=0.1).group is None
    assert Schema.parse({"problem": "regression", "fields": []}, "x").labels == ()


def test_a_rule_that_yaml_reads_as_false_is_off() -> None:
    column = Column.parse({"type": "number", "checks": {"units": False, "range": "off"}}, FILE)
    assert column.checks == {"units": "off", "range": "off"}
