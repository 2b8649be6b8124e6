"""The notebook is kept clean, and every cell of it runs on what the pipeline has made."""

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.clone import ROOT, Clone

PATH = ROOT / "docs/explore.ipynb"
SECONDS = 300


def read(path: Path) -> Any:
    return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]


def test_it_is_kept_without_outputs() -> None:
    notebook = read(PATH)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(cells) > 5
    assert [cell.id for cell in cells if cell.outputs or cell.execution_count is not None] == []
    assert {name for cell in cells for name in cell.metadata} == set()


@pytest.fixture(scope="module")
def executed(pipeline: Clone) -> dict[str, str]:
    """Return what each cell has put out, by its id, as text; runs from the notebook's folder."""
    notebook = read(pipeline.path / "docs/explore.ipynb")
    folder = {"metadata": {"path": str(pipeline.path / "docs")}}
    NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=folder).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return {cell.source: "".join(map(shown, cell.outputs)) for cell in cells}


def shown(output: Any) -> str:
    return str(output.text if output.output_type == "stream" else output.data["text/plain"])


def find(executed: dict[str, str], part: str) -> str:
    """Return the output of the one cell that holds the part."""
    found = [text for source, text in executed.items() if part in source]
    assert len(found) == 1, f"{len(found)} cells hold {part!r}"
    return found[0]


def test_it_shows_the_champions_arguments(executed: dict[str, str]) -> None:
    assert "'_target_'" in find(executed, "params_show")


def test_it_shows_the_champions_scores(executed: dict[str, str]) -> None:
    assert re.search(r"roc_auc +0\.\d+", find(executed, '"low", "high", "baseline"'))


def test_nothing_differs_from_the_commit(executed: dict[str, str]) -> None:
    assert set(re.findall(r": (-?[\d.]+)", find(executed, "dvc.api.open"))) == {"0.0"}


def test_contributions_sum_to_the_score(executed: dict[str, str]) -> None:
    said = re.search(r"sum (\S+), score (\S+)\n", find(executed, "model.explainer"))
    assert said
    assert said[1] == said[2]


def test_the_model_answers_with_probabilities(executed: dict[str, str]) -> None:
    assert "'probabilities'" in find(executed, "predict_one(row) for row")
