"""The pipeline's state at one time: its lock, its parameters, and the files behind them."""

import io
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from commands.review.commits import Commit
from commands.review.store import MissingError, Store
from commands.workspace.lockfile import LOCK
from stages.runner.declare import PARAMS_FILE


@dataclass(frozen=True)
class Snapshot:
    """A name for people, every stage's entry in ``dvc.lock``, and ``params.yaml``."""

    name: str
    stages: dict[str, Any]
    params: dict[str, Any]
    store: Store

    @classmethod
    def of(cls, commit: Commit, store: Store) -> "Snapshot":
        """Return the state that a commit describes; without a ``dvc.lock`` it has no stages."""
        return cls.parse(commit.name, commit.read(LOCK), commit.read(PARAMS_FILE), store)

    @classmethod
    def here(cls, store: Store) -> "Snapshot":
        """Return the workspace's state."""
        lock, params = (_text(store.root / path) for path in (LOCK, PARAMS_FILE))
        return cls.parse("here", lock, params, store)

    @classmethod
    def parse(cls, name: str, lock: str | None, params: str | None, store: Store) -> "Snapshot":
        yaml = YAML(typ="safe")
        stages = (yaml.load(lock or "") or {}).get("stages") or {}
        return cls(name, stages, yaml.load(params or "") or {}, store)

    @property
    def tasks(self) -> list[str]:
        """The tasks that are declared and of which something was evaluated."""
        return [task for task in self.params.get("task", {}) if f"evaluate-{task}" in self.stages]

    @cached_property
    def digests(self) -> dict[str, str]:
        """The MD5 of every output."""
        outs = [out for stage in self.stages.values() for out in stage.get("outs", [])]
        return {out["path"]: out["md5"] for out in outs if "md5" in out}

    def fetch(self, paths: list[str]) -> None:
        self.store.fetch(self.digests[path] for path in paths if path in self.digests)

    def read(self, path: str) -> bytes:
        """Return an output's content; raises MissingError with the reason."""
        if path not in self.digests:
            raise MissingError(f"{path} is not among the outputs in dvc.lock")
        return self.store.read(path, self.digests[path])

    def json(self, path: str) -> Any:
        return json.loads(self.read(path))

    def frame(self, path: str) -> pd.DataFrame:
        return pd.read_parquet(io.BytesIO(self.read(path)))


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
