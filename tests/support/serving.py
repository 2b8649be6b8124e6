"""The service for the tests: in this process, or as the real process that it is in production."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from serve.http.app import create_app

Json = dict[str, Any]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
START_SECONDS = 30.0


def clean_environment() -> dict[str, str]:
    """Return the environment without any setting of the service."""
    kept = os.environ.items()
    return {k: v for k, v in kept if not k.startswith("SERVE_") and k != "MODELS_DIR"}


@contextmanager
def serving(models: Path, default: str | None = None, **settings: str) -> Iterator[TestClient]:
    """Serve a models folder in this process; ``settings`` are variables without SERVE_."""
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(clean_environment()):
            patch.delenv(name)
        patch.setenv("MODELS_DIR", str(models))
        named = {**settings, "default_task": default or ""}
        for name, value in named.items():
            patch.setenv(f"SERVE_{name.upper()}", value)
        app = create_app()
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@dataclass
class Server:
    """A running server process; ``log`` is what it has written so far."""

    url: str
    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def workers(self) -> list[int]:
        """Return the process ids of the workers that live, as /proc lists them."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(child) for child in children if _is_worker(child)]

    def log_lines(self) -> list[Json]:
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def wait_until_ready(self, path: str = "/health") -> None:
        """Return when ``path`` is answered with 200; raise TimeoutError if it never is."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}{path}").status_code == 200:
                    return
            assert self.process.poll() is None, self.log
            time.sleep(0.02)
        raise TimeoutError(f"{self.url}{path} was not answered with 200: {self.log}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server_process(models: Path, *command: str, **settings: str) -> Iterator[Server]:
    """Run ``python -m serve``, or ``python -m`` another command; fail if it logs a traceback."""
    port = free_port()
    words = command or ("serve",)
    arguments = [word.replace("PORT", str(port)) for word in words]
    environment = clean_environment() | {"MODELS_DIR": str(models), "SERVE_PORT": str(port)}
    environment |= {f"SERVE_{name.upper()}": value for name, value in settings.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments], env=environment, stderr=subprocess.PIPE, text=True
    )
    server = Server(f"http://127.0.0.1:{port}", process)
    reader = threading.Thread(target=_read, args=(server,), daemon=True)
    reader.start()
    try:
        server.wait_until_ready()
        yield server
    finally:
        _stop(process)
        reader.join()
        assert "Traceback" not in server.log, server.log


def _is_worker(pid: str) -> bool:
    return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()


def _read(server: Server) -> None:
    for line in server.process.stderr or ():
        server.lines.append(line)


def _stop(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


@dataclass
class Load:
    """Clients that ask without pause over kept-alive connections, until told to stop."""

    url: str
    row: Json
    clients: int = 4
    answered: list[int] = field(default_factory=list)  # statuses
    lost: list[str] = field(default_factory=list)  # requests that were sent and never answered
    versions: set[str] = field(default_factory=set)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Load":
        self._threads = [threading.Thread(target=self._ask) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        with httpx.Client() as client:
            while not self._stopping.is_set():
                try:
                    response = client.post(self.url, json=self.row)
                except httpx.ConnectError:
                    return  # the server takes no more connections: it has ended
                except httpx.TransportError as error:
                    self.lost.append(repr(error))
                else:
                    self.answered.append(response.status_code)
                    self.versions.add(response.json().get("version", ""))


def samples(text: str) -> Samples:
    """Read the exposition with the reference parser."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))
