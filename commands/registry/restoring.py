"""Brings a registered model's bytes back, proven, and puts them where the service reads them."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.registry.artifact import DATA
from commands.registry.store import CONTENT, download
from serve.runtime.load import load_model
from serve.runtime.manifest import MANIFEST
from serve.runtime.manifest_file import ManifestError
from serve.runtime.registered import REGISTERED
from stages.exporting.publishing import delete_all_but
from stages.shared.errors import PipelineError
from stages.shared.storage import atomic, write_json

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

COMMIT = "mlflow.source.git.commit"


def fetch(version: "ModelVersion", target: Path) -> Path:
    """Return a folder in ``target`` with the version's files, which have proven themselves.

    They come from MLflow, or else from DVC's cache or remote. What is not the registered content,
    or does not give its golden predictions again, is not taken. Raises PipelineError with the
    reason of each place.
    """
    places: dict[str, Callable[[ModelVersion, Path], Path]] = {
        "MLflow": download_from_mlflow,
        "DVC": copy_from_dvc,
    }
    reasons = []
    for name, bring in places.items():
        try:
            folder = bring(version, target / name)
            check(folder, version)
            return folder
        except (PipelineError, ManifestError, OSError) as error:
            reasons.append(f"  {name}: {error}")
    raise PipelineError(
        f"version {version.version} of {version.name} cannot be had:\n" + "\n".join(reasons)
    )


def check(folder: Path, version: "ModelVersion") -> None:
    """Raise ManifestError unless the folder holds what was registered, and it works."""
    found = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    if found != version.tags.get(CONTENT):
        registered = version.tags.get(CONTENT)
        raise ManifestError(f"{MANIFEST} has the sha256 {found}, {registered} was registered")
    load_model(folder)


def download_from_mlflow(version: "ModelVersion", target: Path) -> Path:
    """Download the files; raises PipelineError where they are not there."""
    from mlflow.exceptions import MlflowException

    target.mkdir(parents=True)
    try:
        download(version, f"{DATA}/{version.name}", target)
    except MlflowException as error:
        raise PipelineError(str(error).splitlines()[0]) from error
    return _find_folder(target, str(version.name))


def copy_from_dvc(version: "ModelVersion", target: Path) -> Path:
    """Copy the files out of DVC's cache, which is filled from the remote where it lacks them."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    digest = version.tags.get("dvc.out.md5", "")
    try:
        repo = Repo()
        cache = repo.cache.local
        _pull_missing(repo, [digest])
        entries = json.loads(Path(cache.oid_to_path(digest)).read_bytes())
        _pull_missing(repo, [entry["md5"] for entry in entries])
    except (DvcException, OSError, ValueError) as error:
        raise PipelineError(
            f"neither cache nor remote has {digest or 'the model'}: {error}"
        ) from error
    folder = target / str(version.name)
    folder.mkdir(parents=True)
    for entry in entries:
        shutil.copyfile(cache.oid_to_path(entry["md5"]), folder / entry["relpath"])
    return folder


def install(folder: Path, version: "ModelVersion", alias: str | None, models: Path) -> None:
    """Replace the task's folder in ``models`` so that a reader finds a whole model at any moment.

    Files are named after their content, and the manifest, which names them, comes last.
    """
    target = models / str(version.name)
    names = sorted((path.name for path in folder.iterdir()), key=lambda name: name == MANIFEST)
    for name in names:
        with atomic(target / name) as file:
            file.write((folder / name).read_bytes())
    write_json(target / REGISTERED, describe_registration(version, alias))
    delete_all_but(target, {*names, REGISTERED})


def describe_registration(version: "ModelVersion", alias: str | None) -> dict[str, str | None]:
    """Return what the service tells of a model's place in the registry."""
    return {
        "name": version.name,
        "version": str(version.version),
        "alias": alias,
        "commit": version.tags.get(COMMIT, ""),
        "content": version.tags.get(CONTENT, ""),
    }


def _pull_missing(repo: Any, digests: list[str]) -> None:
    """Ask the remote for the objects that the cache lacks."""
    from dvc_data.hashfile.hash_info import HashInfo

    lacking = [md5 for md5 in digests if not Path(repo.cache.local.oid_to_path(md5)).exists()]
    if lacking:
        repo.cloud.pull([HashInfo("md5", md5) for md5 in lacking])


def _find_folder(folder: Path, name: str) -> Path:
    """Return the folder of that name: how deep a download puts it depends on the store."""
    found = [path.parent for path in folder.rglob(f"{name}/{MANIFEST}")]
    if len(found) != 1:
        raise PipelineError(f"its files hold {len(found)} folders {name} with a {MANIFEST}")
    return found[0]
