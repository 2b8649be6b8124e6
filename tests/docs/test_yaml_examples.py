"""Configuration that the documents show has keys that exist; whole files are run elsewhere."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages.contract.columns import Column
from stages.contract.source import Origin
from stages.contract.target import Target
from stages.contract.task import Task
from stages.shared.encoder import Encoder
from stages.shared.frozen import Frozen
from tests.support.clone import ROOT
from tests.support.documents import DOCUMENTS, blocks, code_spans

SHOWN = [
    pytest.param(block.text, id=block.where)
    for document in DOCUMENTS
    for block in blocks(document)
    if block.language == "yaml" and "_target_" not in block.text
]
KNOWN = set(Task.model_fields) | set(Encoder.model_fields)


def parsed(text: str) -> dict[str, Any]:
    content = YAML(typ="safe").load(text)
    assert isinstance(content, dict)
    return content


def unknown(content: dict[str, Any]) -> set[str]:
    """Return the keys that neither a task's, nor an encoder's file, nor a section of conf/ has."""
    sections = {name: entries for name, entries in content.items() if name in CONFIG.keys() - KNOWN}
    found = set(content) - KNOWN - set(sections)
    found |= {key for name, entries in sections.items() for key in set(entries) - set(CONFIG[name])}
    target = {"target": content["target"]} if "target" in content else {}
    parts: list[tuple[dict[str, Any], type[Frozen]]] = [
        (content.get("columns", {}), Column),
        (content.get("sources", {}), Origin),
        (target, Target),
    ]
    for entries, kind in parts:
        found |= {key for entry in entries.values() for key in entry} - set(kind.model_fields)
    return found


def loaded(path: Path) -> dict[str, Any]:
    return parsed(path.read_text(encoding="utf-8"))


CONFIG = {**loaded(ROOT / "conf/contract.yaml"), **loaded(ROOT / "conf/config.yaml")}
SECTIONS = [name for name, content in CONFIG.items() if isinstance(content, dict) and content]
ANYWHERE = (
    KNOWN | set(CONFIG) | {key for kind in (Column, Origin, Target) for key in kind.model_fields}
)
# The reference is written from the classes themselves, and has examples with made-up columns.
HAND_WRITTEN = [it for it in DOCUMENTS if it.name != "contract.md"]
SPANS = [(document, span) for document in HAND_WRITTEN for span in code_spans(document)]
DOTTED = [
    pytest.param(span, id=f"{document.relative_to(ROOT)}: {span}")
    for document, span in SPANS
    if re.fullmatch(rf"({'|'.join(SECTIONS)})\.\w+", span) and not (ROOT / span).exists()
]
PAIRS = [
    pytest.param(span, id=f"{document.relative_to(ROOT)}: {span}")
    for document, span in SPANS
    if re.match(r"[a-z]\w+:( |$)", span)
]


@pytest.mark.parametrize("text", SHOWN)
def test_every_key_exists(text: str) -> None:
    assert unknown(parsed(text)) == set()


@pytest.mark.parametrize("key", DOTTED)
def test_a_dotted_key_exists(key: str) -> None:
    section, _, name = key.partition(".")
    typed = Task.model_fields[section].annotation if section in Task.model_fields else None
    assert name in CONFIG[section] or name in getattr(typed, "model_fields", ())


@pytest.mark.parametrize("span", PAIRS)
def test_a_key_with_a_value_exists(span: str) -> None:
    assert set(parsed(span)) <= ANYWHERE


def test_keys_are_found_in_running_text() -> None:
    assert len(DOTTED) > 3
    assert len(PAIRS) > 5


def test_a_key_that_does_not_exist_is_found() -> None:
    made = {"metrik": "auc", "columns": {"age": {"type": "integer", "units": "years"}}}
    assert unknown({**made, "monitoring": {"budget": 0.01, "seeds": 1}}) == {
        "metrik", "units", "seeds",
    }  # fmt: skip


def test_enough_is_shown() -> None:
    assert len(SHOWN) > 6


@pytest.mark.parametrize(
    "path", sorted((ROOT / "docs/examples").glob("*.json")), ids=lambda it: it.stem
)
def test_examples_are_spoken_of(path: Path) -> None:
    assert any(path.name in document.read_text(encoding="utf-8") for document in DOCUMENTS)
