"""Which stages ran since the base and why, by what both locks say."""

from dataclasses import dataclass
from typing import Any, Literal

from ruamel.yaml import YAML

from commands.review.store import MissingError, Store
from commands.shared.trees import find_changes, flatten
from stages.runner.declare import COMPOSED

Entry = dict[str, Any]
GONE = object()


@dataclass(frozen=True)
class Ran:
    """A stage whose entry in ``dvc.lock`` differs from the base's.

    ``causes`` are the files, libraries and parameters that changed by themselves, ``command`` says
    whether its command did, ``after`` the stages before it whose outputs changed; ``same`` says
    that its own outputs are the base's all the same.
    """

    name: str
    state: Literal["ran", "new"]
    causes: tuple[str, ...] = ()
    command: bool = False
    after: tuple[str, ...] = ()
    same: bool = False


@dataclass(frozen=True)
class Stages:
    """Every stage of the pipeline here, by what became of it, and those that are gone."""

    ran: tuple[Ran, ...]
    restored: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def total(self) -> int:
        """The number of stages here."""
        return len(self.ran) + len(self.restored)


def compare_stages(base: dict[str, Entry], here: dict[str, Entry], store: Store) -> Stages:
    """Return what became of each stage: with the same entry as in the base it need not run."""
    every = {**base, **here}
    makers = {out["path"]: name for name, entry in every.items() for out in entry.get("outs", [])}
    changed = [name for name, entry in here.items() if entry != base.get(name)]
    ran = (_compare_entries(name, base.get(name), here[name], makers, store) for name in changed)
    return Stages(
        ran=tuple(ran),
        restored=tuple(name for name in here if name not in changed),
        removed=tuple(name for name in base if name not in here),
    )


def _compare_entries(
    name: str, old: Entry | None, new: Entry, makers: dict[str, str], store: Store
) -> Ran:
    if old is None:
        return Ran(name, "new")
    before, now = _read_hashes(old, "deps"), _read_hashes(new, "deps")
    paths = _find_differing_keys(before, now)
    own = [
        cause
        for path in paths
        if path not in makers
        for cause in _name_causes(path, (before.get(path), now.get(path)), store)
    ]
    keys = _find_differing_keys(_read_params(old), _read_params(new))
    command = old.get("cmd") != new.get("cmd")
    after = dict.fromkeys(makers[path] for path in paths if path in makers)
    same = _read_hashes(old, "outs") == _read_hashes(new, "outs")
    return Ran(name, "ran", (*keys, *own), command, tuple(after), same)


def _name_causes(path: str, digests: tuple[str | None, str | None], store: Store) -> list[str]:
    """Return what differs in a list of code and libraries; of any other file, the file."""
    old, new = digests
    if not (path.startswith(f"{COMPOSED.as_posix()}/") and old and new):
        return [path]
    store.fetch([old, new])
    try:
        listed = [flatten(YAML(typ="safe").load(store.read(path, digest))) for digest in (old, new)]
    except MissingError:
        return [path]
    # Of a file its path, of a library the key that its version has in params.yaml.
    names = (key[1] if key[0] == "code" else ".".join(key) for key in find_changes(*listed))
    return sorted(names)


def find_outdated(
    declared: set[str], stages: dict[str, Entry], params: dict[str, Any], store: Store
) -> list[str]:
    """Return the stages that ``dvc repro`` would run: the report is not about what lies here.

    Looked at are the stages' own files, folders and parameters.
    """
    made = {
        path: digest
        for entry in stages.values()
        for path, digest in _read_hashes(entry, "outs").items()
    }
    read = {path for entry in stages.values() for path in _read_hashes(entry, "deps")}
    now = {path: store.digest(path) for path in read - set(made)} | made
    stale = [
        name
        for name, entry in stages.items()
        if any(now[path] != digest for path, digest in _read_hashes(entry, "deps").items())
        or any(_read_value(params, key) != value for key, value in _read_params(entry).items())
    ]
    return sorted(declared - set(stages)) + stale


def _read_hashes(entry: Entry, part: str) -> dict[str, str]:
    return {file["path"]: str(file.get("md5")) for file in entry.get(part, [])}


def _read_params(entry: Entry) -> dict[str, Any]:
    files = entry.get("params", {})
    return {key: value for file in files.values() for key, value in file.items()}


def _read_value(params: Any, key: str) -> Any:
    for part in key.split("."):
        params = params.get(part, GONE) if isinstance(params, dict) else GONE
    return params


def _find_differing_keys(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return the keys, first the old ones, whose values differ or that only one side has."""
    keys = dict.fromkeys([*old, *new])
    return [key for key in keys if old.get(key, GONE) != new.get(key, GONE)]
