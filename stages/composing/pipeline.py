"""``dvc.yaml`` and ``data/composed``, from the stages' declarations and ``params.yaml``."""

import pickle
from functools import cache
from pathlib import Path
from typing import Any

from stages.composing import dvcfile, parameters
from stages.composing.checking import check_configuration, list_stages
from stages.composing.declared import Declared
from stages.composing.labels import Labels
from stages.runner import imports


def render_pipeline(params: Any) -> str:
    """Return the text of ``dvc.yaml``; raises PipelineError for a contract that does not hold."""
    return dvcfile.render_dvc_file(list_stages(), read_declared(params))


def render_stages(params: Any) -> dict[Path, str]:
    """Return the text of each file in ``data/composed``; raises PipelineError as above."""
    stages, declared = list_stages(), read_declared(params)
    return {
        **parameters.render_code(stages, declared, params),
        **parameters.render_parameters(stages, declared, params),
    }


def read_declared(params: Any) -> Declared:
    """Return what a composed ``params.yaml`` declares; raises PipelineError as above."""
    return _read_declared(pickle.dumps(params))


@cache  # whoever composes asks for ``dvc.yaml`` and for ``data/composed`` of the same parameters
def _read_declared(content: bytes) -> Declared:
    found = check_configuration(pickle.loads(content))
    tasks, models = found.tasks, found.models
    return Declared(
        problems={name: task.target.problem for name, task in tasks.items()},
        models={name: list(task.models) for name, task in tasks.items()},
        encoders=found.encoders,
        tuned={name: list(task.tune) for name, task in tasks.items()},
        windows=[name for name, task in tasks.items() if task.window],
        libraries={
            name: imports.find_distribution(model.package) for name, model in models.items()
        },
        labels=Labels(tasks, models),
    )
