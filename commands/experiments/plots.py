"""Draws all of DVC's plots into one page that needs no network: ``python -m commands plots``.

``dvc plots show`` makes a page that loads Vega from a CDN; this hands it a page template that
holds Vega itself, as ``vl-convert`` carries it.
"""

import subprocess
from datetime import datetime
from html import escape
from pathlib import Path

import vl_convert

from commands.workspace.git import ask_git
from stages.shared.storage import write_text

TEMPLATE = Path(".dvc/tmp/plots.html")
FOLDER = Path("dvc_plots")
# Makes the bundle's names known to the page, as DVC's plots expect them.
EXPORTED = "window.vegaEmbed = vegaEmbed; window.vega = vega; window.vegaLite = vegaLite;"
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Plots of {name}</title>
<style>
body {{ font-family: system-ui, sans-serif; margin: 2rem; }}
main {{ display: flex; flex-wrap: wrap; gap: 2rem; align-items: flex-start; }}
</style>
<script>{vega}</script>
</head>
<body>
<h1>Plots of {name}</h1>
<p>{origin}</p>
<main>{{plot_divs}}</main>
</body>
</html>
"""


def draw_plots(targets: list[str]) -> int:
    """Write ``dvc_plots/index.html``, of all plots or of some files; return DVC's exit code."""
    vega = vl_convert.javascript_bundle(snippet=EXPORTED)
    words = {"name": escape(Path.cwd().name), "origin": escape(describe_origin())}
    write_text(TEMPLATE, PAGE.format(vega=vega, **words))
    command = [
        "dvc",
        "plots",
        "show",
        "-o",
        str(FOLDER),
        "--html-template",
        str(TEMPLATE.resolve()),
    ]
    return subprocess.run([*command, *targets], check=False).returncode


def describe_origin() -> str:
    """Return which commit the plots show, whether files were changed since, and the time."""
    commit = ask_git("log", "-1", "--format=%h of %cd: %s", "--date=format:%Y-%m-%d %H:%M")
    is_changed = bool(ask_git("status", "--porcelain", "--untracked-files=no"))
    changed = ", and changes that are not committed" if is_changed else ""
    drawn = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    return f"Commit {commit}{changed}. Drawn {drawn}." if commit else f"Drawn {drawn}."
