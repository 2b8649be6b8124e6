"""A pretrained encoder as ``conf/encoder/<encoder>.yaml`` has it, and how it is fine-tuned."""

import re
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from stages.shared.errors import PipelineError
from stages.shared.frozen import Frozen, Items

HUB_NAME = r"[\w.-]+(/[\w.-]+)?"


class Lora(Frozen):
    """Low-rank adapters (Hu et al. 2021): ``alpha`` / ``rank`` scales what they add."""

    renamed: ClassVar = {"targets": "target_modules"}

    rank: int = Field(ge=1)
    alpha: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    target_modules: Items[str] | Literal["all-linear"]


class Encoder(Frozen):
    """Weights to start from, and how to train them; ``conf/fine_tuning.yaml`` explains each key.

    ``weights`` is ``package:<module>/<folder>``, ``path:<folder>`` or a name on the Hugging Face
    Hub, which goes with a ``revision``: names on the Hub are moved to other weights.
    """

    renamed: ClassVar = {
        "max_tokens": "max_length",
        "warm_up": "warmup_ratio",
        "clip": "max_grad_norm",
        "accumulate": "gradient_accumulation_steps",
        "held_out": "validation_fraction",
        "looks": "evals_per_epoch",
        "checkpoint_steps": "save_steps",
    }

    complexity: int
    weights: str
    revision: str | None
    method: Literal["full", "frozen", "lora"]
    pooling: Literal["mean", "own"]
    max_length: int = Field(ge=3)
    windows: int = Field(ge=1)
    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0, lt=1)
    layer_decay: float = Field(gt=0, le=1)
    warmup_ratio: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    label_smoothing: float = Field(ge=0, lt=1)
    dropout: float | None = Field(ge=0, lt=1)
    freeze_embeddings: bool
    freeze_layers: int = Field(ge=0)
    max_grad_norm: float = Field(gt=0)
    batch_tokens: int = Field(ge=1)
    gradient_accumulation_steps: int = Field(ge=1)
    validation_fraction: float | None = Field(gt=0, lt=0.5)
    evals_per_epoch: int = Field(ge=1)
    patience: int | None = Field(ge=1)
    head_c: float = Field(gt=0)
    lora: Lora
    precision: Literal["auto", "fp32", "bf16"]
    gradient_checkpointing: bool
    compile: bool
    threads: int = Field(ge=1)
    processes: int = Field(ge=1)
    save_steps: int = Field(ge=1)
    seed: int

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if self.package is None and self.folder is None:
            if not re.fullmatch(HUB_NAME, self.weights):
                raise ValueError(
                    f"weights: {self.weights!r} is neither package:…, path:… nor a name"
                )
            if self.revision is None:
                raise ValueError(
                    f"weights: {self.weights!r} from the Hub need a revision, a commit"
                )
        elif self.revision is not None:
            raise ValueError(f"revision: {self.revision!r}, but only weights from the Hub have one")
        if self.method == "frozen" and self.pooling == "own":
            raise ValueError(
                "method frozen needs pooling mean: its head is fitted on the tokens' mean"
            )
        return self

    @property
    def package(self) -> str | None:
        """The module whose package holds the weights, if one does."""
        return self.weights[8:].split("/")[0] if self.weights.startswith("package:") else None

    @property
    def folder(self) -> str | None:
        """The folder of this repository that holds the weights, if one does."""
        return self.weights[5:] if self.weights.startswith("path:") else None

    def with_overrides(self, overrides: dict[str, Any], where: str) -> "Encoder":
        """Return the encoder with a task's ``overrides`` laid over it.

        Raises PipelineError that names ``where`` for an unknown key or a wrong value.
        """
        if not isinstance(lora := overrides.get("lora", {}), dict):
            raise PipelineError(f"{where}: lora = {lora!r}: see conf/fine_tuning.yaml")
        content = self.model_dump()
        return Encoder.parse({**content, **overrides, "lora": {**content["lora"], **lora}}, where)
