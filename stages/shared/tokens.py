"""Texts as token numbers, in batches of similar length so that little is computed for padding."""

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Ids = Sequence[int]


def tokenise_texts(tokenizer: str, texts: Sequence[str]) -> list[list[int]]:
    """Return each text's token numbers, special ones included.

    ``tokenizer`` is the content of a ``tokenizer.json``, whose own truncation applies.
    """
    from tokenizers import Tokenizer

    encodings = Tokenizer.from_str(tokenizer).encode_batch_fast(list(texts))
    return [encoding.ids for encoding in encodings]


def tokenise_pieces(tokenizer: str, texts: Sequence[str], windows: int) -> list[list[list[int]]]:
    """Return the token numbers of each text's pieces, at most ``windows`` of them.

    A piece is as long as the tokenizer's truncation has it, with special tokens of its own.
    """
    from tokenizers import Tokenizer

    encodings = Tokenizer.from_str(tokenizer).encode_batch_fast(list(texts))
    return [
        [piece.ids for piece in [encoding, *encoding.overflowing][:windows]]
        for encoding in encodings
    ]


def batch_by_length(lengths: Array, budget: int) -> list[Array]:
    """Return row numbers in batches, the longest texts first.

    A batch holds as many rows as fit into ``budget`` tokens with padding (rows x longest text),
    and at least one.
    """
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        count = max(1, budget // max(1, int(lengths[order[start]])))
        batches.append(order[start : start + count])
        start += count
    return batches


def pad_batch(ids: Sequence[Ids], pad: int) -> tuple[Array, Array]:
    """Return token numbers (rows x longest text) and the mask: 1 for a token, 0 for padding."""
    longest = max(len(text) for text in ids)
    numbers = np.full((len(ids), longest), pad, np.int64)
    mask = np.zeros((len(ids), longest), np.int64)
    for row, text in enumerate(ids):
        numbers[row, : len(text)], mask[row, : len(text)] = text, 1
    return numbers, mask
