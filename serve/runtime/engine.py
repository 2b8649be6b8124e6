"""Runs a model's graph on one row after another, as fast as ONNX Runtime goes."""

import struct
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from serve.runtime.manifest import Manifest
from serve.runtime.session import start
from serve.runtime.text import Layout

if TYPE_CHECKING:
    from serve.runtime.transformer import Read, Transformer


class Engine(Protocol):
    """What answers for one row: the vector of an `Encoder` in, the model's outputs out.

    A slow one takes more than a moment: others should not wait for it.
    """

    is_slow: bool

    def run(self, vector: Sequence[float | str]) -> list[float]:
        """Return the probability of each label, or the one value, for one encoded row."""


class GraphEngine:
    """An ONNX session with one float64 row in and one out, in memory that is used again.

    Each thread has memory of its own, so that several may run at once. A row is always run alone:
    in a batch some kernels add in another order, and the last bits of an answer would depend on
    the row's neighbours.
    """

    is_slow = False

    def __init__(self, content: bytes, manifest: Manifest, layout: Layout) -> None:
        self.session = start(content)
        self.graph, self.layout = manifest.onnx, layout
        self.shape_in = (1, layout.width)
        self.shape_out = (1, manifest.outputs) if manifest.target.labels else (1,)
        self._local = threading.local()

    def run(self, vector: Sequence[float | str]) -> list[float]:
        """Return the probability of each label, or the one value, for one encoded row."""
        try:
            buffers: _Buffers = self._local.buffers
        except AttributeError:
            buffers = self._local.buffers = _Buffers(self)
        if self.layout.texts:
            self.layout.write(vector, buffers.row[0])
        else:
            buffers.pack(buffers.input, 0, *vector)
        self.session.run_with_iobinding(buffers.binding)
        return buffers.output.tolist()


class _Buffers:
    """One thread's memory for a row and for its answer, bound to the session."""

    def __init__(self, engine: GraphEngine) -> None:
        row, answer = np.zeros(engine.shape_in), np.zeros(engine.shape_out)
        self.binding = engine.session.io_binding()
        for bind, name, memory in (
            (self.binding.bind_input, engine.graph.input, row),
            (self.binding.bind_output, engine.graph.output, answer),
        ):
            bind(name, "cpu", 0, np.float64, memory.shape, memory.ctypes.data)
        self.row, self.output = row, answer.ravel()
        self.input = memoryview(row.data).cast("B")
        self.pack = struct.Struct(f"{row.size}d").pack_into


class TransformerEngine:
    """A transformer that reads a row's texts as one; its other columns play no part.

    ``texts`` are the places of the text columns.
    """

    is_slow = True

    def __init__(self, transformer: "Transformer", separator: str, texts: Sequence[int]) -> None:
        self.transformer, self.separator, self.texts = transformer, separator, texts

    def run(self, vector: Sequence[float | str]) -> list[float]:
        """Return the probability of each label for one encoded row."""
        return self.run_counting(vector)[0]

    def run_counting(self, vector: Sequence[float | str]) -> tuple[list[float], "Read"]:
        """Return the probability of each label, and how much of the texts they are about."""
        text = self.separator.join(str(vector[i]) for i in self.texts)
        return self.transformer.run_counting(text)
