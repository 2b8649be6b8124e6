"""``python -m benchmarks.serve.peering.lit PORT``, as LitServe's own guide has it."""

import sys
from typing import Any

import litserve

from benchmarks.serve.peering.champion import Champion


class Heart(litserve.LitAPI):
    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe's form
        self.champion = Champion()

    def decode_request(self, request: dict[str, Any]) -> list[float]:
        return list(request["row"])

    def predict(self, row: list[float]) -> list[float]:
        return self.champion.probabilities([row])[0]

    def encode_response(self, output: list[float]) -> dict[str, list[float]]:
        return {"probabilities": output}


if __name__ == "__main__":
    server = litserve.LitServer(Heart(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
