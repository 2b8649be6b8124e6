"""The one exception that a person is meant to read, and how it ends a process.

Nothing but the standard library: workflows run some commands without an environment.
"""

import sys
from collections.abc import Callable


class PipelineError(Exception):
    """Stops a stage or command with exit code 1 and its message, without a stack trace.

    The message says what is wrong, the value seen, and the file and key to change.
    """


def run_plainly(name: str, *steps: Callable[[], None]) -> None:
    """Run the steps; a PipelineError ends the process with its message and exit code 1."""
    try:
        for step in steps:
            step()
    except FileNotFoundError as error:
        missing = error.filename or error
        sys.exit(f"\n{name.strip()}: {missing} is not here: `dvc repro` makes it\n")
    except PipelineError as error:
        sys.exit(f"\n{name.strip()}: {error}\n")
