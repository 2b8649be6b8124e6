"""Fits a report for GitHub's pages, where a picture that lies beside it does not show.

Nothing but the standard library: no environment need be built for it.
"""

import re

PICTURE = re.compile(r"^!\[(?P<shows>[^\]]*)\]\((?P<file>[\w.-]+\.png)\)$", re.M)


def link_pictures(report: str, run: str) -> str:
    """Put a link to the run's artifacts in the place of each picture."""
    return PICTURE.sub(rf"[\g<file>]({run}#artifacts), a picture of \g<shows>", report)
