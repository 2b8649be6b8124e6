"""API keys: ``python -m serve.http.keys new --scope predict`` makes one.

The key is shown once, for the client; the line with its hash goes into SERVE_API_KEYS. A key is 256
random bits, so one round of SHA-256 keeps it as well as a slow hash would: there is no dictionary
to try.
"""

import argparse
import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Literal, Self, get_args

Scope = Literal["predict", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
LINE = re.compile(r"sha256:(?P<digest>[0-9a-f]{64}):(?P<scopes>[a-z]+(\+[a-z]+)*)")
FORM = f"sha256:<64 hexadecimal digits>:<scope>, where a scope is {' or '.join(SCOPES)}"
BYTES = 32


@dataclass(frozen=True)
class ApiKey:
    """A key as the server holds it: not the key, but its hash, and what it may be used for."""

    digest: bytes
    scopes: frozenset[str]

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read a line of `new_key`; raises ValueError, which never shows the line.

        It may be a key that somebody took for its hash.
        """
        form = LINE.fullmatch(line)
        scopes = frozenset(form["scopes"].split("+")) if form else frozenset()
        if form is None or not scopes <= set(SCOPES):
            raise ValueError(f"each key must be {FORM}; `python -m serve.http.keys new` prints one")
        return cls(bytes.fromhex(form["digest"]), scopes)


def new_key(scopes: list[str]) -> tuple[str, str]:
    """Return a new key, and the line that makes a server know it."""
    key = secrets.token_urlsafe(BYTES)
    digest = hashlib.sha256(key.encode()).hexdigest()
    return key, f"sha256:{digest}:{'+'.join(dict.fromkeys(scopes))}"


def main(arguments: list[str] | None = None) -> None:
    """Print a new key and its line."""
    parser = argparse.ArgumentParser(
        prog="python -m serve.http.keys", description="Make an API key."
    )
    commands = parser.add_subparsers(required=True)
    new = commands.add_parser("new", help="make a key")
    new.add_argument("--scope", action="append", choices=SCOPES, help="may be given twice")
    key, line = new_key(parser.parse_args(arguments).scope or ["predict"])
    print(f"The key, for the client; it is shown this once:\n  {key}")
    print(f"Its hash, for the server's SERVE_API_KEYS (a comma between two):\n  {line}")


if __name__ == "__main__":
    main()
