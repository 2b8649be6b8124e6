"""Changes single values of a YAML text, and leaves every other character as it was."""

from collections.abc import Sequence
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

Pair = tuple[Node, Node]


def set_value(text: str, keys: Sequence[Any], value: Any) -> str:
    """Return the text with ``value`` at the path ``keys``; mappings that are missing are added."""
    node, left = _find_node(text, keys)
    if node is not None and not left:
        return _replace_node(text, node, render_value(value))
    content = value
    for key in reversed(left[1:]):
        content = {key: content}
    entry = f"{render_value(left[0])}: {render_value(content)}"
    if node is None:
        return f"{text}{entry}\n"
    return _insert_entry(text, node, entry)


def delete_key(text: str, keys: Sequence[Any]) -> str:
    """Return the text without the entry at the path ``keys``, if it has one."""
    node, left = _find_node(text, keys[:-1])
    pairs = [] if left else _list_pairs(node)
    names = [name.value for name, _ in pairs]
    if not isinstance(node, MappingNode) or _spell_scalar(keys[-1]) not in names:
        return text
    number = names.index(_spell_scalar(keys[-1]))
    if len(pairs) == 1 and len(keys) > 1:
        return _replace_node(text, node, "{}")
    return _cut_flow(text, pairs, number) if node.flow_style else _cut_lines(text, pairs[number])


def has_key(text: str, keys: Sequence[Any]) -> bool:
    return not _find_node(text, keys)[1]


def is_reference(text: str, keys: Sequence[Any]) -> bool:
    """Say whether what stands at the path, or above it, refers to another value: ``${source}``."""
    node = _find_node(text, keys)[0]
    return isinstance(node, ScalarNode) and "${" in node.value


def render_value(value: Any) -> str:
    """Return a value as a person would write it on one line."""
    if isinstance(value, dict):
        entries = ", ".join(
            f"{render_value(key)}: {render_value(item)}" for key, item in value.items()
        )
        return f"{{ {entries} }}" if entries else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(render_value, value))}]"
    if isinstance(value, str) and not _is_plain(value):
        return _quote_text(value)
    return _spell_scalar(value)


def _find_node(text: str, keys: Sequence[Any]) -> tuple[Node | None, list[Any]]:
    """Return the deepest node on the path that the text has, and the keys that are left.

    A list of mappings, as Hydra's ``defaults``, counts as one mapping.
    """
    node, left = yaml.compose(text, Loader=yaml.SafeLoader), list(keys)
    while left:
        found = [value for name, value in _list_pairs(node) if name.value == _spell_scalar(left[0])]
        if not found:
            break
        node, left = found[0], left[1:]
    return node, left


def _list_pairs(node: Node | None) -> list[Pair]:
    if isinstance(node, SequenceNode):
        return [pair for item in node.value if isinstance(item, MappingNode) for pair in item.value]
    return node.value if isinstance(node, MappingNode) else []


def _replace_node(text: str, node: Node, new: str) -> str:
    start, end = node.start_mark.index, _find_end(node)
    before, after = text[:start], text[end:]
    if isinstance(node, CollectionNode) and not node.flow_style and before.rstrip().endswith(":"):
        before = before.rstrip()
    space = " " if before.endswith(":") else ""
    after = after.removeprefix(" ") if after.startswith(" ,") else after
    return f"{before}{space}{new}{after}"


def _insert_entry(text: str, node: Node, entry: str) -> str:
    """Add an entry behind the last one of a mapping; what is none, such as null, becomes one."""
    if not isinstance(node, MappingNode) or not node.value:
        return _replace_node(text, node, f"{{ {entry} }}")
    first, (_, last) = node.value[0][0], node.value[-1]
    end = _find_end(last)
    if node.flow_style:
        space = " " if text[end - 1] == ":" else ""  # behind an empty value
        return f"{text[:end]}{space}, {entry}{text[end:]}"
    end = _find_line_end(text, end)
    return f"{text[:end]}\n{' ' * first.start_mark.column}{entry}{text[end:]}"


def _cut_flow(text: str, pairs: list[Pair], number: int) -> str:
    if number + 1 < len(pairs):
        start, end = (pairs[place][0].start_mark.index for place in (number, number + 1))
    else:
        start, end = _find_end(pairs[number - 1][1]), _find_end(pairs[number][1])
    return text[:start] + text[end:]


def _cut_lines(text: str, pair: Pair) -> str:
    name, value = pair
    start = name.start_mark.index - name.start_mark.column
    return text[:start] + text[_find_line_end(text, _find_end(value)) + 1 :]


def _find_end(node: Node) -> int:
    """Return where a node's own characters end: a block's mark lies behind what follows it."""
    if isinstance(node, CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _find_end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _find_line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _spell_scalar(value: Any) -> str:
    """Return a scalar without quotes, as YAML spells it: ``true``, ``null``, ``1.0e-05``."""
    if isinstance(value, str):
        return value
    return str(yaml.safe_dump(value)).removesuffix("\n").removesuffix("\n...")


def _is_plain(text: str) -> bool:
    """Say whether every reader of YAML takes the text, without quotes, for this very string."""
    listed = f"[{text}]"
    try:
        read = [yaml.safe_load(listed), YAML(typ="safe").load(listed)]
    except (yaml.YAMLError, YAMLError):
        return False
    return read == [[text], [text]] and not text.startswith(("{", "["))


def _quote_text(text: str) -> str:
    return str(yaml.safe_dump(text, default_style='"', width=10**6, allow_unicode=True)).strip()
