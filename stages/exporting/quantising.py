"""Makes a transformer a quarter as large and three times as fast, where the metric allows it."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from serve.runtime.manifest import Precision, Variant
from stages.evaluating.metrics import DecisionRule, Metric, Rows
from stages.exporting.parity import Array, Predictor


def quantise_model(content: bytes) -> bytes:
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
class Answers:
    """A model's size, and its answers (n x labels): to rows it has not learnt from, and to all."""

    size: int
    unseen: Array
    all_rows: Array

    @classmethod
    def by(cls, model: Predictor, content: bytes, unseen: Array, all_rows: Array) -> "Answers":
        return cls(len(content), model.predict(unseen), model.predict(all_rows))


@dataclass(frozen=True)
class Judge:
    """What decides: a metric, how answers become decisions, and the most that it may lose."""

    metric: Metric
    rule: DecisionRule
    most_loss: float

    def judge(self, fp32: Answers, int8: Answers) -> Precision:
        """Return what int8 costs and saves, and so which of them is shipped.

        Nowhere is a label looked at: the test rows' belong to `evaluate`, and to all others the
        network has adapted. What counts as the truth is how likely fp32, which is calibrated, takes
        each label to be, so that a change of a doubtful answer costs less than one of a sure one.
        """
        full, small = (self._variant(answers, fp32.unseen) for answers in (fp32, int8))
        loss = None
        if full.value is not None and small.value is not None:
            loss = (full.value - small.value) * self.metric.direction
        return Precision(
            shipped="int8" if loss is not None and loss <= self.most_loss else "fp32",
            metric=self.metric.name,
            rows=len(fp32.unseen),
            fp32=full,
            int8=small,
            loss=loss,
            most_loss=self.most_loss,
            same_label=float(np.mean(self._decide(fp32) == self._decide(int8))),
            largest_difference=float(np.abs(fp32.all_rows - int8.all_rows).max()),
        )

    def _variant(self, answered: Answers, likely: Array) -> Variant:
        value = estimate_metric(self.metric, answered.unseen, likely, self.rule)
        return Variant(bytes=answered.size, value=value if np.isfinite(value) else None)

    def _decide(self, answered: Answers) -> Array:
        nothing = np.zeros(len(answered.all_rows), np.int64)
        return Rows(nothing, answered.all_rows, self.rule).decision


def estimate_metric(metric: Metric, answers: Array, likely: Array, rule: DecisionRule) -> float:
    """Return the metric of ``answers`` (n x labels) where a label is true as often as ``likely``.

    ``likely`` are probabilities, n x labels. Each row counts once as each label, with its weight.
    """
    n, labels = likely.shape
    rows = Rows(np.tile(np.arange(labels), n), np.repeat(answers, labels, axis=0), rule)
    return float(metric.score(rows, likely.reshape(1, -1))[0])
