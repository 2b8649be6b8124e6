"""Runs a command: ``python -m commands NAME``."""

import sys
from importlib import import_module

from stages.runner.declare import run_plainly

COMMANDS = {
    "compose": "workspace.compose",
    "draft": "drafting.draft",
    "set-reference": "workspace.set_reference",
    "adopt": "experiments.adopt",
    "history": "registry.history",
    "leaderboard": "experiments.leaderboard",
    "repair": "workspace.repair",
    "plots": "experiments.plots",
    "promote": "registry.promote",
    "pull": "registry.pull",
    "push": "workspace.push",
    "register": "registry.register",
    "repro": "workspace.repro",
    "rebuild": "registry.rebuild",
    "report": "review.report",
    "restore": "workspace.restore",
    "rollback": "registry.rollback",
    "sweep": "experiments.sweep",
    "verify": "workspace.verify",
}


def main() -> None:
    """Run the command that the first argument names with the rest of them."""
    name, sys.argv[1:] = sys.argv[1], sys.argv[2:]
    run_plainly(name, import_module(f"commands.{COMMANDS[name]}").main)


if __name__ == "__main__":
    main()
