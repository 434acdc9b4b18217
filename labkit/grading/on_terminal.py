"""A verdict on a terminal: how many cases are judged, then the text, its marks in colour. Elsewhere the text alone."""

from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from labkit.grading.judge.as_text import as_text
from labkit.grading.judge.judge import Result, Status, Tell

COLOURS = {Status.PASS: "bold green", Status.FAIL: "bold red", Status.TODO: "bold yellow", Status.LOOK: "bold yellow"}


def judged(console: Console, cases: int, judge: Callable[[Tell], Result]) -> Result:
    """Show what is judged and what came of it."""
    if not console.is_terminal:
        result = judge(lambda *_: None)
        print(as_text(result), file=console.file)
        return result
    done = 0
    with console.status(f"judging: 0 of {cases} cases") as status:

        def tell(*_: object) -> None:
            nonlocal done
            done += 1
            status.update(f"judging: {done} of {cases} cases")

        result = judge(tell)
    text = Text(as_text(result))
    for word, colour in COLOURS.items():
        text.highlight_regex(rf"(?m)^{word}\b", colour)
    console.print(text, soft_wrap=True)
    return result
