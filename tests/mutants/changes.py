"""Every single-token change of a source file that could change what it computes."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

OPERATORS = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
    ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
}
_TWINS = (
    *(("min", "max"), ("any", "all"), ("minimum", "maximum"), ("argmin", "argmax"), ("mean", "sum"), ("floor", "ceil")),
    *(("low", "high"), ("ci_low", "ci_high"), ("zeros", "ones"), ("lowest", "highest"), ("sin", "cos")),
)
NAMES = {one: other for pair in _TWINS for one, other in (pair, pair[::-1])}


@dataclass(frozen=True)
class Change:
    """One token of a file and what stands in its place."""

    line: int  # from 1
    start: int  # characters of the whole text
    end: int
    new: str

    def apply(self, text: str) -> str:
        return text[: self.start] + self.new + text[self.end :]

    def key(self, text: str) -> str:
        """The line with the change marked, whatever its number: `if num [< -> <=] 3:`."""
        first = text.rfind("\n", 0, self.start) + 1
        last = text.find("\n", self.end)
        old = text[self.start : self.end]
        return f"{text[first : self.start]}[{old} -> {self.new}]{text[self.end : last]}".strip()


def changes(text: str) -> list[Change]:
    """In the order of the file. Left out: annotations, decorators, strings, zip's `strict`, which compute nothing."""
    starts = [0]
    for row in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(row))
    lines = text.splitlines()

    def place(row: int, column: int) -> int:  # ast counts bytes
        return starts[row - 1] + len(lines[row - 1].encode()[:column].decode())

    tokens = [
        (starts[token.start[0] - 1] + token.start[1], starts[token.end[0] - 1] + token.end[1], token.string)
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type in (tokenize.OP, tokenize.NAME)
    ]
    found: list[Change] = []

    def replace(start: int, end: int, new: str) -> None:
        found.append(Change(text.count("\n", 0, start) + 1, start, end, new))

    def operator(between: tuple[ast.AST, ast.AST], kind: type) -> None:
        if kind not in OPERATORS:
            return
        old, new = OPERATORS[kind]
        first, last = (
            place(between[0].end_lineno, between[0].end_col_offset),
            place(  # type: ignore[attr-defined]
                between[1].lineno,
                between[1].col_offset,  # type: ignore[attr-defined]
            ),
        )
        inside = [token for token in tokens if first <= token[0] and token[1] <= last and token[2] in old.split()]
        if inside:
            replace(inside[0][0], inside[-1][1] if " " in old else inside[0][1], new)

    for node in _computing(ast.parse(text)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            for index, op in enumerate(node.ops):
                operator((sides[index], sides[index + 1]), type(op))
        elif isinstance(node, ast.BinOp):
            operator((node.left, node.right), type(node.op))
        elif isinstance(node, ast.BoolOp):
            for pair in zip(node.values, node.values[1:], strict=False):
                operator(pair, type(node.op))
        elif isinstance(node, ast.AugAssign):
            old, new = OPERATORS.get(type(node.op), ("", ""))
            first, last = (
                place(node.target.end_lineno, node.target.end_col_offset),
                place(  # type: ignore[arg-type]
                    node.value.lineno, node.value.col_offset
                ),
            )
            for token in tokens:
                if old and first <= token[0] and token[1] <= last and token[2] == f"{old}=":
                    replace(token[0], token[1], f"{new}=")
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
            start = place(node.lineno, node.col_offset)
            replace(start, start + (1 if isinstance(node.op, ast.USub) else 4), "")
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
            start, end = place(node.lineno, node.col_offset), place(node.end_lineno, node.end_col_offset)  # type: ignore[arg-type]
            value = node.value
            replace(start, end, repr(not value if isinstance(value, bool) else value + 1))
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in NAMES and (isinstance(node, ast.Attribute) or name in ("min", "max", "any", "all")):
                end = place(node.end_lineno, node.end_col_offset)  # type: ignore[arg-type]
                replace(end - len(name), end, NAMES[name])
    return sorted(found, key=lambda change: change.start)


def _computing(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that compute something."""
    yield tree
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.keyword) and child.arg == "strict":
                continue
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                yield from _computing(child)
