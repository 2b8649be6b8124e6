"""Downloads from a real server on this machine, good and bad."""

import hashlib
import socket
from pathlib import Path
from typing import Any

import pytest

from stages.fetching.download import Patience, Place, locate_mirrored, locate_official, obtain
from stages.shared.errors import PipelineError
from tests.support.servers import Answer, closed_port, http_server

CONTRACT = "conf/task/heart.yaml"
GOOD = b"63,1,145,233\n67,1,160,286\n" * 5000
SHA256 = hashlib.sha256(GOOD).hexdigest()
PREVIOUS = b"what was there before\n"
QUICK = Patience(connect=0.5, read=0.2, pauses=(0.01, 0.01))


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "raw" / "table.csv"
    path.parent.mkdir()
    path.write_bytes(PREVIOUS)
    return path


def read_failure(place: Place, path: Path, patience: Patience = QUICK) -> str:
    """Return the message of a download that fails and leaves only the previous file."""
    with pytest.raises(PipelineError) as caught:
        obtain(place, SHA256, path, CONTRACT, patience)
    assert path.read_bytes() == PREVIOUS
    assert list(path.parent.iterdir()) == [path]
    return str(caught.value)


def serve_failure(path: Path, *answers: Answer) -> tuple[str, int]:
    """Return the message of a failed download, and how often the server was asked."""
    with http_server({"/table.csv": list(answers)}) as server:
        place = locate_official(f"{server.url}/table.csv", CONTRACT)
        message = read_failure(place, path)
    assert f"{server.url}/table.csv" in message
    assert CONTRACT in message
    return message, len(server.asked)


def test_the_right_bytes_replace_the_previous_ones(path: Path) -> None:
    with http_server({"/table.csv": Answer(GOOD)}) as server:
        obtain(locate_official(f"{server.url}/table.csv", CONTRACT), SHA256, path, CONTRACT, QUICK)
    assert path.read_bytes() == GOOD
    assert list(path.parent.iterdir()) == [path]


def test_the_folder_is_made_where_it_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.csv"
    with http_server({"/table.csv": Answer(GOOD)}) as server:
        obtain(locate_official(f"{server.url}/table.csv", CONTRACT), SHA256, path, CONTRACT, QUICK)
    assert path.read_bytes() == GOOD


def test_bytes_that_are_there_are_not_asked_for_again(path: Path) -> None:
    path.write_bytes(GOOD)
    with http_server({"/table.csv": Answer(GOOD)}) as server:
        obtain(locate_official(f"{server.url}/table.csv", CONTRACT), SHA256, path, CONTRACT, QUICK)
    assert server.asked == []


def test_other_content_shows_both_hashes_and_the_key(path: Path) -> None:
    other = b"<html>moved</html>"
    message, asked = serve_failure(path, Answer(other))
    assert hashlib.sha256(other).hexdigest() in message
    assert f"sources.….sha256 in {CONTRACT} is {SHA256}" in message
    assert asked == 1


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_plain_no_is_not_asked_again(path: Path, status: int) -> None:
    message, asked = serve_failure(path, Answer(status=status))
    assert f"the server answered {status} " in message
    assert "sources.….url" in message
    assert asked == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_trouble_is_tried_three_times(path: Path, status: int) -> None:
    message, asked = serve_failure(path, Answer(status=status))
    assert f"the server answered {status} " in message
    assert asked == 3


def test_a_later_attempt_may_succeed_and_keeps_nothing_of_the_first(path: Path) -> None:
    broken = Answer(GOOD[:100_000] + b"rest", promised=len(GOOD) + 9)
    with http_server({"/table.csv": [broken, Answer(status=503), Answer(GOOD)]}) as server:
        obtain(locate_official(f"{server.url}/table.csv", CONTRACT), SHA256, path, CONTRACT, QUICK)
    assert path.read_bytes() == GOOD


def test_a_server_that_does_not_answer_is_a_time_out(path: Path) -> None:
    message, asked = serve_failure(path, Answer(GOOD, silent_seconds=30))
    assert "time-out: the server was silent for 0.2 s" in message
    assert asked == 3


def test_a_server_that_stalls_before_the_body_is_a_time_out(path: Path) -> None:
    message, _ = serve_failure(path, Answer(GOOD, stalled_seconds=30))
    assert "time-out: the server was silent for 0.2 s" in message


def test_a_host_that_takes_no_connection_is_a_time_out(path: Path) -> None:
    with socket.socket() as full:  # its queue of one is taken, so further connections hang
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        with socket.create_connection(address):
            place = locate_official(f"http://127.0.0.1:{address[1]}/table.csv", CONTRACT)
            message = read_failure(place, path, Patience(connect=0.1, read=5, pauses=()))
    assert "time-out: the server took no connection within 0.1 s" in message


def test_a_truncated_body_says_how_much_came(path: Path) -> None:
    message, asked = serve_failure(path, Answer(GOOD[:70_000], promised=len(GOOD)))
    assert "the file broke off before its end" in message
    assert f"IncompleteRead(70000 bytes read, {len(GOOD) - 70_000} more expected)" in message
    assert asked == 3


def test_a_refused_connection_says_so(path: Path) -> None:
    message = read_failure(
        locate_official(f"http://127.0.0.1:{closed_port()}/table.csv", CONTRACT), path
    )
    assert "no answer from the server" in message
    assert "Connection refused" in message


def test_an_unknown_host_is_named_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def nobody_knows(host: str, *_: Any, **__: Any) -> None:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody_knows)
    monkeypatch.setenv("NO_PROXY", "*")
    message = read_failure(locate_official("http://no-such-host.invalid/table.csv", CONTRACT), path)
    assert "Failed to resolve 'no-such-host.invalid'" in message
    assert asked == ["no-such-host.invalid"]


@pytest.mark.parametrize("url", ["ftp://host/table.csv", "data/table.csv", "file:///table.csv"])
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(PipelineError, match=r"sources\.….url = .* http"):
        locate_official(url, CONTRACT)


@pytest.mark.parametrize("url", ["http://", "http://[::1/table.csv"])
def test_a_malformed_web_address_is_a_clear_error(path: Path, url: str) -> None:
    assert "sources.….url" in read_failure(locate_official(url, CONTRACT), path)


def test_a_mirror_folder_gives_the_bytes(path: Path, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    (mirror / "heart").mkdir(parents=True)
    (mirror / "heart" / "table.csv").write_bytes(GOOD)
    obtain(locate_mirrored(f"{mirror}/", "heart", "table.csv"), SHA256, path, CONTRACT)
    assert path.read_bytes() == GOOD


def test_a_mirror_url_gives_the_bytes(path: Path) -> None:
    with http_server({"/m/heart/table.csv": Answer(GOOD)}) as server:
        obtain(
            locate_mirrored(f"{server.url}/m/", "heart", "table.csv"), SHA256, path, CONTRACT, QUICK
        )
    assert path.read_bytes() == GOOD


def test_a_file_missing_in_a_mirror_folder_names_both(path: Path, tmp_path: Path) -> None:
    message = read_failure(locate_mirrored(str(tmp_path / "mirror"), "heart", "table.csv"), path)
    assert f"{tmp_path}/mirror/heart/table.csv: No such file" in message
    assert f"put heart/table.csv into the mirror {tmp_path}/mirror" in message


def test_a_file_missing_in_a_mirror_url_names_both(path: Path) -> None:
    with http_server({}) as server:
        message = read_failure(locate_mirrored(server.url, "heart", "table.csv"), path)
    assert "the server answered 404" in message
    assert f"put heart/table.csv into the mirror {server.url}" in message
    assert server.asked == ["/heart/table.csv"]


def test_a_mirror_cannot_change_what_the_file_is(path: Path, tmp_path: Path) -> None:
    (tmp_path / "heart").mkdir()
    (tmp_path / "heart" / "table.csv").write_bytes(GOOD + b"0,0,0,0\n")
    message = read_failure(locate_mirrored(str(tmp_path), "heart", "table.csv"), path)
    assert SHA256 in message
    assert f"mirror {tmp_path}" in message


def test_a_mirror_is_a_folder_or_a_web_address() -> None:
    with pytest.raises(PipelineError, match=r"DATA_MIRROR = 's3://bucket'"):
        locate_mirrored("s3://bucket", "heart", "table.csv")


@pytest.mark.parametrize(
    "scheme", ["http://me:hush@127.0.0.1", "http://me:hush@[::1", "s3://me:hush@b"]
)
def test_a_mirrors_password_is_not_shown(
    path: Path, capsys: pytest.CaptureFixture[str], scheme: str
) -> None:
    def attempt() -> None:
        place = locate_mirrored(f"{scheme}:{closed_port()}", "heart", "table.csv")
        obtain(place, SHA256, path, CONTRACT, QUICK)

    with pytest.raises(PipelineError) as caught:
        attempt()
    assert "hush" not in str(caught.value) + "".join(capsys.readouterr())
