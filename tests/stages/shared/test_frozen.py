"""Typed objects from YAML: what they refuse, and how the message names it."""

from typing import Any, ClassVar

import pytest

from commands.registry.settings import Promotion
from stages.contract.columns import Column
from stages.contract.task import Task
from stages.contract.text_features import TextFeatures
from stages.export import ExportSettings
from stages.shared.encoder import Encoder, Lora
from stages.shared.errors import PipelineError
from stages.shared.frozen import Frozen

RENAMED: list[tuple[type[Frozen], str, Any, str]] = [
    (Encoder, "clip", 1.0, "max_grad_norm"),
    (Encoder, "warm_up", 0.1, "warmup_ratio"),
    (Encoder, "accumulate", 1, "gradient_accumulation_steps"),
    (Encoder, "looks", 2, "evals_per_epoch"),
    (Encoder, "held_out", 0.1, "validation_fraction"),
    (Encoder, "max_tokens", 64, "max_length"),
    (Encoder, "checkpoint_steps", 200, "save_steps"),
    (Lora, "targets", "all-linear", "target_modules"),
    (TextFeatures, "words", None, "word_ngrams"),
    (TextFeatures, "characters", None, "char_ngrams"),
    (TextFeatures, "min_count", 1, "min_df"),
    (TextFeatures, "most_features", 20000, "max_features"),
    (TextFeatures, "sublinear", True, "sublinear_tf"),
    (Task, "most_bad_rows", 0.05, "max_bad_row_share"),
    (Column, "missing_share", 0.5, "max_missing_share"),
    (ExportSettings, "int8_loss", 0.005, "max_int8_loss"),
    (Promotion, "slice_rows", 30, "min_slice_rows"),
]


@pytest.mark.parametrize(("section", "old", "value", "new"), RENAMED)
def test_a_renamed_key_is_refused_with_its_new_name(
    section: type[Frozen], old: str, value: Any, new: str
) -> None:
    with pytest.raises(PipelineError) as caught:
        section.parse({old: value}, "conf/some.yaml")
    assert f"{old} = {value!r} is now called {new}: rename it" in str(caught.value)
    assert str(caught.value).startswith("conf/some.yaml ")
    assert new in section.model_fields
    assert old not in section.model_fields


def test_a_renamed_key_inside_others_is_named_with_its_path() -> None:
    class Inner(Frozen):
        renamed: ClassVar = {"old": "new", "older": "newer"}
        new: int = 0
        newer: int = 0

    class Outer(Frozen):
        inner: Inner

    with pytest.raises(PipelineError) as caught:
        Outer.parse({"inner": {"old": 1, "older": 2}}, "conf/some.yaml")
    assert str(caught.value) == (
        "conf/some.yaml cannot be used:\n"
        "  inner: old = 1 is now called new, older = 2 is now called newer: rename it"
    )
