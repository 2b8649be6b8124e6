"""Other servers of models: what each needs, how it is started, and how it is asked about a row."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Row = list[float]


@dataclass(frozen=True)
class Peer:
    """A way to serve: what it needs, the command, and how to ask it about an encoded row.

    Without ``needs`` it runs in this environment.
    """

    name: str
    needs: tuple[str, ...]
    command: str
    ready: str
    path: str
    body: Callable[[Row], Any]


PEERS = (
    Peer(
        "mlflow models serve",
        (),
        "mlflow models serve --model-uri {folder}/mlflow --env-manager local "
        "--host 127.0.0.1 --port {port} --workers 1",
        "/ping",
        "/invocations",
        lambda row: {"inputs": [row]},
    ),
    Peer(
        "MLServer",
        ("mlserver", "mlserver-sklearn"),
        "MLSERVER_HTTP_PORT={port} MLSERVER_GRPC_PORT=1{port} MLSERVER_METRICS_PORT=2{port} "
        "mlserver start {folder}/mlserver",
        "/v2/models/champion/ready",
        "/v2/models/champion/infer",
        lambda row: {
            "inputs": [{"name": "X", "shape": [1, len(row)], "datatype": "FP64", "data": row}],
            "outputs": [{"name": "predict_proba"}],
        },
    ),
    Peer(
        "BentoML",
        ("bentoml",),
        "bentoml serve benchmarks.serve.peering.bento:Heart --host 127.0.0.1 --port {port}",
        "/readyz",
        "/predict",
        lambda row: {"rows": [row]},
    ),
    Peer(
        "LitServe",
        ("litserve",),
        "python -m benchmarks.serve.peering.lit {port}",
        "/health",
        "/predict",
        lambda row: {"row": row},
    ),
    Peer(
        "Ray Serve",
        ("ray[serve]",),
        "python -m benchmarks.serve.peering.rayed {port}",
        "/-/healthz",
        "/",
        lambda row: {"row": row},
    ),
)
