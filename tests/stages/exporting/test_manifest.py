"""The manifest's bytes: what `export` writes is what format 2 has been from the start."""

from pathlib import Path

import pytest

from serve.runtime.manifest import MANIFEST, Manifest
from stages.exporting.publishing import publish

FILES = Path(__file__).with_name("manifests")


@pytest.mark.parametrize("name", ["table", "transformer"])
def test_a_manifest_is_written_in_the_order_and_spelling_of_format_2(
    name: str, tmp_path: Path
) -> None:
    content = (FILES / f"{name}.json").read_bytes()
    publish(tmp_path, {}, Manifest.model_validate_json(content), "# Card\n")
    assert (tmp_path / MANIFEST).read_bytes() == content
