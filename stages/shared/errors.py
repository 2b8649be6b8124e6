"""The one exception that a person is meant to read."""


class PipelineError(Exception):
    """Stops a stage or command with exit code 1 and its message, without a stack trace.

    The message says what is wrong, the value seen, and the file and key to change.
    """
