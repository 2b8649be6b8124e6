"""``bentoml serve benchmarks.serve.peering.bento:Heart``, as BentoML's own guide has it."""

import bentoml

from benchmarks.serve.peering.champion import Champion


@bentoml.service(workers=1)
class Heart:
    def __init__(self) -> None:
        self.champion = Champion()

    @bentoml.api
    def predict(self, rows: list[list[float]]) -> list[list[float]]:
        return self.champion.probabilities(rows)
