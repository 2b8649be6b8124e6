"""Draws the plots of an evaluation as PNG, as ``dvc plots`` shows them."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

from stages.shared.errors import PipelineError


def draw(folder: Path, target: Path) -> None:
    """Write a picture into ``target`` for each file of points in ``folder``."""
    import vl_convert

    for name, specification in specifications(folder):
        picture = vl_convert.vegalite_to_png(specification, scale=2)
        (target / f"{name}.png").write_bytes(picture)


def specifications(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield name and Vega-Lite specification of each plot in the folder; raises PipelineError.

    All plots are asked for: files named one by one would be drawn without regard to dvc.yaml.
    """
    command = ["dvc", "plots", "show", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PipelineError(f"`dvc plots show` failed: {done.stderr.strip()}")
    for shown, plots in json.loads(done.stdout)["data"].items():
        path = Path(shown.rpartition("::")[2])  # DVC names the file where two have one path
        if path.parent == folder:
            yield from ((path.stem, json.dumps(plot["content"])) for plot in plots)
