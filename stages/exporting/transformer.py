"""Writes a fine-tuned transformer as ONNX, and answers with it exactly as the server does."""

import io
import warnings
from typing import Any, cast

import numpy as np

from serve.runtime.transformer import Transformer
from stages.shared.errors import PipelineError
from stages.shared.finetuned import FineTuned

Array = np.ndarray[Any, np.dtype[Any]]
INPUT, OUTPUT = "input_ids", "probabilities"
OPSET = 17  # the first in which a layer's normalisation is one operator


def to_onnx(model: FineTuned) -> bytes:
    """Return the ONNX model of a fine-tuned transformer, temperature and softmax included.

    It takes ``input_ids``, int64 [N, tokens], the texts of a batch equally long: there is no mask,
    whose operators would take a tenth of the time. It returns ``probabilities``, float64
    [N, labels]. The same model gives the same bytes. Raises PipelineError for one that cannot be
    traced, and for one too large for ONNX.
    """
    import torch

    file = io.BytesIO()
    example = torch.ones((2, 3), dtype=torch.int64)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of shapes that tracing would fix: parity finds out
            torch.onnx.export(
                _remove_padding(model),
                (example,),
                cast(Any, file),  # which is taken, whatever the annotation says
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes={INPUT: {0: "N", 1: "tokens"}, OUTPUT: {0: "N"}},
                opset_version=OPSET,
                dynamo=False,  # takes ten times as long and gives the same answers
            )
    except (RuntimeError, ValueError, TypeError, torch.onnx.OnnxExporterError) as error:
        raise PipelineError(
            f"the transformer cannot be written as ONNX ({error}): take its encoder out of "
            "`encoders` in conf/task"
        ) from error
    return file.getvalue()


def _remove_padding(model: FineTuned) -> Any:
    """Return the network for texts without padding, as a module from tokens to probabilities."""
    import torch

    network: Any = model.module(attention="eager")

    class Unpadded(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            answer = self.network.encoder(input_ids=input_ids)
            if model.pooling == "own":
                logits = answer.logits
            else:
                logits = self.network.head(answer.last_hidden_state.mean(1))
            return torch.softmax(logits.double() / model.temperature, dim=1)

    return Unpadded().eval()


class ExportedTransformer:
    """A transformer as it is served: each text alone, and each different one once.

    Raises PipelineError where ONNX Runtime lacks an operator, or a text may have no token.
    """

    def __init__(self, content: bytes, model: FineTuned) -> None:
        self.model = model
        try:
            self.transformer = Transformer(content, model.tokenizer.encode(), model.windows)
        except Exception as error:  # ONNX Runtime's errors have no base of their own
            raise PipelineError(
                f"ONNX Runtime cannot run the exported transformer ({error}): take its encoder "
                "out of `encoders` in conf/task"
            ) from error
        if not self.transformer.tokenizer.encode("").ids:
            raise PipelineError(
                "the tokenizer gives an empty text no token at all, and nothing can be answered to "
                "nothing: take the encoder out of `encoders` in conf/task, or use one that marks "
                "a text's beginning or end"
            )

    def predict(self, X: Array) -> Array:
        """Return probabilities (rows by labels) for the encoded matrix."""
        texts = self.model.texts(X)
        answers = {text: self.transformer.run(text) for text in dict.fromkeys(texts)}
        return np.array([answers[text] for text in texts])
