"""What a model or encoder runs on is found however its file spells it."""

import shutil
from pathlib import Path

import pytest

from stages.composing.files import LIBRARIES
from stages.composing.menu import render_choices
from stages.shared.errors import PipelineError
from tests.support.clone import ROOT

SPELLINGS = (
    "_target_: { classification: shapely.Classifier }",
    "{_target_: {regression: shapely.Regressor}, C: 1}",
    '_target_:\n    "classification": "shapely.Classifier"',
    "_target_: &both\n  classification: shapely.sub.Classifier\n",
)


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with this repository's code and lock files, and a copy of its conf/."""
    for name in ("stages", "serve", "requirements.lock", "requirements-torch.lock"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("text", SPELLINGS)
def test_the_library_of_a_model_is_asked_for_in_every_spelling(text: str) -> None:
    Path("conf/model/new.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(PipelineError, match="no lock pins shapely: add it"):
        render_choices()


def test_a_library_that_only_a_model_names_is_listed_with_its_version() -> None:
    before = render_choices()[LIBRARIES]
    text = "_target_: { classification: rich.Classifier }"
    Path("conf/model/new.yaml").write_text(text, encoding="utf-8")
    added = set(render_choices()[LIBRARIES].splitlines()) - set(before.splitlines())
    lock = Path("requirements.lock").read_text(encoding="utf-8")
    assert [line.strip().replace(": ", "==") in lock for line in added] == [True]
    assert [line.strip().split(":")[0] for line in added] == ["rich"]


@pytest.mark.parametrize("text", ["weights: package:nosuch/model", "{weights: 'package:nosuch/m'}"])
def test_the_package_of_an_encoders_weights_is_asked_for(text: str) -> None:
    Path("conf/encoder/new.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(PipelineError, match="no lock pins nosuch"):
        render_choices()


def test_a_file_that_is_no_yaml_is_named() -> None:
    Path("conf/model/new.yaml").write_text("_target_: [", encoding="utf-8")
    with pytest.raises(PipelineError, match=r"conf/model/new.yaml, line \d+ is no YAML"):
        render_choices()
