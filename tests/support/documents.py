"""What the documents say that a test can hold against the repository: blocks, links, messages."""

import ast
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.support.clone import ROOT

LISTED = ("*.md", "docs/**/*.md", "conf/**/*.md", "data/*/README.md", "benchmarks/*.md")
DOCUMENTS = sorted({path for glob in LISTED for path in ROOT.glob(glob)})
MARK = re.compile(r"^<!-- (?P<kind>run|file|edit)(: (?P<word>\S+))? -->\s*$")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the mark in the comment before it, if any.

    ``kind`` is ``run`` where a test runs the block (``word`` says how), ``file`` or ``edit`` where
    the reader writes or changes the file ``word``.
    """

    document: Path
    line: int
    language: str
    text: str
    kind: str = ""
    word: str = ""

    @property
    def where(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """Return the lines that a reader types: those behind ``$``, joined where one goes on."""
        joined = self.text.replace("\\\n", " ")
        return [line[2:] for line in joined.splitlines() if line.startswith("$ ")]


@cache
def tokens(document: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(document.read_text(encoding="utf-8"))


@cache
def blocks(document: Path) -> list[Block]:
    found, mark = [], None
    for token in tokens(document):
        if token.type == "html_block":
            mark = MARK.match(token.content)
        elif token.type == "fence":
            line = (token.map or [0])[0] + 1
            kind, word = (mark["kind"], mark["word"] or "") if mark else ("", "")
            found.append(Block(document, line, token.info, token.content, kind, word))
            mark = None
        elif token.level == 0:
            mark = None
    return found


def inline(document: Path) -> Iterator[Token]:
    """Yield every piece of running text, of links and of code within lines."""
    for token in tokens(document):
        yield from token.children or []


def code_spans(document: Path) -> list[str]:
    return [token.content for token in inline(document) if token.type == "code_inline"]


def links(document: Path) -> list[str]:
    """Return the addresses of links and pictures."""
    found = [str(token.attrs.get("href", "")) for token in inline(document)]
    found += [str(token.attrs.get("src", "")) for token in inline(document)]
    return [address for address in found if address]


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a document."""
    headings = [
        after.content
        for token, after in zip(tokens(document), tokens(document)[1:], strict=False)
        if token.type == "heading_open"
    ]
    return {slug(heading) for heading in headings}


def slug(heading: str) -> str:
    """Return GitHub's anchor: small letters, no punctuation, blanks as hyphens."""
    plain = re.sub(r"<!--.*?-->", "", heading).replace("`", "").strip().lower()
    kept = [it for it in plain if it in " -_" or unicodedata.category(it)[0] in "LN"]
    return "".join(kept).replace(" ", "-")


def messages(folders: tuple[str, ...]) -> list[str]:
    """Return every text in the code, with ``\\0`` where a value stands, on one line."""
    trees = [
        ast.parse(path.read_text(encoding="utf-8"))
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]
    shared = constants(trees)
    own = [(tree, shared | constants([tree])) for tree in trees]
    return [
        re.sub(r"\s+", " ", flat(node, names))
        for tree, names in own
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr | ast.Constant | ast.BinOp)
    ]


def constants(trees: list[ast.Module]) -> dict[str, str]:
    """Return what ``NAME = "text"`` and ``NAME = Path("text")`` name; a name is of one text."""
    found: dict[str, set[str]] = {}
    for tree in trees:
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                value = node.value
                if isinstance(value, ast.Call) and ast.unparse(value.func) == "Path" and value.args:
                    value = value.args[0]
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    found.setdefault(node.targets[0].id, set()).add(value.value)
    return {name: texts.pop() for name, texts in found.items() if len(texts) == 1}


def flat(node: ast.expr, names: dict[str, str]) -> str:
    """Return a text with its constants filled in and ``\\0`` for each other value."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(flat(value, names) for value in values)
        case ast.FormattedValue(value=ast.Name(id=name)):
            return names.get(name, "\0")
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return flat(left, names) + flat(right, names)
    return "\0"


def is_said(message: str, said: list[str]) -> bool:
    """Tell whether a text has the pieces of a message around its ``…``, in their order."""
    pieces = [re.escape(piece.strip()) for piece in message.split("…") if piece.strip()]
    pattern = re.compile(".*".join(pieces))
    return any(pattern.search(text) for text in said)
