"""Training curves as ``dvc plots`` reads them."""

from pathlib import Path

from dvclive.live import Live


class CurveWriter(Live):
    """DVCLive without the repository: it would open it, which takes longer than a small fit."""

    def _init_dvc(self) -> None:
        """Leave out what only experiments that DVCLive itself saves need."""


Curve = list[tuple[int, float, float]]  # step, loss in training, loss in validation


def write_curve(folder: Path, points: Curve) -> None:
    """Write the curve as DVCLive writes metrics, one file for training and one for validation."""
    with CurveWriter(str(folder), save_dvc_exp=False, dvcyaml=None, report=None) as live:
        for step, train, validation in points:
            live.step = step
            live.log_metric("train/loss", train)
            live.log_metric("validation/loss", validation)
            live.sync()
