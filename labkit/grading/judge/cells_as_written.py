"""What is wrong with a cell as it is written, where that says more than what came of it when it ran."""

import ast
import re
from collections.abc import Iterator, Mapping

DATA = {
    ast.Constant: "a value", ast.JoinedStr: "a text", ast.List: "a list", ast.Tuple: "a tuple", ast.Dict: "a dict",
    ast.Set: "a set",
}  # fmt: skip
ASKING = {"check", "explain", "hint"}
"""What a notebook asks the judge by."""
STOPPED = re.compile(r"BdbQuit|EOFError|did not end")
"""What comes of a debugger to which nobody can talk."""


def explained(what: str, answers: Mapping[str, str], needed: tuple[str, ...]) -> str | None:
    """A sentence that explains the failure `what` of a case that needs these answers; None if none is to be had."""
    trees = {name: ast.parse(answers[name]) for name in needed}
    for name in re.findall(r"name '(\w+)' is not defined", what):
        if name in ASKING:
            return f"`{name}(...)` is called in an answer cell, where it does not exist: give it a cell of its own."
        if name in needed and name not in "".join(answers[name].splitlines(keepends=True)[1:]):
            return f"The cell `# answer: {name}` defines no `{name}`: use the name that the exercise gives."
    for name, tree in trees.items():
        if STOPPED.search(what) and any(_stops(node) for node in ast.walk(tree)):
            return f"`breakpoint()` is still in the cell of {name}, and nobody can answer it there: take it out."
        if (sentence := _sentence(name, _definition(name, tree))) and "async def" not in what:
            return sentence
    return None


def _definition(name: str, tree: ast.Module) -> ast.stmt | None:
    """The last statement that gives a cell's answer its name, if it is a simple one."""
    return next((each for each in reversed(tree.body) if name in _names(each)), None)


def _names(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def _sentence(name: str, defined: ast.stmt | None) -> str:
    """Why this can be no answer; "" if it may be one. Of decorated functions nothing is known."""
    match defined:
        case ast.AsyncFunctionDef(decorator_list=[]):
            return f"`{name}` is a coroutine function, and nobody awaits it: write `def` in place of `async def`."
        case ast.Assign(value=value) if type(value) in DATA:
            return f"`{name}` is {DATA[type(value)]}, and the exercise asks for a function."
        case ast.FunctionDef(body=[*body, ast.Return(value=ast.Name(id=inner))], decorator_list=[]) if any(
            isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name == inner for each in body
        ):
            return f"`{name}` returns the function `{inner}`, as a decorator does: call it, and return what it returns."
    return ""


def _stops(node: ast.AST) -> bool:
    """Whether a debugger is called here."""
    called = node.func if isinstance(node, ast.Call) else None
    return getattr(called, "id", "") == "breakpoint" or getattr(called, "attr", "") == "set_trace"
