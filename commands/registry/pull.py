"""Puts a registered model where the service reads it: ``python -m commands pull heart@champion``.

The service itself knows nothing of MLflow: it takes over what changes in its models folder.
"""

import tempfile
from pathlib import Path

from commands.registry.restoring import fetch, install
from commands.registry.store import registry


def pull(task: str, name: str, models: Path) -> None:
    """Fetch a version by number or alias, have it prove itself, and install it.

    The task's folder is replaced as a whole, or left as it is and a PipelineError says why.
    """
    with registry() as store, tempfile.TemporaryDirectory() as folder:
        version = store.version(task, name)
        files = fetch(version, Path(folder))
        install(files, version, None if name.isdecimal() else name, models)
        print(f"{models / task} is version {version.version} of {task} ({name})")
