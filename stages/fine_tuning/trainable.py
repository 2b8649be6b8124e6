"""The network that is trained: pretrained weights, a fresh head, and which of them may change."""

import json
import re
from typing import Any

import torch

from stages.fine_tuning.pretrained import Pretrained
from stages.shared.encoder import Encoder
from stages.shared.errors import PipelineError
from stages.shared.finetuned import Pooling, build_architecture, build_network, parse_config

Weights = dict[str, torch.Tensor]
HEAD_DEVIATION = 0.02  # of the fresh head's normal weights, as BERT's were drawn


def build_trainable(
    encoder: Encoder, pretrained: Pretrained, labels: int, attention: str
) -> torch.nn.Module:
    """Return the network on the CPU; training changes the parameters that ask for a gradient.

    Fresh weights are drawn with the encoder's seed, which dropout goes on with.
    """
    torch.manual_seed(encoder.seed)
    config = _set_dropout(pretrained.config, encoder.dropout)
    module = build_network(config, labels, encoder.pooling, attention)
    weights, fresh = _initialise_weights(encoder, pretrained, labels)
    module.load_state_dict(weights, assign=True)
    _freeze(module, encoder, fresh, count_layers(config))
    if encoder.gradient_checkpointing:
        _get_body(module).activation_checkpointing_enable({"use_reentrant": False})
    return module


def merge_weights(module: torch.nn.Module) -> Weights:
    """Return the network's weights (float32, CPU), adapters merged into the layers they adapt."""
    body = _get_body(module)
    if hasattr(body, "merge_and_unload"):
        module.encoder = body.merge_and_unload()
    return {
        name: weight.detach().float().cpu().contiguous()
        for name, weight in module.state_dict().items()
    }


def find_depth(name: str, layers: int) -> int:
    """Return how far from the input a parameter is: 0 for embeddings, then each layer, the rest."""
    if found := re.search(r"\.(\d+)\.", name):
        return 1 + int(found[1])
    return 0 if "embed" in name else layers + 1


def count_layers(config: str) -> int:
    """Return how many layers lie above one another in the encoder that ``config`` describes."""
    content = json.loads(config)
    return int(content.get("num_hidden_layers") or content.get("n_layers") or 0)


def _get_body(module: torch.nn.Module) -> Any:
    return module.encoder


def _initialise_weights(
    encoder: Encoder, pretrained: Pretrained, labels: int
) -> tuple[Weights, set[str]]:
    """Return all weights, and the names of those that were not pretrained."""
    body, missing = _load_body(encoder.pooling, pretrained, labels)
    weights = {f"encoder.{name}": weight for name, weight in body.state_dict().items()}
    fresh = {f"encoder.{name}" for name in missing}
    if encoder.pooling == "mean":
        hidden = body.config.hidden_size
        weights = {name: weight for name, weight in weights.items() if ".pooler." not in name}
        weights["head.weight"] = torch.randn(labels, hidden) * HEAD_DEVIATION
        weights["head.bias"] = torch.zeros(labels)
        fresh |= {"head.weight", "head.bias"}
    return weights, fresh


def _load_body(pooling: Pooling, pretrained: Pretrained, labels: int) -> tuple[Any, set[str]]:
    """Return the architecture with its pretrained weights, and which of them it had to draw.

    Raises PipelineError unless all weights below the head were pretrained.
    """
    settings = parse_config(pretrained.config, labels)
    kind = type(build_architecture(settings, pooling))
    try:
        body, report = kind.from_pretrained(
            None,
            config=settings,
            state_dict=pretrained.weights(),
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            dtype=torch.float32,
        )
    except (ValueError, RuntimeError) as error:
        raise PipelineError(f"weights in {pretrained.folder}: {error}") from error
    drawn = {*report["missing_keys"], *(mismatch[0] for mismatch in report["mismatched_keys"])}
    layers = count_layers(pretrained.config)
    if lacking := sorted(name for name in drawn if find_depth(name, layers) <= layers):
        raise PipelineError(
            f"{pretrained.folder} has no weights of the right size for {len(lacking)} parameters "
            f"that {pretrained.folder / 'config.json'} asks for, such as {lacking[0]}"
        )
    return body, drawn


def _freeze(module: torch.nn.Module, encoder: Encoder, fresh: set[str], layers: int) -> None:
    """Let only those parameters change that ``encoder`` says, and the fresh ones."""
    lowest = 1 + encoder.freeze_layers if encoder.freeze_layers or encoder.freeze_embeddings else 0
    for name, parameter in module.named_parameters():
        frozen = encoder.method != "full" or find_depth(name, layers) < lowest
        parameter.requires_grad_(name in fresh or not frozen)
    if encoder.method == "lora":
        _add_adapters(module, encoder)


def _add_adapters(module: torch.nn.Module, encoder: Encoder) -> None:
    from peft import LoraConfig, get_peft_model

    fresh = [parameter for parameter in module.parameters() if parameter.requires_grad]
    lora = encoder.lora
    targets = (
        lora.target_modules if isinstance(lora.target_modules, str) else list(lora.target_modules)
    )
    try:
        settings = LoraConfig(
            r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=targets
        )
        module.encoder = get_peft_model(_get_body(module), settings)
    except ValueError as error:
        raise PipelineError(f"lora.target_modules = {lora.target_modules!r}: {error}") from error
    for parameter in fresh:
        parameter.requires_grad_(True)


def _set_dropout(config: str, dropout: float | None) -> str:
    """Return the configuration with this probability for every kind of dropout it has."""
    content = json.loads(config)
    if dropout is not None:
        kinds = [key for key, value in content.items() if "drop" in key and _is_number(value)]
        content |= dict.fromkeys(kinds, dropout)
    return json.dumps(content)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
