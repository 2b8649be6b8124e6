"""``python -m benchmarks.serve.peering.rayed PORT``, as Ray Serve's own guide has it."""

import sys
from typing import Any

import ray
from ray import serve

from benchmarks.serve.peering.champion import Champion


@serve.deployment(num_replicas=1)
class Heart:
    def __init__(self) -> None:
        self.champion = Champion()

    async def __call__(self, request: Any) -> dict[str, list[float]]:
        row = (await request.json())["row"]
        return {"probabilities": self.champion.probabilities([row])[0]}


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100 << 20)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Heart.bind(), blocking=True)
