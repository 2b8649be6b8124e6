"""The pipeline's state at one time: its lock, its parameters, and the files behind them."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from commands.review.commits import Commit
from commands.review.store import MissingError, Store
from commands.workspace.lockfile import list_output_hashes, read_stages, read_text
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
        return cls.parse(commit.name, commit.read, store)

    @classmethod
    def here(cls, store: Store) -> "Snapshot":
        """Return the workspace's state."""
        return cls.parse("here", lambda path: read_text(store.root / path), store)

    @classmethod
    def parse(cls, name: str, read: Callable[[Path], str | None], store: Store) -> "Snapshot":
        params = YAML(typ="safe").load(read(PARAMS_FILE) or "") or {}
        return cls(name, read_stages(read), params, store)

    @property
    def tasks(self) -> list[str]:
        """The tasks that are declared and of which something was evaluated."""
        return [task for task in self.params.get("task", {}) if f"evaluate-{task}" in self.stages]

    @cached_property
    def digests(self) -> dict[str, str]:
        """The MD5 of every output."""
        entries = map(list_output_hashes, self.stages.values())
        return {path: digest for entry in entries for path, digest in entry.items()}

    def fetch(self, paths: list[str]) -> None:
        self.store.fetch(self.digests[path] for path in paths if path in self.digests)

    def read(self, path: str) -> bytes:
        """Return an output's content; raises MissingError with the reason."""
        if path not in self.digests:
            raise MissingError(f"{path} is not among the outputs in dvc.lock")
        return self.store.read(path, self.digests[path])

    def read_json(self, path: str) -> Any:
        return json.loads(self.read(path))

    def read_frame(self, path: str) -> pd.DataFrame:
        return pd.read_parquet(io.BytesIO(self.read(path)))
