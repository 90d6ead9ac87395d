"""Goals: a measured figure beside what it must reach, and what may be said of it."""

import textwrap
from dataclasses import dataclass, field
from typing import Optional, Sequence

from .report import table

HOLDS = "holds"
FALLS_SHORT = "falls short"
CANNOT = "cannot be measured here"


@dataclass
class Goal:
    """One row of a report."""

    name: str
    goal: str             # what it must reach, as text
    value: str = "-"      # what was measured
    anchor: str = ""      # what stands beside it: a peer in the same run, a prototype
    spread: str = ""      # interval or range, and how many samples
    verdict: str = CANNOT
    reason: str = ""      # why it cannot be measured, or what fell short
    figures: dict = field(default_factory=dict)  # the same as numbers, for JSON


def judged(name: str, goal: str, value: str, holds: bool, **rest) -> Goal:
    return Goal(name, goal, value, verdict=HOLDS if holds else FALLS_SHORT, **rest)


def cannot(name: str, goal: str, reason: str) -> Goal:
    return Goal(name, goal, verdict=CANNOT, reason=reason)



def tally(goals: Sequence[Goal]) -> str:
    counts = {verdict: sum(goal.verdict == verdict for goal in goals) for verdict in (HOLDS, FALLS_SHORT, CANNOT)}
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items())


def text(goals: Sequence[Goal]) -> str:
    lines = [[g.name, g.goal, g.value, g.anchor, g.spread, g.verdict] for g in goals]
    body = table(["figure", "goal", "measured", "anchor", "spread", "verdict"], lines)
    reasons = [textwrap.fill(f"{g.name}: {g.reason}", 118, subsequent_indent="  ") for g in goals if g.reason]
    return "\n".join([body, *([""] + reasons if reasons else []), "", tally(goals)])


def markdown(goals: Sequence[dict]) -> str:
    """The same as a table for a page; `goals` as they stand in the JSON."""
    def cell(value: Optional[str]) -> str:
        return (value or "").replace("|", "\\|")
    lines = ["| figure | goal | measured | anchor | spread | verdict |", "|---|---|---|---|---|---|"]
    for g in goals:
        verdict = g["verdict"] if g["verdict"] == HOLDS else f"**{g['verdict']}**"
        if g["reason"]:
            verdict += f": {g['reason']}"
        lines.append("| " + " | ".join(map(cell, (g["name"], g["goal"], g["value"], g["anchor"], g["spread"],
                                                  verdict))) + " |")
    return "\n".join(lines)
