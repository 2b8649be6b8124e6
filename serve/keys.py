"""Makes API keys: ``python -m serve.keys new --scope predict``.

The key is shown once, for the client; the line with its hash goes into SERVE_API_KEYS.
"""

import argparse
import hashlib
import secrets

from serve.security import SCOPES

BITS = 256


def new_key(scopes: list[str]) -> tuple[str, str]:
    """Return a new key, and the line that makes a server know it."""
    key = secrets.token_urlsafe(BITS // 8)
    digest = hashlib.sha256(key.encode()).hexdigest()
    return key, f"sha256:{digest}:{'+'.join(dict.fromkeys(scopes))}"


def main(arguments: list[str] | None = None) -> None:
    """Print a new key and its line."""
    parser = argparse.ArgumentParser(prog="python -m serve.keys", description=__doc__)
    commands = parser.add_subparsers(required=True)
    new = commands.add_parser("new", help="make a key")
    new.add_argument("--scope", action="append", choices=SCOPES, help="may be given twice")
    key, line = new_key(parser.parse_args(arguments).scope or ["predict"])
    print(f"The key, for the client; it is shown this once:\n  {key}")
    print(f"Its hash, for the server's SERVE_API_KEYS (a comma between two):\n  {line}")


if __name__ == "__main__":
    main()
