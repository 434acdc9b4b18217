"""One run, line by line, up to a crash point: the view of a debugger on what the sweep does at full speed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labkit.crash.lines import Line
from labkit.crash.news import Done, News, Reached
from labkit.crash.report.replay import listing


@dataclass(frozen=True)
class Steps:
    """The lines that ran before a crash point, the variables that changed, and the effects."""

    title: str
    news: Sequence[News]
    files: Mapping[str, str | None]
    """The files as they were then."""

    def __str__(self) -> str:
        rows, known = [self.title, ""], {}
        for news in self.news:
            if isinstance(news, Done):
                rows.append(f"{'':12}⇒ {news.label}")
            elif isinstance(news, Reached):
                line = Line(*news.line)
                before, known[line.function] = known.get(line.function, {}), news.values
                changed = [f"{name} = {value}" for name, value in news.values.items() if before.get(name) != value]
                if changed:
                    rows.append(f"{'':12}{', '.join(changed)}")
                rows.append(f"  {line.number:4}  {line.raw}")
        return "\n".join([*rows, "", "files at this point", *listing(self.files)])

    __repr__ = __str__
