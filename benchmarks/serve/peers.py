"""The same model under this service and under others: ``python -m benchmarks.serve.peers heart``.

After `make repro`. Each peer gets a virtual environment of its own in FOLDER (``--folder``, kept
for the next time; without it a temporary one), with its newest release, and serves the pipeline
that `evaluate` chose. It is sent one encoded row a request, and checks nothing; ours is sent the
named columns, and checks them. Interleaved rounds of wrk over loopback, 32 connections, one worker;
CPU time is that of a server's whole tree of processes. Peers that cannot be installed, do not start
or answer wrongly are named and left out.
"""

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.serve.load import SCRIPT, Server, press, running
from benchmarks.serve.peering.environments import all_installed
from benchmarks.serve.peering.peer import Peer
from benchmarks.serve.peering.processes import ROOT, started
from benchmarks.serve.peering.question import Asked
from serve.runtime.load import load_model


def prepare(task: str, folder: Path) -> None:
    """Write what mlflow and MLServer read in place of code."""
    import mlflow.sklearn

    from stages.shared.loading import load_pipeline

    path = champion(task)
    mlflow.sklearn.save_model(
        load_pipeline(path),
        folder / "mlflow",
        serialization_format="cloudpickle",
        pip_requirements=[],
        pyfunc_predict_fn="predict_proba",
    )
    settings = {"debug": False, "host": "127.0.0.1", "parallel_workers": 0}
    model = {
        "name": "champion",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(path)},
    }
    (folder / "mlserver").mkdir()
    (folder / "mlserver/settings.json").write_text(json.dumps(settings))
    (folder / "mlserver/model-settings.json").write_text(json.dumps(model))


def champion(task: str) -> Path:
    return ROOT / "data/evaluated" / task / "champion.joblib"


def enter(
    stack: ExitStack, peer: Peer, programs: Path, asked: Asked, folder: Path, port: int
) -> Server | None:
    """Start a peer and see that it answers rightly; say why, where that fails."""
    try:
        command = peer.command.format(port=port, folder=folder)
        log = folder / f"{port}.log"
        server = stack.enter_context(started(peer, command, programs, log, port))
        if asked.is_answered(server.url, peer.body(asked.encoded)):
            return server
        print(f"{peer.name}: left out, because it gives another answer")
    except OSError as error:
        print(f"{peer.name}: left out: {error}")
    return None


def script(folder: Path, number: int, body: Any) -> Path:
    """Write what wrk sends."""
    content, path = folder / f"{number}.json", folder / f"{number}.lua"
    content.write_text(json.dumps(body))
    path.write_text(SCRIPT.format(body=content))
    return path


def compare(
    task: str, peers: list[tuple[Peer, Path]], folder: Path, rounds: int, seconds: float, port: int
) -> None:
    """Print every server's medians over the rounds, and how many times ours it takes."""
    asked = Asked.of(load_model(ROOT / "models" / task))
    os.environ |= {"MODEL": str(champion(task)), "MODELS_DIR": str(ROOT / "models")}
    with ExitStack() as stack:
        path = f"/predict/{task}"
        ours = stack.enter_context(running("this service", "serve.http.app:app", port, path))
        servers = [(ours, script(folder, 0, asked.named))]
        for number, (peer, programs) in enumerate(peers, 1):
            if server := enter(stack, peer, programs, asked, folder, port + number):
                servers.append((server, script(folder, number, peer.body(asked.encoded))))
        for _ in range(rounds):
            for server, sent in servers:
                press(server, sent, seconds)
        print("\n".join(table([server for server, _ in servers])))
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def table(servers: list[Server]) -> Iterator[str]:
    yield "| server | requests/s | CPU µs a request | times ours | s to ready | MB |"
    yield "|---|--:|--:|--:|--:|--:|"
    for it in servers:
        ratios = [cost / ours for cost, ours in zip(it.costs, servers[0].costs, strict=True)]
        rate, cost, ratio = map(statistics.median, (it.rates, it.costs, ratios))
        yield (
            f"| {it.name} | {rate:,.0f} | {cost:,.0f} | {ratio:,.0f} "
            f"| {it.seconds_to_ready:.1f} | {it.megabytes:.0f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task")
    parser.add_argument("--folder", type=Path, help="where environments are kept")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--port", type=int, default=9200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        peers = [*all_installed(given.folder or folder)]
        prepare(given.task, folder)
        compare(given.task, peers, folder, given.rounds, given.seconds, given.port)


if __name__ == "__main__":
    main()
