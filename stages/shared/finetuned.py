"""A fine-tuned transformer as plain data that predicts like a fitted pipeline.

It stands among the candidates beside scikit-learn's: same matrix in, same probabilities out. Torch
and transformers are imported where they are needed only, so whoever loads another candidate never
waits for them.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from scipy.special import softmax

from stages.shared.schema import Schema
from stages.shared.tokens import batch_by_length, pad_batch, tokenise_pieces, tokenise_texts

if TYPE_CHECKING:
    import torch

Array = np.ndarray[Any, np.dtype[Any]]
Pooling = Literal["mean", "own"]
BUDGET = 4096  # tokens predicted at once: enough to keep a core busy, few enough for its cache


@dataclass(frozen=True)
class FineTuned:
    """A transformer that classifies the texts of a row; a row's other columns play no part.

    ``config`` is the encoder's Hugging Face configuration as JSON, ``weights`` the network's in
    safetensors, ``tokenizer`` a ``tokenizer.json`` that truncates by itself. Several text columns
    are read as one text with ``separator`` between them. Of a long text ``windows`` pieces are
    read, and their logits averaged. ``temperature`` divides the logits before the softmax (Guo et
    al. 2017). ``threads`` is how many compute: the last bits depend on it.
    """

    schema: Schema
    config: str
    weights: bytes
    tokenizer: str
    separator: str
    pooling: Pooling
    temperature: float = 1.0
    threads: int = 1
    windows: int = 1
    refittable: ClassVar[bool] = False  # for a learning curve: each point would take minutes

    def predict_proba(self, X: Array) -> Array:
        """Return float64 probabilities (n x labels) for the encoded matrix (n x fields)."""
        logits = self.logits(self.texts(X)).astype(np.float64)
        return np.asarray(softmax(logits / self.temperature, axis=1))

    def texts(self, X: Array) -> list[str]:
        """Return what the tokenizer reads of each row of the encoded matrix."""
        return join_texts(X, self.schema, self.separator)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token numbers of each text's first piece, with the special ones."""
        return tokenise_texts(self.tokenizer, texts)

    def logits(self, texts: Sequence[str]) -> Array:
        """Return the network's answers (n x labels, float32) before temperature and softmax."""
        with limit_threads(self.threads):
            pieces = tokenise_pieces(self.tokenizer, texts, self.windows)
            return compute_mean_logits(self._module, pieces, read_pad_token(self.config))

    def module(self, attention: str = "sdpa") -> "torch.nn.Module":
        """Return the network, ready to predict and on the CPU.

        It maps ``input_ids`` and ``attention_mask`` (int64, n x tokens) to logits (float32,
        n x labels). ``attention`` is a kernel of transformers: ``sdpa`` or ``eager``.
        """
        import safetensors.torch

        module = build_network(self.config, len(self.schema.labels), self.pooling, attention)
        module.load_state_dict(safetensors.torch.load(self.weights), assign=True)
        return module.eval()

    @cached_property
    def _module(self) -> "torch.nn.Module":
        return self.module()

    def __getstate__(self) -> dict[str, Any]:
        """Leave the network out of the pickle: it is made of the other fields."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def join_texts(X: Array, schema: Schema, separator: str) -> list[str]:
    """Return the texts of each row of the encoded matrix (n x fields) as one."""
    columns = [i for i, field in enumerate(schema.fields) if field.type == "text"]
    return [separator.join(row) for row in X[:, columns]]


def build_network(
    config: str, labels: int, pooling: Pooling, attention: str = "sdpa"
) -> "torch.nn.Module":
    """Return the untrained network: an encoder and a linear head over its tokens' mean.

    With ``own`` pooling it is the architecture's own classifier. Its weights are yet to be loaded.
    """
    import torch

    settings = parse_config(config, labels)

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = build_architecture(settings, pooling, attention)
            if pooling == "mean":
                self.head = torch.nn.Linear(settings.hidden_size, labels)
                if getattr(self.encoder, "pooler", None):
                    self.encoder.pooler = None  # pools another way, for another head

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
            answer = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
            if pooling == "own":
                return answer.logits
            weights = attention_mask.unsqueeze(-1).to(answer.last_hidden_state.dtype)
            mean = (answer.last_hidden_state * weights).sum(1) / weights.sum(1).clamp(min=1)
            return self.head(mean)

    return Network()


def parse_config(config: str, labels: int) -> Any:
    """Return transformers' object for a configuration in JSON, with so many labels."""
    from transformers import AutoConfig

    content = json.loads(config)
    settings = AutoConfig.for_model(content.pop("model_type"), **content)
    settings.num_labels, settings.use_cache = labels, False
    return settings


def build_architecture(settings: Any, pooling: Pooling, attention: str = "sdpa") -> Any:
    """Return transformers' own network for ``settings``; its weights are yet to be loaded."""
    from transformers import AutoModel, AutoModelForSequenceClassification
    from transformers.initialization import no_init_weights

    kind: Any = AutoModel if pooling == "mean" else AutoModelForSequenceClassification
    with no_init_weights():
        return kind.from_config(settings, attn_implementation=attention)


def compute_logits(module: "torch.nn.Module", ids: Sequence[Sequence[int]], pad: int) -> Array:
    """Return the logits (n x labels, float32) of tokenised texts, computed where ``module`` is."""
    import torch

    device = next(module.parameters()).device
    found: dict[int, Array] = {}
    with torch.inference_mode():
        for rows in batch_by_length(np.array([len(text) for text in ids]), BUDGET):
            batch = (
                torch.from_numpy(array).to(device)
                for array in pad_batch([ids[i] for i in rows], pad)
            )
            found |= zip(rows.tolist(), module(*batch).float().cpu().numpy(), strict=True)
    return np.array([found[row] for row in range(len(ids))], np.float32)


def compute_mean_logits(
    module: "torch.nn.Module", texts: Sequence[Sequence[Sequence[int]]], pad: int
) -> Array:
    """Return the mean over each text's pieces of their logits (n x labels, float32)."""
    counts = np.array([len(pieces) for pieces in texts], np.int64)
    found = compute_logits(module, [piece for pieces in texts for piece in pieces], pad)
    if (counts == 1).all():
        return found
    starts = np.concatenate([[0], counts.cumsum()[:-1]])
    sums = np.add.reduceat(found.astype(np.float64), starts, axis=0)
    return (sums / counts[:, None]).astype(np.float32)


def read_pad_token(config: str) -> int:
    """Return the token that fills short rows."""
    return int(json.loads(config).get("pad_token_id") or 0)


@contextmanager
def limit_threads(threads: int) -> Iterator[None]:
    """Let torch compute with so many threads inside the block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
