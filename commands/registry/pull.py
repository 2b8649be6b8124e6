"""Puts a registered model where the service reads it: ``python -m commands pull heart@champion``.

The service itself knows nothing of MLflow: it takes over what changes in its models folder.
"""

import tempfile
from pathlib import Path

from commands.registry.args import model_asked, parser
from commands.registry.restoring import fetch, install
from commands.registry.store import registry
from stages.runner.declare import run_plainly


def main() -> None:
    """Replace the task's folder as a whole, or leave it as it is and say why."""
    words = parser("pull", __doc__)
    words.add_argument("--into", type=Path, default=Path("models"), help="the models folder")
    asked, task, version = model_asked(words)
    pull(task, version, asked.into)


def pull(task: str, name: str, models: Path) -> None:
    """Fetch a version by number or alias, have it prove itself, and install it."""
    with registry() as store, tempfile.TemporaryDirectory() as folder:
        version = store.version(task, name)
        files = fetch(version, Path(folder))
        install(files, version, None if name.isdecimal() else name, models)
        print(f"{models / task} is version {version.version} of {task} ({name})")


if __name__ == "__main__":
    run_plainly("pull", main)
