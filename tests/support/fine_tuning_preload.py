"""Imported by the server that fine-tuning's tests fork from: what each run would load anew.

Half of a small run's CPU time went into finding which distributions are installed, parsing our own
code and importing what DVCLive needs. Nothing here starts a thread: a fork would lack it.
"""

import dvc.repo
import dvc.scm  # noqa: F401 - both are what DVCLive loads when it begins
import transformers.models.bert.modeling_bert  # noqa: F401

import stages.fine_tuning.candidate
import stages.fine_tuning.planning
import stages.fine_tuning.runner  # noqa: F401
from stages.runner import imports

imports.hash_code("fine_tune")
imports.list_versions("fine_tune")
