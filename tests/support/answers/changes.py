"""Cells of answers, made of others."""


def changed(cell, changes):
    """A cell with these changes, each an old text and a new one: what is wrong stands out."""
    for old, new in changes:
        assert cell.count(old) == 1, old
        cell = cell.replace(old, new)
    return cell
