"""Writes an experiment's values into ``conf/``: ``python -m commands adopt-experiment [NAME]``.

Without a name, those that ``params.yaml`` holds and ``conf/`` does not: of an applied experiment,
or of an edit by hand. Changes these values and nothing else in the files; review them with git.
"""

from commands.experiments.adopting.conf_files import write_values
from commands.shared.trees import describe_changes, flatten
from commands.workspace.compose import compose
from commands.workspace.overrides import find_experiment_overrides, find_overrides
from stages.composing.config import compose_params, read_yaml
from stages.shared.errors import PipelineError


def adopt_experiment(name: str | None) -> str:
    """Write the values of an experiment, or of ``params.yaml``, and return what was written.

    Raises PipelineError where there is nothing to write, or ``conf/`` cannot hold it.
    """
    composed = compose_params()
    values = (find_experiment_overrides(name) if name else find_overrides(composed)).values
    given = flatten(read_yaml(composed))
    if not any(given.get(key) != value for key, value in values.items()):
        whose = f"experiment {name} sets" if name else "params.yaml holds"
        raise PipelineError(f"{whose} nothing that conf/ does not give: nothing to adopt")
    changed = write_values(values)
    compose(discard=True)
    return f"{describe_changes(values, given)}\nwritten to {', '.join(map(str, changed))}"
