"""IPython is the language of notebooks: an answer's source as plain Python, of as many lines. Nothing is run.

What decorates (`%%time`, `%matplotlib`, `!pip`, `x?`) does nothing; what another program left in the text is removed if
the text is Python without it. What is still no Python is left as it is, for the judge to say why.
"""

import ast
import re
from collections.abc import Callable

NOT_PARSED = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What `ast.parse` raises for a source that is not Python, or is nested too deeply."""
LONGEST = 50_000
"""Characters of an answer that IPython is asked about: it reads the whole again for each magic."""
OTHER_LANGUAGES = {
    *("!", "bash", "sh", "script", "system", "sx", "cmd", "html", "HTML", "svg", "SVG", "latex", "markdown"),
    *("javascript", "js", "perl", "ruby", "R", "julia", "sql", "cython", "writefile", "file"),
}
"""Cell magics below which there is no Python, or none that runs."""
CELL_MAGIC = re.compile(r"^[ \t]*%%(\S+).*$", re.MULTILINE)
TIMED = re.compile(r"^([ \t]*)%(?:time|timeit|prun|memit)[ \t]+(?=[^-\s])", re.MULTILINE)
FENCE = re.compile(r"^[ \t]*(?:```|~~~).*$", re.MULTILINE)
INVISIBLE = {0x200B: None, 0xFEFF: None, 0x2060: None, 0x2028: "\n", 0x2029: "\n", 0x85: "\n", 0x00AD: None}
SPACES = dict.fromkeys([0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " ")
ASKING = {"check", "explain", "hint"}
IN_NOTEBOOKS = "exists only in notebooks, and does nothing here"


def is_python(source: str) -> bool:
    """Whether Python's parser takes it."""
    try:
        ast.parse(source)
    except NOT_PARSED:
        return False
    return True


def lines_in_texts(source: str) -> set[int]:
    """Numbers, from 0, of the lines that begin within a text; none if the source is no Python."""
    try:
        nodes = [*ast.walk(ast.parse(source))]
    except NOT_PARSED:
        return set()
    texts = [each for each in nodes if isinstance(each, ast.JoinedStr | ast.Constant)]
    return {line for each in texts for line in range(each.lineno, each.end_lineno or each.lineno)}


def as_python(source: str) -> tuple[str, list[str]]:
    """The source as plain Python, if it can be, and what was changed."""
    notes: list[str] = []
    for repair in (_unchanged, _without_fences, _without_magics, _without_foreign_characters, _without_both):
        changed, said = repair(source)
        if is_python(changed):
            return changed, [*notes, *said]
    return source, _foreign(source)


def _unchanged(source: str) -> tuple[str, list[str]]:
    return source, []


def _without_fences(source: str) -> tuple[str, list[str]]:
    changed = FENCE.sub("", source)
    return changed, ["lines of ``` were left out: they are no Python"] if changed != source else []


def _without_magics(source: str) -> tuple[str, list[str]]:
    if len(source) > LONGEST or _foreign(source):
        return source, []
    cell_magics = [f"%%{name}" for name in CELL_MAGIC.findall(source)]
    plain = TIMED.sub(r"\1", CELL_MAGIC.sub("", FENCE.sub("", source)))
    changed = _by_ipython(plain)
    lines = [line.strip() for line, after in zip(plain.split("\n"), changed.split("\n"), strict=False) if line != after]
    said = [
        f"`{line[:60]}` {IN_NOTEBOOKS}"
        for line in [*cell_magics, *lines]
        if line.startswith(("%", "!", "?")) or line.endswith("?")
    ]
    return changed, said or [f"lines that only a notebook understands: {IN_NOTEBOOKS}"]


def _by_ipython(source: str) -> str:
    from IPython.core.inputtransformer2 import TransformerManager  # noqa: PLC0415 - half a second, for few answers

    body = source.lstrip("\n")
    try:
        changed = TransformerManager().transform_cell(body)
    except Exception:  # noqa: BLE001 - whatever a stranger's text did to its parser, it is left as it is
        return source
    return "\n" * (len(source) - len(body)) + changed


def _without_foreign_characters(source: str) -> tuple[str, list[str]]:
    changed = source.translate({**SPACES, **INVISIBLE})
    return changed, ["non-breaking spaces or invisible characters, which are no Python, were replaced"]


def _without_both(source: str) -> tuple[str, list[str]]:
    changed, said = _without_foreign_characters(source)
    changed, more = _without_magics(changed)
    return changed, [*said, *more]


def _foreign(source: str) -> list[str]:
    others = [name for name in CELL_MAGIC.findall(source) if name in OTHER_LANGUAGES]
    return (
        [f"`%%{others[0]}` exists only in notebooks, and what stands below it is not run as Python"] if others else []
    )


def without_checks(source: str) -> tuple[str, list[str]]:
    """Without the lines that call `check`, `explain` or `hint`, or import them: they belong in a cell of their own.

    Where an answer is enclosed, the judge itself is not there to be imported.
    """
    left, notes = _without(source, lambda body: list(filter(_asks, body)), "`{}` belongs in a cell of its own")
    return _without_asking(left), notes


def without_stub(source: str, name: str, stub: str) -> tuple[str, list[str]]:
    """Without the unsolved function, where it was kept beside the answer."""
    unsolved = shape(stub)

    def kept(body: list[ast.stmt]) -> list[ast.stmt]:
        mine = [node for node in body if getattr(node, "name", None) == name]
        same = [node for node in mine if _shape_of([node]) == unsolved]
        return same if len(same) < len(mine) else []

    return _without(source, kept, "the unsolved `{}` was kept beside the answer; it does not count")


def _without(source: str, choose: Callable[[list[ast.stmt]], list[ast.stmt]], note: str) -> tuple[str, list[str]]:
    try:
        body = ast.parse(source).body
    except NOT_PARSED:
        return source, []
    shared = {node.lineno for node, before in zip(body[1:], body, strict=False) if node.lineno == before.end_lineno}
    gone = [node for node in choose(body) if not {node.lineno, node.end_lineno} & shared]
    lines = source.split("\n")
    notes = []
    for node in gone:
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
        lines[first - 1 : node.end_lineno] = [""] * (node.end_lineno - first + 1)
        call = getattr(getattr(getattr(node, "value", None), "func", None), "id", "")
        notes.append(note.format(call or getattr(node, "name", "")))
    left = "\n".join(lines)
    return (left, notes) if gone and is_python(left) else (source, [])


def _without_asking(source: str) -> str:
    """Without the names of ASKING in imports from labkit, whatever stands beside these in a line."""
    try:
        body = ast.parse(source).body
    except NOT_PARSED:
        return source
    lines = source.split("\n")
    for node in reversed(body):
        if isinstance(node, ast.ImportFrom) and node.module == "labkit":
            others = [ast.unparse(each) for each in node.names if each.asname or each.name not in ASKING]
            if len(others) < len(node.names):
                text = f"from labkit import {', '.join(others)}" if others else "pass"
                before = lines[node.lineno - 1].encode()[: node.col_offset].decode()
                behind = lines[node.end_lineno - 1].encode()[node.end_col_offset :].decode()
                blank = [""] * (node.end_lineno - node.lineno)
                lines[node.lineno - 1 : node.end_lineno] = [f"{before}{text}{behind}", *blank]
    return "\n".join(lines)


def _asks(node: ast.stmt) -> bool:
    match node:
        case ast.Expr(value=ast.Call(func=ast.Name(id=name), args=[ast.Constant()])):
            return name in ASKING
    return False


def shape(source: str) -> str:
    """What a source says to Python, whatever its comments and layout; the text itself if it is no Python."""
    try:
        return _shape_of(ast.parse(source).body)
    except NOT_PARSED:
        return source.strip()


def _shape_of(body: list[ast.stmt]) -> str:
    try:
        return "\n".join(ast.dump(node) for node in body)
    except RecursionError:
        return ""


def unfenced(source: str) -> str:
    """What stands between the fences in a text cell."""
    return FENCE.sub("", source)
