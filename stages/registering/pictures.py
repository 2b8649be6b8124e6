"""Draws the plots of an evaluation as PNG, as ``dvc plots`` shows them."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.shared.errors import PipelineError


def draw(folder: Path, target: Path) -> None:
    """Write a picture into ``target`` for each file of points in ``folder``."""
    import vl_convert

    for specification in specifications(sorted(folder.glob("*.json"))):
        name = Path(specification["data"]["values"][0]["filename"]).stem
        picture = vl_convert.vegalite_to_png(json.dumps(specification), scale=2)
        (target / f"{name}.png").write_bytes(picture)


def specifications(files: list[Path]) -> Iterator[dict[str, Any]]:
    """Yield the Vega-Lite specification of each file's plot; raises PipelineError."""
    command = ["dvc", "plots", "show", "--quiet", "--json", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PipelineError(f"`dvc plots show` failed: {done.stderr.strip()}")
    text, decoder = done.stdout.strip(), json.JSONDecoder()
    while text:
        found, end = decoder.raw_decode(text)
        yield found
        text = text[end:].lstrip()
