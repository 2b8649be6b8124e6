"""Puts DVC's own files in order after a kill: ``python -m stages.mend``. `make repro` begins so."""

from stages.reproducing.mending import mend

if __name__ == "__main__":
    mend()
