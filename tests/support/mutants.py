"""Small mutations of a solution's answer cells: what a learner may write in their place."""

import ast
import copy
import difflib
from collections.abc import Callable, Iterator

LIKE = {
    ast.Lt: [ast.LtE, ast.Gt], ast.LtE: [ast.Lt, ast.Gt], ast.Gt: [ast.GtE, ast.Lt], ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq], ast.NotEq: [ast.Eq], ast.Is: [ast.IsNot], ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn], ast.NotIn: [ast.In], ast.And: [ast.Or], ast.Or: [ast.And],
    ast.Add: [ast.Sub], ast.Sub: [ast.Add], ast.Mult: [ast.Add], ast.Div: [ast.Mult], ast.Pow: [ast.Mult],
}  # fmt: skip
"""Operator → those that it is taken for."""
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
"""Name → the one that it is taken for."""
BLOCKS = ("body", "orelse", "finalbody")


def mutants(cell: str) -> dict[str, str]:
    """What differs, as "old → new" → the mutated cell, with its first line."""
    first, tree = cell.strip().splitlines()[0], ast.parse(cell)
    before = ast.unparse(tree)
    found = {}
    for place, node in enumerate(ast.walk(tree)):
        for change in _changes(node):
            mutant = copy.deepcopy(tree)
            change(list(ast.walk(mutant))[place])
            after = ast.unparse(mutant)
            if after != before:
                found.setdefault(_difference(before, after), f"{first}\n{after}\n")
    return found


def _difference(before: str, after: str) -> str:
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    old, new = ("; ".join(line[2:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return f"{old} → {new}"


def _changes(node: ast.AST) -> Iterator[Callable[[ast.AST], None]]:
    """Each changes the same node of a copy."""
    if not isinstance(node, ast.Module):
        for block in BLOCKS:
            yield from _statements(node, block)
    yield from _operators(node)
    yield from _values(node)
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield lambda new: setattr(new, "test", ast.UnaryOp(ast.Not(), new.test))
        yield from (_set("test", ast.Constant(value=truth)) for truth in (True, False))
    if isinstance(node, ast.ExceptHandler) and node.type:
        yield from (_set("type", ast.Name(kind)) for kind in ("ValueError", "BaseException"))


def _operators(node: ast.AST) -> Iterator[Callable[[ast.AST], None]]:
    match node:
        case ast.Compare(ops=[op]):
            yield from (_set("ops", [new()]) for new in LIKE.get(type(op), []))
        case ast.BoolOp(op=op):
            yield from (_set("op", new()) for new in LIKE[type(op)])
            yield from (_without("values", n) for n in range(len(node.values)))
        case ast.BinOp(op=op):
            yield from (_set("op", new()) for new in LIKE.get(type(op), []))


def _values(node: ast.AST) -> Iterator[Callable[[ast.AST], None]]:
    match node:
        case ast.Constant(value=bool() as value):
            yield _set("value", not value)
        case ast.Constant(value=int() | float() as value):
            yield from (_set("value", value + more) for more in (1, -1))
        case ast.Name(id=name) if name in NAMES:
            yield _set("id", NAMES[name])
        case ast.Call():
            yield from (_without("keywords", n) for n in range(len(node.keywords)))
            yield from (_swapped("args", n) for n in range(len(node.args) - 1))
        case ast.comprehension():
            yield from (_without("ifs", n) for n in range(len(node.ifs)))
        case ast.JoinedStr():
            yield from (_without("values", n) for n in range(len(node.values)))
        case ast.Return() if node.value:
            yield _set("value", None)


def _statements(node: ast.AST, block: str) -> Iterator[Callable[[ast.AST], None]]:
    """Statements dropped, and changed in their order; a docstring stays."""
    statements = getattr(node, block, None)
    if isinstance(statements, list) and statements and isinstance(statements[0], ast.stmt):
        documented = isinstance(statements[0], ast.Expr) and isinstance(statements[0].value, ast.Constant)
        first = int(documented and block == "body")
        yield from (_without(block, n, ast.Pass()) for n in range(first, len(statements)))
        yield from (_swapped(block, n) for n in range(first, len(statements) - 1))
        for n, statement in enumerate(statements):
            if isinstance(statement, ast.Continue | ast.Break):
                other = ast.Break if isinstance(statement, ast.Continue) else ast.Continue
                yield _without(block, n, other())


def _set(field: str, value: object) -> Callable[[ast.AST], None]:
    return lambda node: setattr(node, field, value)


def _without(field: str, n: int, *instead: ast.AST) -> Callable[[ast.AST], None]:
    return lambda node: getattr(node, field).__setitem__(slice(n, n + 1), instead)


def _swapped(field: str, n: int) -> Callable[[ast.AST], None]:
    return lambda node: getattr(node, field).__setitem__(slice(n, n + 2), getattr(node, field)[n : n + 2][::-1])
