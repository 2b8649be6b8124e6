"""Downloads a published file; its SHA-256 alone decides whether the bytes are the right ones."""

import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from stages.shared import storage
from stages.shared.errors import PipelineError

CONNECT_SECONDS = 10.0  # longest wait for a server to take the connection
READ_SECONDS = 30.0  # longest silence of a server; a slow but steady download may take longer
PAUSES = (1.0, 4.0)  # seconds before the second attempt and before the third
PASSING = (408, 429, 500, 502, 503, 504)  # statuses that another attempt may not meet again
BLOCK_BYTES = 1 << 16


@dataclass(frozen=True)
class Place:
    """Where bytes come from (a URL or a file's path), and what to do when they do not."""

    address: str
    remedy: str


@dataclass(frozen=True)
class Patience:
    """How long to wait: for the connection, for the next bytes, and before each new attempt."""

    connect: float = CONNECT_SECONDS
    read: float = READ_SECONDS
    pauses: tuple[float, ...] = PAUSES


class DownloadError(Exception):
    """What is wrong with the bytes or the way to them, in words that follow the address."""

    def __init__(self, what: str, may_pass: bool = False) -> None:
        super().__init__(what)
        self.may_pass = may_pass  # whether another attempt has a chance


def locate_official(url: str, contract: str) -> Place:
    """Return the place that the contract itself names; raises PipelineError if it is no URL."""
    if not is_url(url):
        raise PipelineError(
            f"sources.….url = {url!r} in {contract} does not begin with http:// or https://; "
            "a file of your own needs its path alone, without url and sha256"
        )
    return Place(url, f"change sources.….url in {contract}, or set DATA_MIRROR to where a copy is")


def locate_mirrored(mirror: str, task: str, name: str) -> Place:
    """Return a file's place in a mirror, a folder or a URL: ``<mirror>/<task>/<name>``.

    Raises PipelineError for a URL of another scheme than http(s).
    """
    if "://" in mirror and not is_url(mirror):
        shown = hide_login(mirror)
        raise PipelineError(f"DATA_MIRROR = {shown!r} is neither a folder nor an http(s) URL")
    folder = mirror.rstrip("/")
    remedy = f"put {task}/{name} into the mirror {folder}, or unset or change DATA_MIRROR"
    return Place(f"{folder}/{task}/{name}", remedy)


def is_url(address: str) -> bool:
    """Say whether an address is an http(s) URL, and no path of a file."""
    return address.startswith(("http://", "https://"))


def hide_login(text: str) -> str:
    """Return the text with no user's name and password in its URLs."""
    return re.sub(r"://[^/\s]*@", "://", text)


def obtain(
    place: Place, sha256: str, path: Path, contract: str, patience: Patience | None = None
) -> None:
    """Put the bytes that ``sha256`` names at ``path``, from ``place`` unless they are there.

    Raises PipelineError, with ``path`` as it was, where they cannot be had or are other bytes;
    the message names ``contract``, the file that states the hash.
    """
    if path.is_file() and storage.sha256(path) == sha256:
        return
    with report_failure(place, path), storage.atomic(path) as file:
        fill(file, place, patience or Patience())
        verify(file, sha256, f"sources.….sha256 in {contract}")


@contextmanager
def report_failure(place: Place, path: Path) -> Iterator[None]:
    """Turn a DownloadError into a PipelineError that says what was asked and what to do."""
    try:
        yield
    except DownloadError as problem:
        message = f"{place.address}: {problem}\n  {place.remedy}\n  {path} was not touched"
        raise PipelineError(hide_login(message)) from problem


def fill(file: IO[bytes], place: Place, patience: Patience) -> None:
    """Write the place's bytes to the file; raises DownloadError where they do not come."""
    if is_url(place.address):
        _download(place, file, patience)
    else:
        _copy(Path(place.address).expanduser(), file)


def _copy(source: Path, file: IO[bytes]) -> None:
    try:
        opened = source.open("rb")
    except OSError as error:
        raise DownloadError(error.strerror or str(error)) from error
    with opened:
        shutil.copyfileobj(opened, file, storage.CHUNK_BYTES)


def _download(place: Place, file: IO[bytes], patience: Patience) -> None:
    for pause in patience.pauses:
        try:
            return _attempt(place.address, file, patience)
        except DownloadError as problem:
            if not problem.may_pass:
                raise
            notice = f"{place.address}: {problem}; next attempt in {pause:g} s"
            print(hide_login(notice), file=sys.stderr)
        time.sleep(pause)
    return _attempt(place.address, file, patience)


def _attempt(url: str, file: IO[bytes], patience: Patience) -> None:
    from pooch import HTTPDownloader
    from requests import RequestException

    file.seek(0)
    file.truncate()
    # Without "identity" a server may compress, and its Content-Length would count other bytes.
    get = HTTPDownloader(
        progressbar=sys.stderr.isatty(),
        chunk_size=BLOCK_BYTES,
        timeout=(patience.connect, patience.read),
        headers={"Accept-Encoding": "identity"},
    )
    try:
        get(url, file, None)
    except RequestException as error:
        raise _diagnose_error(error, patience) from error


def _diagnose_error(error: Any, patience: Patience) -> DownloadError:
    """Return in words what kept a file from coming."""
    from requests import exceptions

    cause = _describe_innermost(error)
    if isinstance(error, exceptions.HTTPError):
        answer: Any = error.response
        what = f"the server answered {answer.status_code} {answer.reason}"
        return DownloadError(what, answer.status_code in PASSING)
    if isinstance(error, exceptions.ConnectTimeout):
        what = f"time-out: the server took no connection within {patience.connect:g} s"
        return DownloadError(what, may_pass=True)
    if isinstance(error, exceptions.Timeout) or "Read timed out" in cause:
        what = f"time-out: the server was silent for {patience.read:g} s"
        return DownloadError(what, may_pass=True)
    if isinstance(error, exceptions.ChunkedEncodingError):
        return DownloadError(f"the file broke off before its end ({cause})", may_pass=True)
    # A host that nobody knows and a certificate that nobody signed stay so.
    lasting = isinstance(error, exceptions.SSLError) or "Failed to resolve" in cause
    may_pass = isinstance(error, exceptions.ConnectionError) and not lasting
    return DownloadError(f"no answer from the server ({cause})", may_pass)


def _describe_innermost(error: Any) -> str:
    """Return the text of the error that requests and urllib3 wrapped."""
    inner = getattr(error, "reason", None) or next(reversed(getattr(error, "args", ())), None)
    return _describe_innermost(inner) if isinstance(inner, Exception) else str(error)


def verify(file: IO[bytes], sha256: str, key: str) -> None:
    """Raise DownloadError unless the named file holds the bytes that ``key`` says."""
    file.flush()
    found = storage.sha256(Path(file.name))
    if found != sha256:
        raise DownloadError(
            f"other bytes than expected: {file.tell():,} bytes with sha256 {found}, "
            f"but {key} is {sha256}"
        )
