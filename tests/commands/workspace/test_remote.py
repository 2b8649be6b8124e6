"""What one clone made, another restores through a remote; what the remote has lost is named."""

import contextlib
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL

import dvc_data.index.collect
import psutil
import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from tests.support.clone import ROOT, RUNNING, Clone, commit, environment
from tests.support.registry_fixtures import Killed, Killer
from tests.support.stores import KEY_ID, SECRET, Bucket, Folder, Store, bucket, copy, objects, s3

PIPELINE = """\
stages:
  fetch:
    cmd: mkdir -p raw && echo row > raw/table && seq 60 | split -l 1 - raw/part-
    outs: [{raw: {persist: true}}]
  train:
    foreach: [one, two]
    do:
      cmd: cat raw/table speed > model-${item} && echo ${item} >> model-${item}
      deps: [raw, speed]
      outs: ["model-${item}"]
  export:
    cmd: mkdir -p served && cat model-one model-two > served/model
    deps: [model-one, model-two]
    outs: [{served: {persist: true}}]
"""
MADE = ("raw/table", "raw/part-aa", "model-one", "model-two", "served/model")


@pytest.fixture(scope="module")
def s3_environment() -> Iterator[dict[str, str]]:
    with s3() as found:
        yield found


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clone, Folder]:
    """Return a small pipeline that was run and pushed, and the folder it was pushed to."""
    base = tmp_path_factory.mktemp("small")
    clone = Clone(base / "clone")
    clone.write("dvc.yaml", PIPELINE)
    clone.write("speed", "slow\n")
    clone.run("git", "init", "-q")
    clone.run("git", "config", "user.name", "test")
    clone.run("git", "config", "user.email", "test@localhost")
    clone.run("dvc", "init", "-q")
    clone.write(".dvc/config", "[core]\n    analytics = false\n    check_update = false\n")
    clone.run("dvc", "repro", "-q")
    commit(clone, "run")
    folder = Folder(base / "remote")
    connect(clone, folder)
    run_command(clone, "push")
    return clone, folder


@pytest.fixture(params=["folder", "s3"])
def empty(request: pytest.FixtureRequest, tmp_path: Path, s3_environment: dict[str, str]) -> Store:
    """Return a remote of each kind, with nothing in it."""
    if request.param == "folder":
        return Folder(tmp_path / "remote")
    return bucket(s3_environment, re.sub("[^a-z0-9]+", "-", request.node.name.lower())[-60:])


@pytest.fixture
def shared(small: tuple[Clone, Folder], tmp_path: Path) -> Folder:
    """Return a folder of its own that holds all of the small pipeline."""
    store = Folder(tmp_path / "remote")
    copy(small[1], store)
    return store


def test_a_fresh_clone_restores_the_shipped_pipeline_and_runs_no_stage(
    pipeline: Clone, s3_environment: dict[str, str], tmp_path: Path
) -> None:
    """From a bucket; that a folder does as well, tests with a small pipeline show."""
    empty = bucket(s3_environment, "shipped")
    make(pipeline, empty, "remote", f"URL={empty.url}")
    make(pipeline, empty, "push")
    fresh = clone_repository(pipeline, tmp_path / "fresh")
    make(fresh, empty, "remote", f"URL={empty.url}")
    done = make(fresh, empty, "pull")
    assert RUNNING.findall(done.stdout) == []
    assert fresh.run("git", "status", "--porcelain").stdout == ""
    assert run_command(fresh, "verify").returncode == 0


def test_plain_dvc_restores_it_too(small: tuple[Clone, Folder], tmp_path: Path) -> None:
    fresh = join_store(small[0], small[1], tmp_path)
    assert fresh.repro("--pull") == set()
    assert_restored(fresh, small[0])


def test_stages_that_keep_their_outputs_are_restored_as_well(
    small: tuple[Clone, Folder], tmp_path: Path
) -> None:
    """`fetch` and `export` have no run cache: their objects and dvc.lock must do."""
    fresh = join_store(small[0], small[1], tmp_path)
    assert list_ran(run_command(fresh, "restore")) == set()
    assert_restored(fresh, small[0])


def test_an_earlier_result_comes_from_the_run_cache_of_the_remote(
    small: tuple[Clone, Folder], shared: Folder, tmp_path: Path
) -> None:
    other = join_store(small[0], shared, tmp_path / "other")
    run_command(other, "restore")
    other.write("speed", "fast\n")
    other.run("dvc", "repro", "-q")
    commit(other, "faster")
    run_command(other, "push")
    fresh = join_store(other, shared, tmp_path / "fresh")
    fresh.write("speed", "slow\n")
    assert list_ran(run_command(fresh, "restore")) == {"export"}
    assert fresh.read("model-one") == small[0].read("model-one")


def test_a_push_that_is_killed_again_and_again_is_completed_by_the_next(
    small: tuple[Clone, Folder], empty: Store, tmp_path: Path
) -> None:
    pushing = join_store(small[0], small[1], tmp_path / "pushing")
    run_command(pushing, "restore")
    connect(pushing, empty)
    whole = objects(small[1])
    for share in (0.1, 0.4, 0.8):
        kill_push(pushing, empty, int(share * len(whole)))
    run_command(pushing, "push", **empty.environment)
    assert objects(empty) == whole
    fresh = join_store(small[0], empty, tmp_path / "fresh")
    assert list_ran(run_command(fresh, "restore", **empty.environment)) == set()
    assert_restored(fresh, small[0])


@pytest.mark.parametrize(
    ("kind", "lost", "fault"),
    [
        ("folder", "model-one", "damaged"),
        ("folder", "raw", "damaged"),
        ("folder", "raw/part-ab", "not"),
        ("s3", "model-one", "not"),
        ("s3", "raw/part-ab", "damaged"),
    ],
)
def test_what_the_remote_has_lost_is_named_and_made_anew(
    kind: str,
    lost: str,
    fault: str,
    small: tuple[Clone, Folder],
    tmp_path: Path,
    s3_environment: dict[str, str],
) -> None:
    is_folder = kind == "folder"
    store = Folder(tmp_path / "remote") if is_folder else bucket(s3_environment, f"lost-{fault}")
    copy(small[1], store)
    name = find_object(small[0], lost)
    store.delete(name) if fault == "not" else store.write(name, b"damaged")
    fresh = join_store(small[0], store, tmp_path)
    done = run_command(fresh, "restore", check=False, **store.environment)
    assert done.returncode == 1
    assert list_ran(done) == set()
    assert f"{lost}: is {fault} at {store.url}/{name}\n" in done.stderr
    assert fresh.read("model-two") == small[0].read("model-two")
    assert {"train@one" if lost == "model-one" else "fetch"} <= fresh.repro()
    assert_restored(fresh, small[0])


def test_no_stage_runs_where_the_cache_cannot_be_filled(
    small: tuple[Clone, Folder], tmp_path: Path
) -> None:
    fresh = join_store(small[0], small[1], tmp_path)
    folder = Path(find_object(small[0], "model-one")).parent
    fresh.write(f".dvc/cache/{folder}", "a file where the cache needs a folder")
    done = run_command(fresh, "restore", check=False)
    assert done.returncode == 1
    assert "could not be fetched: run the same command again" in done.stderr
    assert list_ran(done) == set()


def test_a_push_sends_again_what_the_remote_has_lost(
    small: tuple[Clone, Folder], shared: Folder, tmp_path: Path
) -> None:
    """DVC's own push would not: it takes a folder's list for all of the folder's files."""
    shared.delete(find_object(small[0], "raw/part-ab"))
    pushing = Clone(tmp_path / "pushing")
    shutil.copytree(small[0].path, pushing.path)  # with its cache
    connect(pushing, shared)
    run_command(pushing, "push")
    assert objects(shared) == objects(small[1])


@pytest.mark.parametrize("calls", [2, 4])  # of the four outputs
def test_a_fetch_that_was_killed_while_it_took_notes_is_completed(
    small: tuple[Clone, Folder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """DVC's own next fetch believes its notes and leaves out what is not in them."""
    fresh = join_store(small[0], small[1], tmp_path)
    killer = Killer(calls)
    note = dvc_data.index.collect._collect_from_index
    with monkeypatch.context() as patch, Repo(str(fresh.path)) as repo:
        name = "dvc_data.index.collect._collect_from_index"
        patch.setattr(name, lambda *args, **more: (killer("note"), note(*args, **more)))
        with pytest.raises(Killed):
            repo.fetch()
    assert list_ran(run_command(fresh, "restore")) == set()
    assert_restored(fresh, small[0])


def test_a_push_of_what_is_not_here_fails(small: tuple[Clone, Folder], tmp_path: Path) -> None:
    store = Folder(tmp_path / "empty")
    pushing = join_store(small[0], store, tmp_path)
    done = run_command(pushing, "push", check=False)
    assert done.returncode == 1
    name = find_object(small[0], "model-one")
    assert f"model-one: is neither in the cache nor at {store.url}/{name}\n" in done.stderr


def test_a_second_push_sends_nothing_and_says_so(
    small: tuple[Clone, Folder], empty: Store, tmp_path: Path
) -> None:
    pushing = Clone(tmp_path / "pushing")
    shutil.copytree(small[0].path, pushing.path)
    connect(pushing, empty)
    first = run_command(pushing, "push", **empty.environment).stdout
    count = len(objects(empty))
    assert count == 66  # 60 parts and the table, 2 models, 1 export, and the lists of 2 folders
    assert re.search(rf"^sent {count} files and 2 entries of the run cache$", first, re.M)
    sent = empty.names()
    second = run_command(pushing, "push", **empty.environment).stdout
    assert second == "nothing to send: the remote has everything\n"
    assert empty.names() == sent
    assert {name for name in sent if name.startswith("runs/")} == small[1].names() - objects(
        small[1]
    )


@pytest.mark.parametrize("name", ["push", "restore"])
def test_a_bucket_that_does_not_exist_is_said_in_a_line(
    name: str, small: tuple[Clone, Folder], tmp_path: Path, s3_environment: dict[str, str]
) -> None:
    store = Bucket(None, "never-made", s3_environment)
    fresh = join_store(small[0], store, tmp_path)
    done = run_command(fresh, name, check=False, **store.environment)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"{name}: s3://never-made/cache/files/md5: there is no bucket 'never-made'. Create it, or "
        "name another one with `make remote URL=s3://bucket/path` (or a folder)"
    )
    assert list_ran(done) == set()


def is_pushing(pid: int) -> bool:
    """Say whether the command has started DVC, which takes a second to begin."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return any("push" in child.cmdline() for child in psutil.Process(pid).children())
    return False


@pytest.mark.parametrize("whole_group", [True, False], ids=["terminal", "signal"])
def test_an_interrupted_push_says_what_to_do_and_is_completed_by_the_next(
    small: tuple[Clone, Folder], empty: Store, tmp_path: Path, whole_group: bool
) -> None:
    """Ctrl-C on a terminal reaches every process of the group; `kill -INT` this one alone."""
    pushing = Clone(tmp_path / "pushing")
    shutil.copytree(small[0].path, pushing.path)
    connect(pushing, empty)
    push = start_push(pushing, empty)
    while not is_pushing(push.pid):
        time.sleep(0.01)
    os.killpg(push.pid, signal.SIGINT) if whole_group else push.send_signal(signal.SIGINT)
    _, stderr = push.communicate(timeout=60)
    assert push.returncode == 130
    assert "run the same command again, and it goes on from there" in stderr
    assert "Traceback" not in stderr
    assert objects(empty) < objects(small[1])
    run_command(pushing, "push", **empty.environment)
    assert objects(empty) == objects(small[1])


def test_credentials_stay_in_the_environment(
    small: tuple[Clone, Folder], tmp_path: Path, s3_environment: dict[str, str]
) -> None:
    store = bucket(s3_environment, "secrets")
    pushing = join_store(small[0], small[1], tmp_path)
    run_command(pushing, "restore")
    connect(pushing, store)
    said = [run_command(pushing, "push", **store.environment)]
    said.append(pushing.run("dvc", "push", "-v", "--run-cache", **store.environment))
    said.append(pushing.run("dvc", "fetch", "-v", **store.environment))
    files = [path.read_bytes() for path in pushing.path.rglob("*") if path.is_file()]
    texts = [*files, *(out.encode() for done in said for out in (done.stdout, done.stderr))]
    assert any(b"s3://secrets/cache" in text for text in texts)
    for secret in (SECRET, KEY_ID):
        assert not any(secret.encode() in text for text in texts)
    assert pushing.run("git", "status", "--porcelain").stdout == ""


def test_without_a_remote_it_says_how_to_name_one(
    small: tuple[Clone, Folder], tmp_path: Path
) -> None:
    fresh = clone_repository(small[0], tmp_path / "fresh")
    done = run_command(fresh, "restore", check=False)
    assert done.returncode == 1
    assert "no remote is configured: `make remote URL=s3://bucket/path`" in done.stderr


def test_a_remote_that_does_not_answer_is_said_and_nothing_runs(
    small: tuple[Clone, Folder], tmp_path: Path, s3_environment: dict[str, str]
) -> None:
    store = Bucket(None, "gone", {**s3_environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    fresh = join_store(small[0], store, tmp_path)
    done = run_command(fresh, "restore", check=False, AWS_MAX_ATTEMPTS="1", **store.environment)
    assert done.returncode == 1
    assert "s3://gone/cache/files/md5 does not answer" in done.stderr
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr
    assert list_ran(done) == set()


def test_make_remote_asks_for_a_url(tmp_path: Path) -> None:
    done = make(Clone(ROOT), Folder(tmp_path), "remote", check=False)
    assert done.returncode == 2
    assert "make remote URL=s3://bucket/path" in done.stdout


def make(
    clone: Clone, store: Store, *words: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run `make` with this process's environment in place of one of the clone's own."""
    return clone.run("make", "-o", ".venv/.ready", *words, check=check, **store.environment)


def run_command(
    clone: Clone, name: str, check: bool = True, **extra: str
) -> subprocess.CompletedProcess[str]:
    """Run `python -m commands <name>` on a clone that need not hold this repository's code."""
    words = (sys.executable, "-m", "commands", name)
    return clone.run(*words, check=check, PYTHONPATH=str(ROOT), **extra)


def connect(clone: Clone, store: Store) -> None:
    words = ("-f", str(ROOT / "Makefile"), "-o", ".venv/.ready", "remote", f"URL={store.url}")
    clone.run("make", *words)


def clone_repository(clone: Clone, path: Path) -> Clone:
    subprocess.run(["git", "clone", "-q", str(clone.path), str(path)], check=True)
    fresh = Clone(path)
    fresh.run("git", "config", "user.name", "test")
    fresh.run("git", "config", "user.email", "test@localhost")
    return fresh


def join_store(clone: Clone, store: Store, folder: Path) -> Clone:
    """Return a fresh clone that knows the remote."""
    fresh = clone_repository(clone, folder / "fresh")
    connect(fresh, store)
    return fresh


def list_ran(done: subprocess.CompletedProcess[str]) -> set[str]:
    return set(RUNNING.findall(done.stdout))


def assert_restored(clone: Clone, original: Clone) -> None:
    assert {path: clone.read(path) for path in MADE} == {path: original.read(path) for path in MADE}
    assert clone.run("dvc", "status").stdout == "Data and pipelines are up to date.\n"


def find_object(clone: Clone, path: str) -> str:
    """Return the name in a remote of a file's object, or of a folder's list of files."""
    if (clone.path / path).is_file():
        digest = hashlib.md5((clone.path / path).read_bytes()).hexdigest()
    else:
        lock = YAML(typ="safe").load(clone.read("dvc.lock"))["stages"].values()
        [digest] = [out["md5"] for stage in lock for out in stage["outs"] if out["path"] == path]
    return f"files/md5/{digest[:2]}/{digest[2:]}"


def kill_push(clone: Clone, store: Store, objects_there: int) -> None:
    """Start a push, and kill it a moment after the remote has so many objects."""
    push = start_push(clone, store)
    while push.poll() is None and len(objects(store)) < objects_there:
        time.sleep(0.01)
    time.sleep(random.Random(objects_there).uniform(0, 0.02))
    if push.poll() is None:
        os.killpg(push.pid, signal.SIGKILL)  # its own session: only the push and what it started
    push.communicate()


def start_push(clone: Clone, store: Store) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "commands", "push"],
        cwd=clone.path,
        env=environment(PYTHONPATH=str(ROOT), **store.environment),
        start_new_session=True,
        stdout=DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
