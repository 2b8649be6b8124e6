"""Two places to share a cache: a folder, and a bucket of an S3 that lives in this process."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import boto3
from moto.server import ThreadedMotoServer

SECRET = "a-secret-that-must-stay-in-the-environment"
KEY_ID = "AKIDTHATMUSTSTAYTHERETOO"


class Store(Protocol):
    """A remote as its owner sees it: objects by their path in it."""

    environment: dict[str, str]

    @property
    def url(self) -> str: ...

    def names(self) -> set[str]: ...

    def delete(self, name: str) -> None: ...

    def write(self, name: str, content: bytes) -> None: ...


@dataclass
class Folder:
    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return str(self.path)

    def names(self) -> set[str]:
        found = (path for path in self.path.rglob("*") if path.is_file())
        return {str(path.relative_to(self.path)) for path in found}

    def delete(self, name: str) -> None:
        (self.path / name).unlink()

    def write(self, name: str, content: bytes) -> None:
        path = self.path / name
        path.unlink(missing_ok=True)  # it is read-only
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o444)  # a file that can be written DVC checks without being asked


@dataclass
class Bucket:
    client: Any
    name: str
    environment: dict[str, str]

    @property
    def url(self) -> str:
        return f"s3://{self.name}/cache"

    def names(self) -> set[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return {
            it["Key"].removeprefix("cache/") for page in pages for it in page.get("Contents", [])
        }

    def delete(self, name: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=f"cache/{name}")

    def write(self, name: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=f"cache/{name}", Body=content)


def objects(store: Store) -> set[str]:
    """Return the names of whole objects: not run cache, not what a killed push left half-done."""
    return {it for it in store.names() if re.fullmatch(r"files/md5/../[0-9a-f]{30}(\.dir)?", it)}


def copy(folder: Folder, store: Store) -> None:
    for name in folder.names():
        store.write(name, (folder.path / name).read_bytes())


@contextmanager
def s3() -> Iterator[dict[str, str]]:
    """Start an S3 on 127.0.0.1; yield the environment that leads to it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else it notes every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
    finally:
        server.stop()


def bucket(environment: dict[str, str], name: str) -> Bucket:
    client = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=name)
    return Bucket(client, name, environment)
