"""Links lead somewhere: to a file that git has, and to a heading that is there."""

import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.support.clone import ROOT
from tests.support.documents import DOCUMENTS, anchors, links, slug

SAID = [(document, link) for document in DOCUMENTS for link in links(document)]
LOCAL = [(document, link) for document, link in SAID if "://" not in link]


def test_there_are_documents_and_links() -> None:
    assert len(DOCUMENTS) > 25
    assert len(LOCAL) > 100


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_that_is_kept(document: Path) -> None:
    kept = in_git()
    lost = [
        link
        for source, link in LOCAL
        if source == document and not is_kept(target(document, link), kept)
    ]
    assert lost == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_anchor_is_a_heading(document: Path) -> None:
    named = [link for source, link in LOCAL if source == document and "#" in link]
    lost = [link for link in named if link.partition("#")[2] not in anchors(target(document, link))]
    assert lost == []


def test_every_guide_can_be_reached_from_the_hub() -> None:
    hub = ROOT / "docs/README.md"
    reached, waiting = {hub}, [hub]
    while waiting:
        document = waiting.pop()
        found = {target(document, link) for link in links(document) if "://" not in link}
        new = {path for path in found if path.suffix == ".md" and path.exists()} - reached
        reached |= new
        waiting += new
    assert [it for it in DOCUMENTS if (ROOT / "docs") in it.parents and it not in reached] == []


def test_anchors_are_githubs() -> None:
    assert slug("Bring your own table") == "bring-your-own-table"
    assert slug("1. DVC runs, Hydra composes") == "1-dvc-runs-hydra-composes"
    assert slug("`dvc.yaml` is generated") == "dvcyaml-is-generated"


def target(document: Path, link: str) -> Path:
    path = unquote(link.partition("#")[0])
    return (document.parent / path).resolve() if path else document


def in_git() -> set[str]:
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def is_kept(path: Path, kept: set[str]) -> bool:
    """Tell whether git has the file, or a file in the folder."""
    if ROOT not in path.parents:
        return False
    name = str(path.relative_to(ROOT))
    return path.exists() and (name in kept or any(it.startswith(f"{name}/") for it in kept))
