"""Starts ONNX Runtime for one row at a time."""

from typing import Any

import onnxruntime

ERRORS_ONLY = 3  # of ONNX Runtime's log levels


def start(content: bytes) -> onnxruntime.InferenceSession:
    """Start a session for one row at a time.

    There a second thread costs more than it saves, and memory of its own gains no time.
    """
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = ERRORS_ONLY
    return onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
