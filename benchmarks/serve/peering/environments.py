"""A virtual environment for each peer, with its newest release from the package index."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.serve.peering.peer import PEERS, Peer
from commands.registry.artifact import LOCK
from stages.runner import imports

BIN = Path(sys.executable).parent


def all_installed(folder: Path) -> Iterator[tuple[Peer, Path]]:
    """Yield each peer with the folder of its programs; say which ones cannot be installed."""
    for peer in PEERS:
        try:
            yield peer, installed(peer, folder)
        except subprocess.CalledProcessError as error:
            print(f"{peer.name}: cannot be installed: {error.stderr.strip()[-1_500:]}")


def installed(peer: Peer, folder: Path) -> Path:
    """Return the folder of the peer's programs, made where it is not there.

    Raises CalledProcessError with what uv said where it cannot be made.
    """
    if not peer.needs:
        return BIN
    environment = folder / peer.name.replace(" ", "-").lower()
    done = environment / "done"
    if not done.exists():
        uv = str(BIN / "uv")
        run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(environment))
        python = str(environment / "bin/python")
        run(uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *peer.needs,
            *pinned())  # fmt: skip
        done.touch()
    return environment / "bin"


def pinned() -> Iterator[str]:
    """Yield what loading the pipeline needs, in the releases that it was pickled with."""
    lock = LOCK.read_text(encoding="utf-8")
    wanted = imports.list_libraries(imports.list_modules(Path("stages/shared/features.py")))
    for name in {*wanted, "joblib", "scipy"}:
        yield next(line.split()[0] for line in lock.splitlines() if line.startswith(f"{name}=="))


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
