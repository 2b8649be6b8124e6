"""The arguments that several commands take. They are checked before a command loads anything."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer


@dataclass(frozen=True)
class Choices:
    """The names of the files in a folder of ``conf/``, as a shell completes and a command takes."""

    folder: Path

    def names(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.yaml"))

    def read(self, name: str) -> str:
        """Return the name; raises BadParameter that lists the choices where it is none of them."""
        if name in (known := self.names()):
            return name
        if known:
            raise typer.BadParameter(
                f"there is no {self.folder}/{name}.yaml; choose from: {', '.join(known)}"
            )
        raise typer.BadParameter(f"{self.folder} has no file: run this in the repository's root")

    def complete(self, incomplete: str) -> list[str]:
        return [name for name in self.names() if name.startswith(incomplete)]

    def as_argument(self, metavar: str) -> Any:
        """Return the argument of a command that takes one of the names."""
        return typer.Argument(
            metavar=metavar,
            parser=self.read,
            autocompletion=self.complete,
            help=f"A file in {self.folder}, without .yaml.",
        )


@dataclass(frozen=True)
class ModelVersion:
    """A registered model: a task with a version's number or an alias."""

    task: str
    version: str


TASKS = Choices(Path("conf/task"))
MODELS = Choices(Path("conf/model"))
SEARCHES = Choices(Path("conf/search"))


def read_model_version(text: str) -> ModelVersion:
    """Read ``heart@champion``; raises BadParameter for anything else."""
    task, _, version = text.partition("@")
    if not task or not version:
        raise typer.BadParameter(
            f"{text!r} is no TASK@VERSION or TASK@ALIAS such as heart@champion"
        )
    return ModelVersion(task, version)


def complete_model_version(incomplete: str) -> list[str]:
    return [f"{name}@champion" for name in TASKS.complete(incomplete.partition("@")[0])]


def read_words(purpose: str) -> Callable[[str], str]:
    """Return what refuses a text that is blank, because the audit log keeps it."""

    def read(text: str) -> str:
        if not text.strip():
            raise typer.BadParameter(f"it is blank: the audit log keeps {purpose}")
        return text.strip()

    return read


Task = Annotated[
    str,
    TASKS.as_argument("TASK"),
]
Model = Annotated[
    str,
    MODELS.as_argument("MODEL"),
]
Version = Annotated[
    ModelVersion,
    typer.Argument(
        metavar="TASK@VERSION",
        parser=read_model_version,
        autocompletion=complete_model_version,
        help="A registered model: by number, or by alias as in heart@champion.",
    ),
]
By = Annotated[
    str,
    typer.Option(
        metavar="NAME", parser=read_words("who decided"), help="Who decides, for the log."
    ),
]
Why = Annotated[
    str,
    typer.Option(metavar="TEXT", parser=read_words("the reason"), help="The reason, for the log."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for a program to read.")]
