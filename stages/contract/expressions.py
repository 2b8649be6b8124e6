"""Small formulas over columns, as the contract writes them: ``num > 0``, ``rooms / households``.

The arithmetic is limited to operations that IEEE 754 defines to the last bit (+ - * / and square
root), so that training and the exported graph compute the same numbers.
"""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
FUNCTIONS: dict[str, Callable[[Any], Any]] = {"abs": np.abs, "sqrt": np.sqrt}
ALLOWED = (
    "column names, numbers, + - * /, abs(), sqrt(), col('a name with blanks'), and around all of "
    "it one of > >= < <= == !=, or a column == or != text in quotes"
)


@dataclass(frozen=True)
class Expression:
    """A parsed formula; make one with ``Expression.parse``."""

    text: str
    tree: ast.expr

    @classmethod
    def parse(cls, text: str) -> "Expression":
        """Raises ValueError where ``text`` holds anything but the allowed operations."""
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except SyntaxError as error:
            raise ValueError(f"{text!r} is not a formula; it may hold {ALLOWED}") from error
        for part in _split_comparison(tree, text) if isinstance(tree, ast.Compare) else [tree]:
            _check(part, text)
        return cls(text, tree)

    @property
    def names(self) -> frozenset[str]:
        """The columns that the formula reads."""
        return frozenset(_list_columns(self.tree))

    @property
    def column(self) -> str | None:
        """The column that the formula is, where it is nothing but one."""
        return find_column_name(self.tree)

    @property
    def is_arithmetic(self) -> bool:
        """Whether the formula gives a number, and not the answer of a comparison."""
        return not isinstance(self.tree, ast.Compare)

    @property
    def wanted_text(self) -> str | None:
        """The text that the formula compares a column with, if it does."""
        sides = self.tree.comparators if isinstance(self.tree, ast.Compare) else []
        texts = [side.value for side in sides if isinstance(side, ast.Constant)]
        return next((text for text in texts if isinstance(text, str)), None)

    def evaluate(self, columns: Mapping[str, Array]) -> Array:
        """Return the formula's value for each row; ``columns`` maps names to arrays of one length.

        A division by zero gives an infinity or NaN, as in NumPy, without a warning.
        """
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return np.asarray(_evaluate(self.tree, columns))


def find_column_name(node: ast.AST) -> str | None:
    """Return the column that ``node`` stands for, or None where it is something else."""
    if isinstance(node, ast.Name):
        return node.id
    if _is_call(node) and node.func.id == "col":  # type: ignore[attr-defined]
        return str(node.args[0].value)  # type: ignore[attr-defined]
    return None


def _is_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


def _list_columns(node: ast.AST) -> Iterator[str]:
    name = find_column_name(node)
    if name is not None:
        yield name
    else:
        parts = node.args if isinstance(node, ast.Call) else ast.iter_child_nodes(node)
        for part in parts:
            yield from _list_columns(part)


def _split_comparison(node: ast.Compare, text: str) -> list[ast.expr]:
    match node:
        case ast.Compare(
            ast.Name() | ast.Call(func=ast.Name(id="col")) as column,
            [ast.Eq() | ast.NotEq()],
            [ast.Constant(value=str())],
        ):
            return [column]
        case ast.Compare(left, [op], [right]) if type(op) in COMPARISONS:
            return [left, right]
    raise _make_refusal(node, text)


def _check(node: ast.expr, text: str) -> None:
    for child in _list_children(node, text):
        _check(child, text)


def _list_children(node: ast.expr, text: str) -> list[ast.expr]:
    match node:
        case ast.Constant(value=int() | float()) | ast.Name():
            return []
        case ast.BinOp(left, op, right) if type(op) in ARITHMETIC:
            return [left, right]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return [operand]
        case ast.Call(func=ast.Name(id="col"), args=[ast.Constant(value=str())], keywords=[]):
            return []
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            return [argument]
    raise _make_refusal(node, text)


def _make_refusal(node: ast.expr, text: str) -> ValueError:
    part = ast.unparse(node)
    return ValueError(f"{part!r} in {text!r} is not allowed; a formula holds {ALLOWED}")


def _evaluate(node: ast.expr, columns: Mapping[str, Array]) -> Any:
    name = find_column_name(node)
    if name is not None:
        return columns[name]
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.Constant(value=value):
            return np.float64(value)  # type: ignore[arg-type]
        case ast.BinOp(left, op, right):
            return ARITHMETIC[type(op)](_evaluate(left, columns), _evaluate(right, columns))
        case ast.UnaryOp(operand=operand):
            return -_evaluate(operand, columns)
        case ast.Compare(left, [op], [right]):
            return COMPARISONS[type(op)](_evaluate(left, columns), _evaluate(right, columns))
        case ast.Call(func=ast.Name(id=function), args=[argument]):
            return FUNCTIONS[function](_evaluate(argument, columns))
    raise TypeError(f"unchecked formula: {ast.unparse(node)}")
