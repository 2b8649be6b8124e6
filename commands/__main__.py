"""Runs a command without installation: ``python -m commands NAME``; `--help` lists them."""

from commands.program import main

if __name__ == "__main__":
    main()
