"""Starts ONNX Runtime for one row at a time."""

from typing import Any

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as states

# ONNX Runtime writes lines of its own to standard error, beside a log of JSON. What it raises says
# the same.
FATAL_ONLY = 4
RUNTIME_ERRORS = (
    states.Fail,
    states.InvalidArgument,
    states.InvalidGraph,
    states.InvalidProtobuf,
    states.NotImplemented,
    states.RuntimeException,
)


def start(content: bytes) -> onnxruntime.InferenceSession:
    """Start a session for one row at a time.

    There a second thread costs more than it saves, and memory of its own gains no time.
    """
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = FATAL_ONLY
    return onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
