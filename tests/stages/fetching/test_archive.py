"""Members of a zip archive from a real server on this machine, joined into one table."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages import fetch
from stages.contract.source import Origin
from stages.fetching.archive import Gathering, gather
from stages.fetching.download import Patience
from stages.preparing.parsing import read_raw
from stages.runner import declare
from stages.shared.errors import PipelineError
from tests.support.servers import Answer, http_server

ROOT = Path(__file__).resolve().parents[3]
PUBLISHED = ROOT.parent / "shared" / "data"
CONTRACT = "conf/task/reviews.yaml"
RAW = Path("data/raw/reviews")
QUICK = Patience(connect=0.5, read=0.5, pauses=())
# The oddities of the published files: a quote that never closes, U+0085 inside a line, blanks
# before the tab.
PHONES = 'So "cheap  \t0\nGood case, Excellent\x85value.\t1\n'.encode()
FILMS = '"Wonderful, from first to last.\t1\n10/10  \t1\nA "mess" of\xa0a film\t0\n'.encode()
FOLDER = "reviews 2015/"


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATA_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield
    declare.read_params.cache_clear()


def pack_archive(**changes: bytes) -> bytes:
    """Return a zip archive as a Mac makes it, with its folder and its hidden files."""
    content = io.BytesIO()
    files = {"phones.txt": PHONES, "films.txt": FILMS, "readme.txt": b"About.\n", **changes}
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(FOLDER, b"")
        for name, text in files.items():
            archive.writestr(FOLDER + name, text)
            hidden = Path(name).with_name(f"._{Path(name).name}")
            archive.writestr(f"__MACOSX/{FOLDER}{hidden}", b"\0\5\x16\7")
    return content.getvalue()


def declare_member(name: str, content: bytes, **values: str) -> dict[str, Any]:
    return {"name": name, "sha256": hashlib.sha256(content).hexdigest(), "values": values}


def declare_origin(url: str, **changes: Any) -> Origin:
    plain = {
        "path": f"{RAW}/all.tsv",
        "url": url,
        "members": [
            declare_member("phones.txt", PHONES, domain="product"),
            declare_member("films.txt", FILMS, domain="film"),
        ],
        "header": False,
        "names": ["text", "label", "domain"],
        "delimiter": "\t",
        "quoting": False,
    }
    return Origin.parse({**plain, **changes}, CONTRACT)


def gather_bytes(body: bytes, **changes: Any) -> bytes:
    """Return the table made from the archive that a server gives."""
    with http_server({"/r.zip": Answer(body)}) as server:
        source = declare_origin(f"{server.url}/r.zip", **changes)
        gather(Gathering(source, "reviews", CONTRACT, patience=QUICK))
    assert [path.name for path in RAW.iterdir()] == ["all.tsv"]
    return (RAW / "all.tsv").read_bytes()


def read_failure(body: bytes, **changes: Any) -> str:
    """Return the message of an archive that is refused and leaves only the previous table."""
    RAW.mkdir(parents=True)
    (RAW / "all.tsv").write_bytes(b"what was there before\n")
    with pytest.raises(PipelineError) as caught:
        gather_bytes(body, **changes)
    assert {path.name: path.read_bytes() for path in RAW.iterdir()} == {
        "all.tsv": b"what was there before\n"
    }
    assert f"{RAW}/all.tsv was not touched" in str(caught.value)
    return str(caught.value)


def test_members_are_joined_with_their_constants() -> None:
    assert gather_bytes(pack_archive()).decode() == (
        'So "cheap  \t0\tproduct\n'
        "Good case, Excellent\x85value.\t1\tproduct\n"
        '"Wonderful, from first to last.\t1\tfilm\n'
        "10/10  \t1\tfilm\n"
        'A "mess" of\xa0a film\t0\tfilm\n'
    )


def test_the_joined_table_reads_as_its_lines() -> None:
    gather_bytes(pack_archive())
    frame = read_raw(declare_origin("http://unused"), ["text", "domain"], CONTRACT)
    assert frame["text"].to_list() == [
        'So "cheap',
        "Good case, Excellent\x85value.",
        '"Wonderful, from first to last.',
        "10/10",
        'A "mess" of\xa0a film',
    ]
    assert frame["domain"].to_list() == ["product"] * 2 + ["film"] * 3


def test_quoted_cells_keep_their_line_breaks_and_the_header_stands_once() -> None:
    first, second = b'text,label\n"a, b\nc",1\n', b'text,label\n"say ""d""",0\n'
    table = gather_bytes(
        pack_archive(**{"phones.txt": first, "films.txt": second}),
        members=[
            declare_member("phones.txt", first, shop="one, two"),
            declare_member("films.txt", second, shop="x"),
        ],
        header=True,
        names=None,
        delimiter=",",
        quoting=True,
    )
    assert table == b'text,label,shop\n"a, b\nc",1,"one, two"\n"say ""d""",0,x\n'


def test_a_full_path_chooses_among_members_of_one_name() -> None:
    content = pack_archive(**{"old/phones.txt": b"old\t0\n"})
    chosen = [declare_member(f"{FOLDER}phones.txt", PHONES, domain="product")]
    assert gather_bytes(content, members=chosen).count(b"\n") == 2


def test_a_name_that_two_members_have_is_refused() -> None:
    message = read_failure(pack_archive(**{"old/phones.txt": b"old\t0\n"}))
    assert "it holds 2 members called phones.txt" in message


def test_a_member_that_is_not_there_is_named_with_those_that_are() -> None:
    message = read_failure(pack_archive(), members=[declare_member("yelp.txt", PHONES)])
    assert "it holds no member called yelp.txt; it holds reviews 2015/phones.txt, " in message


def test_other_bytes_of_a_member_show_both_hashes() -> None:
    changed = PHONES.replace(b"cheap", b"chaep")
    message = read_failure(pack_archive(**{"phones.txt": changed}))
    assert hashlib.sha256(changed).hexdigest() in message
    assert f"phones.txt (sources.….members in {CONTRACT}) is " in message
    assert hashlib.sha256(PHONES).hexdigest() in message


@pytest.mark.parametrize("body", [b"<html>moved</html>", b"", pack_archive()[:-30]])
def test_what_is_no_zip_archive_is_refused(body: bytes) -> None:
    assert "it does not read as a zip archive" in read_failure(body)


@pytest.mark.parametrize("offset", [0, 4, 20])
def test_a_damaged_member_is_refused(offset: int) -> None:
    content = pack_archive()
    place = content.index(b"phones.txt") + len(b"phones.txt") + offset
    broken = content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]
    assert "it does not read as a zip archive" in read_failure(broken)


def test_rows_of_another_width_are_named() -> None:
    odd = PHONES + b"no label\n"
    message = read_failure(
        pack_archive(**{"phones.txt": odd}),
        members=[declare_member("phones.txt", odd, domain="product")],
    )
    assert "phones.txt is not the table" in message
    assert "line 3 has 1 cells, not 2" in message


def test_members_with_other_headers_are_refused() -> None:
    first, second = b"text,label\na,1\n", b"label,text\n1,a\n"
    message = read_failure(
        pack_archive(**{"phones.txt": first, "films.txt": second}),
        members=[declare_member("phones.txt", first), declare_member("films.txt", second)],
        header=True,
        names=None,
        delimiter=",",
        quoting=True,
    )
    assert "its header is ['label', 'text'], not ['text', 'label']" in message


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"url": None}, "members are files in the archive at a url"),
        ({"sha256": "0" * 64}, "members have a sha256 each"),
        ({"members": []}, "url and sha256 go together"),
        (
            {"members": [declare_member("a", b"", domain="x"), declare_member("b", b"", shop="y")]},
            "values of the same names",
        ),
    ],
)
def test_a_contract_that_contradicts_itself_is_refused(
    changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(PipelineError, match=problem):
        declare_origin(**{"url": "http://example.org/r.zip", **changes})


# The stage


def run_stage(source: Origin) -> dict[str, Any]:
    params = {"task": {"reviews": {"origin": source.model_dump(mode="json")}}, "libraries": {}}
    with Path("params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(params, file)
    declare.read_params.cache_clear()
    fetch.main("reviews")
    return dict(json.loads((RAW / "source.json").read_text()))


def test_the_record_says_what_the_table_was_made_of() -> None:
    with http_server({"/r.zip": Answer(pack_archive())}) as server:
        record = run_stage(declare_origin(f"{server.url}/r.zip"))
        assert record["url"] == f"{server.url}/r.zip"
    assert [part["name"] for part in record["members"]] == ["phones.txt", "films.txt"]
    assert record["sha256"] == hashlib.sha256((RAW / "all.tsv").read_bytes()).hexdigest()


def test_a_table_of_the_same_members_is_not_made_again() -> None:
    with http_server({"/r.zip": Answer(pack_archive())}) as server:
        source = declare_origin(f"{server.url}/r.zip")
        first = run_stage(source)
        assert run_stage(source) == first
        assert server.asked == ["/r.zip"]


@pytest.mark.parametrize("spoil", ["table", "values"])
def test_a_changed_table_or_contract_is_made_again(spoil: str) -> None:
    with http_server({"/r.zip": Answer(pack_archive())}) as server:
        source = declare_origin(f"{server.url}/r.zip")
        run_stage(source)
        if spoil == "table":
            (RAW / "all.tsv").write_bytes(b"edited\t1\tfilm\n")
        else:
            source = declare_origin(
                source.url or "", members=[declare_member("films.txt", FILMS, domain="cinema")]
            )
        run_stage(source)
        assert server.asked == ["/r.zip"] * 2
    assert b"\tcinema\n" in (RAW / "all.tsv").read_bytes() or spoil == "table"
    assert b"edited" not in (RAW / "all.tsv").read_bytes()


def test_a_mirror_gives_the_members_as_files(monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = Path("mirror/reviews").resolve()
    mirror.mkdir(parents=True)
    (mirror / "phones.txt").write_bytes(PHONES)
    (mirror / "films.txt").write_bytes(FILMS)
    monkeypatch.setenv("DATA_MIRROR", str(mirror.parent))
    run_stage(declare_origin("http://127.0.0.1:9/never-asked.zip"))
    assert (RAW / "all.tsv").read_bytes() == gather_directly(pack_archive())


def gather_directly(body: bytes) -> bytes:
    target = Path("other.tsv")
    with http_server({"/r.zip": Answer(body)}) as server:
        source = declare_origin(f"{server.url}/r.zip", path=str(target))
        gather(Gathering(source, "reviews", CONTRACT, patience=QUICK))
    return target.read_bytes()


def test_a_mirror_cannot_change_what_a_member_is(monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = Path("mirror/reviews").resolve()
    mirror.mkdir(parents=True)
    (mirror / "phones.txt").write_bytes(PHONES + b"one more\t1\n")
    monkeypatch.setenv("DATA_MIRROR", str(mirror.parent))
    with pytest.raises(PipelineError, match="other bytes than expected") as caught:
        run_stage(declare_origin("http://127.0.0.1:9/never-asked.zip"))
    assert f"{RAW}/all.tsv was not touched" in str(caught.value)


@pytest.mark.skipif(
    not (PUBLISHED / "sentiment").exists(), reason=f"the mirror {PUBLISHED}/sentiment is not here"
)
def test_the_published_sentences_are_read_as_they_really_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = YAML(typ="safe").load((ROOT / "conf/task/sentiment.yaml").read_text("utf-8"))
    source = Origin.parse(content["sources"]["published"], "conf/task/sentiment.yaml")
    monkeypatch.setenv("DATA_MIRROR", str(PUBLISHED))
    gather(Gathering(source, "sentiment", "conf/task/sentiment.yaml", mirror=str(PUBLISHED)))
    frame = read_raw(source, ["text", "label", "domain"], "conf/task/sentiment.yaml")
    counts = frame.groupby(["domain", "label"]).size()
    domains = ("film", "product", "restaurant")
    assert counts.to_dict() == {(domain, label): 500 for domain in domains for label in ("0", "1")}
    assert frame["text"].str.contains("\x85").sum() == 2
    assert (frame["text"].str.count('"') % 2 == 1).any()
