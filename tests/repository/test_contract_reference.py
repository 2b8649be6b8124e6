"""The reference of the contract is the one that the typed classes give."""

from tests.support.clone import ROOT
from tests.support.contract_reference import SECTIONS, render_reference


def test_the_committed_reference_is_up_to_date() -> None:
    text = (ROOT / "docs/contract.md").read_text(encoding="utf-8")
    assert text == render_reference(), "run `make readme`"


def test_it_has_every_key_of_every_section() -> None:
    text = render_reference()
    for kind in SECTIONS.values():
        for name in kind.model_fields:
            assert f"| `{name}` |" in text or name == "origin"
