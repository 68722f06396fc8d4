"""How a number on the page follows from what the record files hold: a formula of keys, to be computed by anyone.

    measurements.fid                                    a number of the record
    median(timing.stages.rounds_s.decoder)              of a list in it
    measurements.flops@1 / measurements.flops@2         of two records, in the order in which they are named
    mean(mean(measurements.fid@1:3), mean(measurements.fid@4:6))     of six: records 1 to 3, records 4 to 6

A key is a path of names and places; a name that is no word stands in single quotes. Of a
measurement its value is meant.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, median
from typing import Any

from bench.stats import variance_components

STEP = r"(?:[A-Za-z_]\w*|'[^']*')"
PATH = re.compile(rf"({STEP}(?:\.(?:\w+|'[^']*'))+)(?:@(\d+)(?::(\d+))?)?")
OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}

UNFIT = (KeyError, IndexError, TypeError, ValueError, ArithmeticError)  # what a formula that does not fit may raise


def key_of(*steps: str | int) -> str:
    """The path of these names and places, as "texts.by_question_type.'how many'.accuracy"."""
    return ".".join(str(step) if re.fullmatch(r"\w+", str(step)) else f"'{step}'" for step in steps)


def of_file(key: str, place: int, last: int | None = None) -> str:
    """The key in the file that stands at a place (from 1), or in those from one place to the last."""
    return f"{key}@{place}" if last is None or last == place else f"{key}@{place}:{last}"


def read_from(formula: str, place: int) -> str:
    """A formula of one file's paths as one that reads them from the file at a place (from 1)."""
    return PATH.sub(rf"\g<0>@{place}", formula)


def paths_in(formula: str, files: Sequence[str]) -> list[tuple[str, str]]:
    """(file, path) of everything that a formula reads."""
    return [read for found in PATH.finditer(formula) for read in places(found, files)]


def evaluate(formula: str, files: Sequence[str], data: Mapping[str, Any]) -> float:
    """The number of a formula from the JSON of its files, by file.

    UNFIT where a path leads nowhere or to no number, or where it is no formula.
    """
    read: list[Any] = []

    def value_of(found: re.Match[str]) -> str:
        values = [at_path(data[file], path) for file, path in places(found, files)]
        read.append(values if found[3] else values[0])
        return f"v{len(read) - 1}"

    try:
        tree = ast.parse(PATH.sub(value_of, formula), mode="eval")
    except SyntaxError as error:
        raise ValueError(f"no formula: {formula}") from error
    return float(computed(tree.body, read))


def places(found: re.Match[str], files: Sequence[str]) -> list[tuple[str, str]]:
    path, first, last = found.groups()
    start = int(first or 1)
    return [(files[place - 1], path) for place in range(start, int(last or start) + 1)]


def at_path(data: Any, path: str) -> Any:
    for quoted, name in re.findall(r"'([^']*)'|(\w+)", path):
        step = quoted or name
        data = data[int(step)] if isinstance(data, list) else data[step]
    return data["value"] if isinstance(data, Mapping) else data


def computed(node: ast.AST, read: Sequence[Any]) -> Any:
    """A node of a formula: numbers, what was read, the four operations and FUNCTIONS; nothing else of Python."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.Name(id=name) if re.fullmatch(r"v\d+", name):
            return read[int(name[1:])]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return OPERATORS[type(op)](computed(left, read), computed(right, read))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            return FUNCTIONS[name](*(computed(each, read) for each in args))
    raise ValueError(f"no formula: {ast.unparse(node)}")


def flat(*values: Any) -> list[float]:
    """The numbers of nested lists, in their order."""
    found: list[float] = []
    for value in values:
        found += flat(*value) if isinstance(value, list) else [float(value)]
    return found


def spread(place: int) -> Callable[..., float]:
    """Of groups of numbers the standard deviation between (0) or within (1) them; see bench.stats."""

    def of_groups(*groups: Any) -> float:
        found = variance_components([flat(group) for group in groups])[place]
        if found is None:
            raise ValueError("too few groups for a spread")
        return found

    return of_groups


FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "mean": lambda *values: fmean(flat(*values)),
    "median": lambda *values: median(flat(*values)),
    "sum": lambda *values: sum(flat(*values)),
    "min": lambda *values: min(flat(*values)),
    "max": lambda *values: max(flat(*values)),
    "count": lambda *values: len(flat(*values)),
    "between": spread(0),
    "within": spread(1),
}
