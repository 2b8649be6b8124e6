"""How a stage says what it reads, writes and is set by, and gets exactly that.

Each stage file holds one ``Stage``. ``python -m commands compose`` writes ``dvc.yaml`` from it, and
``Stage.load`` hands over only the parameters it declares: any other is an AttributeError (and a
type error before that), not a model that goes stale unnoticed.
"""

import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from ruamel.yaml import YAML

from stages.runner import lifeline, stopwatch
from stages.shared.errors import PipelineError, run_plainly
from stages.shared.frozen import Frozen

PARAMS_FILE = Path("params.yaml")
COMPOSED = Path("data/composed")  # what the guard writes: see `format_params`, `format_code`


@dataclass(frozen=True)
class At:
    """Where in ``params.yaml`` a field's value stands, e.g. ``At("task.{task}.split")``."""

    key: str


class Params(Frozen):
    """Base of a stage's parameters: each field is annotated with ``At(key)``."""

    @classmethod
    def list_keys(cls) -> dict[str, str]:
        """Return the key template of each field."""
        found = ((name, part) for name, info in cls.model_fields.items() for part in info.metadata)
        return {name: part.key for name, part in found if isinstance(part, At)}


P = TypeVar("P", bound=Params)


@dataclass(frozen=True)
class Stage(Generic[P]):
    """One stage for each task, or for each task and model or encoder, named in ``over``.

    ``desc``, ``deps``, ``outs`` and ``metrics`` may hold ``{task}``, ``{model}`` or ``{encoder}``,
    ``{source}`` and ``{window}``, the paths of the task's table and of later rows, and
    ``{weights}``, the folder of an encoder's. A dependency with ``{candidate}`` stands for one path
    a model or encoder of the task. A ``persistent`` stage replaces its outputs itself. ``effort``
    says about how many times as long as most it takes: side by side it is started first.

    Two kinds of files no hash covers: ``measures`` of time and memory, which differ from run to
    run, and ``scratch``, where a stage keeps unfinished work. DVC does not know them: a metric
    that no commit has fails every ``dvc metrics diff``.
    """

    verb: str
    desc: str
    params: type[P]
    over: tuple[str, ...] = ("task",)
    deps: tuple[str, ...] = ()
    outs: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    scratch: tuple[str, ...] = ()
    persistent: bool = False
    effort: int = 1
    runs_models: bool = False  # loads fitted models, so their libraries are its own

    @property
    def needs_window(self) -> bool:
        """Whether it reads a task's ``{window}``: a task without one has no such stage."""
        return "{window}" in self.deps

    def load(self, **item: str) -> P:
        """Read this stage's parameters for one task (and model).

        Raises PipelineError for a missing key, an unknown one or a wrong type.
        """
        return load_params(self.params, self.find_params(item), **item)

    def fingerprint(self, **item: str) -> str:
        """Return the SHA-256 of the declared parameters' values for one task (and model)."""
        content = read_params(self.find_params(item))
        keys = sorted(key.format(**item) for key in self.params.list_keys().values())
        values = json.dumps({key: lookup(content, key) for key in keys}, sort_keys=True)
        return hashlib.sha256(values.encode()).hexdigest()

    def format_params(self, item: Mapping[str, str]) -> str:
        """Return the path of the stage's parameters; ``item`` may hold templates of DVC."""
        name = "-".join([self.verb, *(item[axis] for axis in self.over[1:])])
        return f"{COMPOSED.as_posix()}/{item['task']}/{name}.yaml"

    def format_code(self) -> str:
        """Return the path of the list of code and libraries that the stage runs."""
        return f"{COMPOSED.as_posix()}/{self.verb}.yaml"

    def find_params(self, item: Mapping[str, str]) -> Path:
        """Return the file that DVC holds the stage by: the guard writes it.

        ``params.yaml``, which it is taken from, stands in where no guard has run.
        """
        path = Path(self.format_params(item))
        return path if path.exists() else PARAMS_FILE

    def run(self, work: Callable[..., None]) -> None:
        """Run ``work`` with the words of the command line; say what went wrong in plain words."""
        words = sys.argv[1:]
        if len(words) < len(self.over):
            sys.exit(f"usage: python -m stages.{self.verb} {' '.join(self.over).upper()}")
        lifeline.hold()
        own = self.find_params(dict(zip(self.over, words, strict=False)))
        with stopwatch.time_stage([self.verb, *words]):
            run_plainly(
                f"{self.verb} {' '.join(words)}",
                lambda: check_libraries(own, Path(self.format_code())),
                lambda: work(*words),
            )


def load_params(kind: type[P], path: Path, **item: str) -> P:
    """Read from ``path`` what ``kind`` declares, for one item; errors as ``Stage.load``."""
    content = read_params(path)
    keys = {name: key.format(**item) for name, key in kind.list_keys().items()}
    values = {name: lookup(content, key) for name, key in keys.items()}
    return kind.parse(values, f"{PARAMS_FILE} ({', '.join(keys.values())})")


@cache
def read_params(path: Path = PARAMS_FILE) -> Any:
    """Parse a file of parameters the way DVC does, so that both see the same values.

    Raises PipelineError where the file is not there.
    """
    if not path.exists():
        raise PipelineError(f"{path} is not here: run `make compose` in the repository")
    with path.open(encoding="utf-8") as file:
        return YAML(typ="safe").load(file)


def lookup(content: Any, key: str) -> Any:
    """Return the value at a dotted key; raises PipelineError that names the first part missing."""
    value = content
    for depth, part in enumerate(key.split("."), 1):
        if not isinstance(value, dict) or part not in value:
            missing = ".".join(key.split(".")[:depth])
            raise PipelineError(f"{PARAMS_FILE} has no {missing}: run `make compose`")
        value = value[part]
    return value


def check_libraries(*paths: Path) -> None:
    """Raise PipelineError where an installed library is not the version that a file names."""
    named = [read_params(path).get("libraries", {}) for path in paths if path.exists()]
    wrong = [
        f"  {name}: {found} is installed, libraries.{name} says {declared}"
        for name, declared in {key: value for each in named for key, value in each.items()}.items()
        if (found := _find_version(name)) != declared
    ]
    if wrong:
        listing = "\n".join(wrong)
        raise PipelineError(
            f"this environment is not the declared one:\n{listing}\nrun `make install`"
        )


def _find_version(name: str) -> str:
    """Return the version without its local part, as in ``2.13.0+cpu``: that names a build of it."""
    try:
        return importlib.metadata.version(name).split("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return "nothing"
