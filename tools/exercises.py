"""Writes exercises/ from solutions/: each `# BEGIN SOLUTION` … `# END SOLUTION` becomes a stub, outputs go.

python tools/exercises.py            write them
python tools/exercises.py --check    exit status 1 if a committed exercise is stale
"""

import copy
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOLUTION = re.compile(r"^([ \t]*)# BEGIN SOLUTION\n.*?^[ \t]*# END SOLUTION$", re.MULTILINE | re.DOTALL)
ANSWER = re.compile(r"# answer: (\w+)")


def exercise_of(solution: dict, stem: str) -> dict:
    """The exercise notebook that a solution notebook makes."""
    exercise = copy.deepcopy(solution)
    for cell in exercise["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
            cell["source"] = stub_of("".join(cell["source"]), stem).splitlines(keepends=True)
    return exercise


def stub_of(source: str, stem: str) -> str:
    """A cell with its solution taken out: signature, docstring and hint stay."""
    answer = ANSWER.match(source)
    if answer is None:
        return source
    if not SOLUTION.search(source):
        raise SystemExit(f"{stem}: the cell `{answer[0]}` has no # BEGIN SOLUTION … # END SOLUTION")
    task = f"exercise {stem.partition('_')[0]}: {answer[1]}"
    return SOLUTION.sub(rf'\1raise NotImplementedError("{task}")', source)


def as_text(notebook: dict) -> str:
    """A notebook as it is committed."""
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Write every exercise, or say which are stale."""
    stale = []
    for solution in sorted((ROOT / "solutions").glob("*.ipynb")):
        target = ROOT / "exercises" / solution.name
        text = as_text(exercise_of(json.loads(solution.read_text(encoding="utf-8")), solution.stem))
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            stale.append(target.name)
            if "--check" not in sys.argv:
                target.write_text(text, encoding="utf-8")
    print("\n".join(stale) or "exercises are fresh")
    return int("--check" in sys.argv and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
