"""What a child tells its parent, and what of that is understood: not everything on the socket was said by the lab."""

from typing import Any

FINAL = {"stopped", "returned", "raised"}
"""The news that are the last."""
NEWS = {
    "effect": {"op": str, "target": str, "lines": list},
    "handle": {"handle": int, "path": str},
    "line": {"line": list, "values": dict},
    "outside": {"path": str},
    "stopped": {"count": int},
    "returned": {"loaded": list},
    "raised": {"error": str, "text": str, "lines": list},
}
"""What a child may tell, and what the least of it is."""


def understood(news: Any) -> bool:
    """Whether this is news. Not everything that comes from a child was told by us."""
    return isinstance(news, list) and all(
        isinstance(each, dict)
        and (form := NEWS.get(str(each.get("event")))) is not None
        and all(isinstance(each.get(name), kind) for name, kind in form.items())
        for each in news
    )
