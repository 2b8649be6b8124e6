"""Git's merge driver: ``python -m commands.workspace.merge_lock BASE OURS THEIRS``.

Writes the merge over OURS, as git wants it. ``make install`` tells git of it; ``.gitattributes``
names the file. It needs no environment but Python's own, for git may be called from anywhere.
"""

import sys
from pathlib import Path

from commands.workspace.merging import merge_entries, split_entries
from stages.shared.conflict import has_conflict


def main() -> None:
    """Merge; exit code 1, git's word for a conflict, where a side is in conflict itself."""
    base, ours, theirs = (Path(path).read_text(encoding="utf-8") for path in sys.argv[1:4])
    if any(map(has_conflict, (base, ours, theirs))):
        sys.exit("dvc.lock was committed with marks of a conflict: `make repro` resolves them")
    merged = merge_entries(split_entries(base), split_entries(ours), split_entries(theirs))
    Path(sys.argv[2]).write_text("".join(text for _, text in merged), encoding="utf-8")


if __name__ == "__main__":
    main()
