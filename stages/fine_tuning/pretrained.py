"""Finds an encoder's weights and tokenizer: in a package, in a folder here, or on the Hub.

Weights from the Hub are a download: the one thing here that needs a network, once, like `fetch`.
They stay in huggingface_hub's cache of this machine, and the pinned revision says which they are.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch
from safetensors import SafetensorError
from tokenizers import Tokenizer

from stages.shared.encoder import Encoder
from stages.shared.errors import PipelineError

if TYPE_CHECKING:
    import torch

# Never code, and no weights in a form that could hold some.
WANTED = ("*.json", "*.safetensors", "*.txt", "*.model")


@dataclass(frozen=True)
class Pretrained:
    """A folder in Hugging Face's form, its configuration and its tokenizer, both as JSON.

    ``separator`` stands between the texts of several columns.
    """

    folder: Path
    config: str
    tokenizer: str
    separator: str

    def weights(self) -> "dict[str, torch.Tensor]":
        """Read all weights; raises PipelineError where there are none, or a file is damaged."""
        files = sorted(self.folder.glob("*.safetensors"))
        if not files:
            raise PipelineError(
                f"{self.folder} has no *.safetensors: weights in another form may hold code, so "
                "convert them first"
            )
        return {name: tensor for file in files for name, tensor in _read_tensors(file).items()}


def load_pretrained(encoder: Encoder, where: str) -> Pretrained:
    """Find the weights of ``encoder`` and read what stands beside them.

    Raises PipelineError that names ``where`` for weights that are not there or of no use.
    """
    from transformers import AutoConfig, AutoTokenizer

    silence_transformers()
    folder = _find_folder(encoder, where)
    try:
        config = AutoConfig.from_pretrained(folder)
        tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise PipelineError(f"{where}: weights = {encoder.weights!r}: {error}") from error
    if not getattr(tokenizer, "is_fast", False):
        raise PipelineError(
            f"{where}: {encoder.weights!r} has no tokenizer.json, which serving needs"
        )
    _check_length(encoder, config, tokenizer, where)
    separator = tokenizer.sep_token or tokenizer.eos_token or ""
    return Pretrained(
        folder,
        config.to_json_string(),
        _enable_truncation(tokenizer.backend_tokenizer.to_str(), encoder.max_length),
        f" {separator} ",
    )


def silence_transformers() -> None:
    """Let transformers draw no bars of its own and say nothing of a head that is yet fresh."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]


def _find_folder(encoder: Encoder, where: str) -> Path:
    if encoder.package:
        folder = _find_in_package(encoder.package, encoder.weights.split("/")[1:])
    elif encoder.folder:
        folder = Path(encoder.folder)
    else:
        return _download(encoder, where)
    if not (folder / "config.json").exists():
        raise PipelineError(
            f"{where}: weights = {encoder.weights!r}, but {folder} has no config.json"
        )
    return folder


def _read_tensors(file: Path) -> "dict[str, torch.Tensor]":
    try:
        return safetensors.torch.load(file.read_bytes())
    except SafetensorError as error:
        raise PipelineError(f"{file} is damaged ({error}): get it anew") from error


def _find_in_package(module: str, parts: list[str]) -> Path:
    found = importlib.util.find_spec(module)
    places = (found.submodule_search_locations if found else None) or ["(not installed)"]
    return Path(places[0], *parts)


def _download(encoder: Encoder, where: str) -> Path:
    from huggingface_hub import snapshot_download

    name, revision = encoder.weights, encoder.revision
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(WANTED)))
    except Exception as error:  # a dozen kinds, of three libraries
        raise PipelineError(
            f"{where}: weights = {name!r} at revision {revision!r} could not be had from the "
            f"Hugging Face Hub: {error}"
        ) from error


def _check_length(encoder: Encoder, config: Any, tokenizer: Any, where: str) -> None:
    positions = getattr(config, "max_position_embeddings", None) or encoder.max_length
    most = min(positions, tokenizer.model_max_length)
    if encoder.max_length > most:
        raise PipelineError(
            f"{where}: max_length = {encoder.max_length}, but {encoder.weights} takes up to {most}"
        )


def _enable_truncation(tokenizer: str, max_length: int) -> str:
    """Let the tokenizer cut long texts by itself, and leave padding to whoever makes batches."""
    made = Tokenizer.from_str(tokenizer)
    made.no_padding()
    made.enable_truncation(max_length)
    return made.to_str()
