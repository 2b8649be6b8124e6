"""Each stage depends on the sections of the contract that it reads, and on no others."""

from pathlib import Path

import pytest

from stages.runner import imports

SECTIONS = {
    "fetch": "names source",
    "prepare": "checks columns expressions names source split target types",
    "validate": "checks columns expressions names split target types",
    "tune": "cross_validation expressions text_features tuning types",
    "train": "cross_validation expressions text_features types",
    "fine_tune": "cross_validation expressions types",
    "evaluate": "cross_validation expressions text_features types",
    "export": "checks columns expressions names source target text_features types",
}


def list_folder(verb: str, name: str) -> set[str]:
    files = imports.list_modules(Path("stages", f"{verb}.py"))
    return {path.stem for path in files if path.parent == Path("stages", name)}


@pytest.mark.parametrize("verb", SECTIONS)
def test_a_stage_depends_on_the_sections_that_it_reads(verb: str) -> None:
    assert list_folder(verb, "contract") == {"section", *SECTIONS[verb].split()}


@pytest.mark.parametrize("verb", sorted(set(SECTIONS) - {"validate"}))
def test_the_rules_of_a_sound_table_are_the_business_of_validate_alone(verb: str) -> None:
    assert list_folder(verb, "validating") == set()


@pytest.mark.parametrize("verb", SECTIONS)
def test_what_composes_and_titles_plots_is_no_stages_business(verb: str) -> None:
    assert list_folder(verb, "composing") == set()
