"""The results page, from the JSON of a measurement."""

from pathlib import Path

from .. import chart, goals, machine, report

INTRODUCTION = """# The heap: results

Made by `{command}` and written from its JSON: change the measurement, not this page.

Machine: {machine}.

Allocators: {allocators}. All in their default configuration, preloaded into the same programs; {rounds} interleaved
rounds of {seconds:g} s a row, each in a fresh process. CPU time is that of all threads, user and system.

A goal holds by its median; for single rows, "95 % interval not above" says how it is judged. Pairs are two fresh
processes one after the other, in turns, and their interval is of the median ratio (bootstrap, 95 %).
"""

SECTIONS = """
## Goals

{goals}

## CPU time

Ratios are to {base}, below 1 is cheaper; each is the median over rounds of the ratio within a round, and IQR is the
inter-quartile range of the samples to their median.

![Geometric means of the groups, ratios to {base}]({chart})

```
{tables}
```
"""


def write(measured: dict, page: Path) -> None:
    """Writes the page, and the chart that it shows beside it."""
    picture = page.with_suffix(".svg")
    page.parent.mkdir(parents=True, exist_ok=True)
    summary, names = measured["summary"], list(measured["allocators"])
    picture.write_text(chart.of_groups(summary, names))
    page.write_text(_text(measured, picture.name))


def _text(measured: dict, picture: str) -> str:
    names = list(measured["allocators"])
    summary = measured["summary"]
    allocators = ", ".join(f"{name} ({what})" for name, what in measured["allocators"].items())
    return INTRODUCTION.format(command=measured["command"], machine=machine.one_line(measured["machine"]),
                               allocators=allocators, rounds=measured["rounds"],
                               seconds=measured["row_seconds"]) + SECTIONS.format(
        goals=goals.markdown(measured["goals"]) + f"\n\n{measured['tally']}", base=summary["base"],
        chart=picture, tables=report.text(summary, names))
