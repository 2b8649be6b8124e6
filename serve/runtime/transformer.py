"""Runs a transformer on one text after another, with neither torch nor transformers."""

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from serve.runtime.session import start


class Transformer:
    """A tokenizer, which cuts long texts by itself, and a graph from tokens to probabilities.

    A text is always run alone. In a batch, padding would change the last bits of its answer, and a
    graph in int8 scales its activations by whatever texts stand beside it: more than bits.

    Safe to use from several threads. Raises ValueError for content that is no tokenizer.
    """

    def __init__(self, model: bytes, tokenizer: bytes) -> None:
        try:
            self.tokenizer = Tokenizer.from_buffer(tokenizer)
        except Exception as error:  # the library's errors have no base of their own
            raise ValueError(f"it is no tokenizer: {error}") from error
        self.session: onnxruntime.InferenceSession = start(model)
        self.input: str = self.session.get_inputs()[0].name

    def run(self, text: str) -> list[float]:
        """Return the probability of each label."""
        tokens = np.array([self.tokenizer.encode(text).ids], np.int64)
        answer: list[float] = self.session.run(None, {self.input: tokens})[0][0].tolist()
        return answer
