"""What names a cell defines, and what it imports of labkit, by Python's parser. Nothing is run."""

import ast

from labkit.grading.notebook.language import NOT_PARSED


def names_defined(source: str) -> set[str]:
    """The names that a cell defines at its top level; none if it does not parse."""
    try:
        tree = ast.parse(source)
    except NOT_PARSED:
        return set()
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name.partition(".")[0])
    return names


def labkit_imports(source: str) -> set[str]:
    """What a cell imports of labkit, such as "labkit.clock.Clock"; nothing if it does not parse."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except NOT_PARSED:
        return set()
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {f"{n.module}.{alias.name}" for n in nodes if isinstance(n, ast.ImportFrom) for alias in n.names}
    return {name for name in names if name.partition(".")[0] == "labkit"}
