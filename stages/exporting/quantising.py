"""Makes a transformer a quarter as large and three times as fast, where the metric allows it."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from stages.evaluating.metrics import Metric, Rows, Terms
from stages.exporting.manifest import Precision, Variant
from stages.exporting.parity import Answering, Array


def quantised(content: bytes) -> bytes:
    """Return an ONNX model with its weights, and its products of matrices, in int8.

    What the weights are multiplied with is scaled at run time, by its own extremes: that is called
    dynamic quantisation. Weights have a scale for each channel, and 7 bits: with all 8 the sums
    overflow on processors without VNNI, and answers would depend on the machine.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    model = onnx.load_from_string(content)
    add_pre_process_metadata(model)  # else it warns that shapes should be known, and infers them
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        quantize_dynamic(
            model, path, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8
        )
        return path.read_bytes()


@dataclass(frozen=True)
class Answered:
    """A model's size, and its answers (n x labels): to the validation rows, and to all rows."""

    size: int
    validation: Array
    all_rows: Array

    @classmethod
    def by(cls, model: Answering, content: bytes, validation: Array, all_rows: Array) -> "Answered":
        return cls(len(content), model.predict(validation), model.predict(all_rows))


@dataclass(frozen=True)
class Judge:
    """What decides: a metric on rows whose classes are ``truth``, and the most it may lose."""

    metric: Metric
    terms: Terms
    truth: Array
    most_loss: float

    def judge(self, fp32: Answered, int8: Answered) -> Precision:
        """Return what int8 costs and saves, and so which of them is shipped.

        On rows other than validation's answers are compared without a look at the truth.
        """
        full, small = (self._variant(it) for it in (fp32, int8))
        loss = None
        if full.value is not None and small.value is not None:
            loss = (full.value - small.value) * self.metric.direction
        return Precision(
            shipped="int8" if loss is not None and loss <= self.most_loss else "fp32",
            metric=self.metric.name,
            rows=len(self.truth),
            fp32=full,
            int8=small,
            loss=loss,
            most_loss=self.most_loss,
            same_label=float(np.mean(self._decided(fp32) == self._decided(int8))),
            largest_difference=float(np.abs(fp32.all_rows - int8.all_rows).max()),
        )

    def _variant(self, answered: Answered) -> Variant:
        value = self.metric.of(Rows(self.truth, answered.validation, self.terms))
        return Variant(bytes=answered.size, value=value if np.isfinite(value) else None)

    def _decided(self, answered: Answered) -> Array:
        nothing = np.zeros(len(answered.all_rows), np.int64)
        return Rows(nothing, answered.all_rows, self.terms).decision
