"""What git is asked, in a repository with two commits."""

from pathlib import Path

import pytest

from commands.workspace.git import ask_git, read_at_commit, run_git
from stages.shared.errors import PipelineError


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    run_git("init", "-q")
    for text in ("Ünal, 2020\n", "later\n"):
        Path("names.txt").write_text(text, encoding="utf-8")
        run_git("add", "names.txt")
        run_git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", text.strip())
    return tmp_path


@pytest.mark.usefixtures("repository")
def test_a_file_is_read_as_a_commit_has_it() -> None:
    assert read_at_commit("HEAD~1", "names.txt") == "Ünal, 2020\n"
    assert read_at_commit("HEAD", Path("names.txt")) == "later\n"
    assert read_at_commit("HEAD", "nothing.txt") is None


@pytest.mark.usefixtures("repository")
def test_a_file_that_is_no_text_is_read_all_the_same() -> None:
    Path("names.txt").write_bytes(b"\xff\xfe\n")
    run_git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qam", "bytes")
    assert read_at_commit("HEAD", "names.txt") == "\ufffd\ufffd\n"


def test_a_path_is_meant_from_the_folder_that_one_is_in(repository: Path) -> None:
    (repository / "inner").mkdir()
    (repository / "inner/x.txt").write_text("x\n")
    run_git("add", "inner")
    run_git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "inner")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(repository / "inner")
        assert read_at_commit("HEAD", "x.txt") == "x\n"


@pytest.mark.usefixtures("repository")
def test_what_git_refuses_is_an_error_or_nothing() -> None:
    with pytest.raises(PipelineError, match=r"`git rev-parse nowhere` failed: fatal: .*nowhere"):
        run_git("rev-parse", "nowhere")
    assert ask_git("rev-parse", "--verify", "--quiet", "nowhere") == ""
    assert ask_git("log", "-1", "--format=%s") == "later"
