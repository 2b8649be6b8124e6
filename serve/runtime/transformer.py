"""Runs a transformer on one text after another, with neither torch nor transformers."""

from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from serve.runtime.session import start

Array = np.ndarray[Any, np.dtype[np.float64]]
LEAST = 1e-300  # a probability of which there is still a logarithm


class Read(NamedTuple):
    """How many of a text's tokens a model has read, and how many there are."""

    tokens: int
    of: int


class Transformer:
    """A tokenizer, which cuts long texts into pieces, and a graph from tokens to probabilities.

    Of a text up to ``windows`` pieces are run. What answers is the mean of their logits, as in
    training; the graph's probabilities tell them but for a constant.

    A text is always run alone. In a batch, padding would change the last bits of its answer, and a
    graph in int8 scales its activations by whatever texts stand beside it: more than bits.

    Safe to use from several threads. Raises ValueError for content that is no tokenizer.
    """

    def __init__(self, model: bytes, tokenizer: bytes, windows: int = 1) -> None:
        try:
            self.tokenizer = Tokenizer.from_buffer(tokenizer)
        except Exception as error:  # the library's errors have no base of their own
            raise ValueError(f"it is no tokenizer: {error}") from error
        self.session: onnxruntime.InferenceSession = start(model)
        self.input: str = self.session.get_inputs()[0].name
        self.windows = windows
        self._marks: int = self.tokenizer.num_special_tokens_to_add(is_pair=False)

    def run(self, text: str) -> list[float]:
        """Return the probability of each label."""
        return self.run_counting(text)[0]

    def run_counting(self, text: str) -> tuple[list[float], Read]:
        """Return the probability of each label, and how much of the text they are about."""
        encoding = self.tokenizer.encode(text)
        pieces = [encoding, *encoding.overflowing]
        answers = [self._run_piece(piece.ids) for piece in pieces[: self.windows]]
        answer = answers[0] if len(answers) == 1 else average_logits(np.array(answers))
        own = [len(piece.ids) - self._marks for piece in pieces]  # marks, each piece has anew
        return answer, Read(sum(own[: self.windows]), sum(own))

    def _run_piece(self, ids: list[int]) -> list[float]:
        tokens = np.array([ids], np.int64)
        answer: list[float] = self.session.run(None, {self.input: tokens})[0][0].tolist()
        return answer


def average_logits(answers: Array) -> list[float]:
    """Return the probabilities of the pieces' mean logits, from theirs (pieces by labels).

    A logit is the logarithm of a probability but for a constant, which the division takes away.
    """
    mean = np.log(np.maximum(answers, LEAST)).mean(axis=0)
    powers = np.exp(mean - mean.max())
    found: list[float] = (powers / powers.sum()).tolist()
    return found
