"""What ``conf/`` composes to, as DVC itself composes it with Hydra."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.utils.hydra import compose_and_dump
from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException
from ruamel.yaml import YAML
from yaml import YAMLError

from stages.composing.files import CONF, explain_missing_key
from stages.runner.declare import PARAMS_FILE
from stages.shared.errors import PipelineError


def compose_params(overrides: Sequence[str] = (), conf: Path = CONF) -> str:
    """Return the text that DVC itself composes from ``conf/`` with Hydra's ``overrides``.

    Raises PipelineError for a key or a file that is not there, and where Hydra refuses.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, PARAMS_FILE.name)
        try:
            compose_and_dump(output, str(conf.resolve()), None, "config", "", list(overrides))
        except InterpolationKeyError as error:
            key = str(error).partition("'")[2].partition("'")[0]
            raise PipelineError(explain_missing_key(key)) from error
        except MissingConfigException as error:
            names = ", ".join(error.options or [])
            raise PipelineError(
                f"there is no conf/{error.missing_cfg_file}.yaml; there are {names}: see the "
                "defaults in conf/config.yaml"
            ) from error
        except (OmegaConfBaseException, HydraException, DvcException, YAMLError) as error:
            reason = str(error) or str(error.__cause__) or type(error).__name__
            raise PipelineError(f"conf/ does not compose: {reason}") from error
        return output.read_text(encoding="utf-8")


def read_yaml(text: str) -> Any:
    """Return what a text of YAML 1.2 holds, read as DVC reads it."""
    return YAML(typ="safe").load(text)


def list_differences(found: Any, expected: Any, key: str = "") -> list[str]:
    """Return one line for each key whose values differ, with both values."""
    if isinstance(found, dict) and isinstance(expected, dict):
        keys = dict.fromkeys([*expected, *found])
        parts = [(f"{key}.{k}".lstrip("."), found.get(k), expected.get(k)) for k in keys]
        return [line for name, old, new in parts for line in list_differences(old, new, name)]
    return [] if found == expected else [f"  {key}: {found!r} here, {expected!r} in conf/"]
