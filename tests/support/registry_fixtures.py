"""A small exported task beside an MLflow store of its own, and kills at chosen moments."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from commands.registry import pictures, register
from commands.workspace import provenance
from commands.workspace.provenance import Workspace
from stages import export
from stages.runner import declare
from stages.shared.curves import write_curve
from stages.shared.storage import read_json, write_json
from tests.support.evaluate_fixtures import SETTINGS
from tests.support.export_fixtures import build_fixture, evaluate_fixture

ROOT = Path(__file__).resolve().parents[2]
TASK = "demo"
PROMOTION = {
    "accept": ["first", "better"],
    "confidence": 0.97,
    "slice_confidence": 0.99,
    "margin": 0.01,
    "resamples": 200,
    "min_slice_rows": 30,
}
WORKSPACE = Workspace(commit="a" * 40, is_changed=False, lock="b" * 64, out="c" * 32 + ".dir")


def make_world(root: Path) -> None:
    """Leave in ``root`` all that the pipeline leaves of the task ``demo``, and our code."""
    build_fixture(root, "binary", "linear", rows=120)
    params = root / "params.yaml"
    yaml = YAML()
    content = yaml.load(params.read_text(encoding="utf-8"))
    content["task"][TASK] |= {"source": "sample", "split": {"seed": 1}, "cv": {"folds": 3}}
    content |= {"promotion": PROMOTION, "device": "cpu", "evaluation": SETTINGS}
    with params.open("w", encoding="utf-8") as file:
        yaml.dump(content, file)
    for name in ("stages", "serve", "requirements.lock"):
        (root / name).symlink_to(ROOT / name)
    curves = root / "data/candidates" / TASK / "linear/curves"
    with pytest.MonkeyPatch.context() as patch:
        enter(root, patch)
        write_curve(curves, [(50, 0.7, 0.8), (100, 0.5, 0.6)])
        evaluate_fixture("linear")
        export.main(TASK)


def enter(root: Path, patch: pytest.MonkeyPatch) -> None:
    """Make a world the working directory; it is no repository, so say what its commit is."""
    patch.chdir(root)
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    patch.setattr(register, "read_workspace", lambda _: WORKSPACE)
    patch.setattr(provenance, "read_workspace", lambda _: WORKSPACE)
    patch.setattr(pictures, "draw", lambda *_: None)
    declare.read_params.cache_clear()


def spoil(root: Path, amount: float = 3.0) -> None:
    """Export another model in place of the one that is there: its weights are disturbed."""
    _refit(root, lambda estimator: _disturb(estimator, amount))


def retitle(root: Path, title: str) -> None:
    """Make the content another one, and every answer the same."""
    path = root / "models" / TASK / "manifest.json"
    write_json(path, {**read_json(path), "title": title})


def _disturb(estimator: Any, amount: float) -> None:
    estimator.coef_[:, ::2] += amount


def _refit(root: Path, change: Callable[[Any], None]) -> None:
    import joblib

    champion = root / "data/evaluated" / TASK / "champion.joblib"
    pipeline = joblib.load(champion)
    change(pipeline["estimator"])
    joblib.dump(pipeline, champion)
    joblib.dump(pipeline, root / "data/candidates" / TASK / "linear/model.joblib")
    declare.read_params.cache_clear()
    export.main(TASK)


class Killed(BaseException):
    """Stands for a kill: nothing of ours catches it."""


@dataclass
class Killer:
    """Ends the process, so to say, at the n-th moment that something outside it changes."""

    at: int
    seen: list[str] = field(default_factory=list)

    def __call__(self, name: str) -> None:
        self.seen.append(name)
        if len(self.seen) == self.at:
            raise Killed(f"{self.at}: {name}")


CHANGES = {
    "mlflow.store.tracking.sqlalchemy_store:SqlAlchemyStore": (
        "create_experiment",
        "create_run",
        "update_run_info",
        "log_batch",
        "log_inputs",
        "log_outputs",
        "set_tag",
        "set_experiment_tag",
        "create_logged_model",
        "finalize_logged_model",
        "set_logged_model_tags",
    ),
    "mlflow.store.model_registry.sqlalchemy_store:SqlAlchemyStore": (
        "create_registered_model",
        "create_model_version",
        "update_registered_model",
        "update_model_version",
        "set_model_version_tag",
        "set_registered_model_alias",
    ),
    "mlflow.store.artifact.local_artifact_repo:LocalArtifactRepository": (
        "log_artifact",
        "log_artifacts",
    ),
    "pathlib:Path": ("replace",),
}


@contextmanager
def killed_at(moment: int) -> Iterator[Killer]:
    """Kill before or after the changes in turn: 1 is before the first one, 2 after it."""
    killer = Killer(moment)
    with pytest.MonkeyPatch.context() as patch:
        for place, names in CHANGES.items():
            module, _, owner = place.partition(":")
            for name in names:
                _surround(patch, f"{module}.{owner}.{name}", killer)
        yield killer


def _surround(patch: pytest.MonkeyPatch, target: str, killer: Killer) -> None:
    module, owner, name = target.rsplit(".", 2)
    found = getattr(__import__(module, fromlist=[owner]), owner)
    original = getattr(found, name)

    def surrounded(*args: Any, **kwargs: Any) -> Any:
        killer(f"before {name}")
        result = original(*args, **kwargs)
        killer(f"after {name}")
        return result

    patch.setattr(found, name, surrounded)


def copied(world: Path, target: Path) -> Path:
    """Return a copy of a world; a store inside it knows absolute paths, so it has none yet."""
    shutil.copytree(world, target, symlinks=True)
    return target
