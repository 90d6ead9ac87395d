"""A bar chart as SVG: one block of bars per group, one bar per allocator, logarithmic, 1 = the base."""

import math
from typing import Sequence
from xml.sax.saxutils import escape

COLOURS = {"glibc": "#9aa0a6", "jemalloc": "#4c78a8", "gperftools": "#e39c3a", "mimalloc": "#6aa84f",
           "numaheap": "#c2304a"}
LEFT, WIDTH, BAR, GAP, TOP = 150, 620, 9, 10, 58
LOWEST, HIGHEST = 1 / 32, 8  # ratios beyond are drawn at the edge with their number beside
TICKS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)


def _x(ratio: float) -> float:
    clamped = min(max(ratio, LOWEST), HIGHEST)
    return LEFT + WIDTH * math.log(clamped / LOWEST) / math.log(HIGHEST / LOWEST)


def of_groups(summary: dict, names: Sequence[str]) -> str:
    """The groups of a comparison's summary, and all of them together."""
    groups = {group: {name: summary["groups"][name].get(group) for name in names}
              for group in dict.fromkeys(group for name in names for group in summary["groups"][name])}
    groups["all groups"] = summary["total"]
    return svg("CPU time per operation", groups, names, summary["base"])


def svg(title: str, groups: dict[str, dict[str, float]], names: Sequence[str], base: str) -> str:
    """`groups`: label to allocator to ratio."""
    block = BAR * len(names) + GAP
    height = TOP + block * len(groups) + 30
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 60}" height="{height}" '
        'font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="10" y="18" font-size="13">{escape(title)}</text>',
    ]
    for i, name in enumerate(names):
        out.append(f'<rect x="{10 + i * 110}" y="28" width="10" height="10" fill="{COLOURS.get(name, "#555")}"/>'
                   f'<text x="{24 + i * 110}" y="37">{escape(name)}</text>')
    for tick in TICKS:
        label = f"1/{round(1 / tick)}" if tick < 1 else f"{tick}"
        stroke = "#444" if tick == 1 else "#ddd"
        out.append(f'<line x1="{_x(tick):.1f}" x2="{_x(tick):.1f}" y1="{TOP - 8}" y2="{height - 24}" '
                   f'stroke="{stroke}"/><text x="{_x(tick):.1f}" y="{height - 10}" text-anchor="middle">{label}</text>')
    for row, (label, ratios) in enumerate(groups.items()):
        y = TOP + row * block
        out.append(f'<text x="{LEFT - 8}" y="{y + block / 2}" text-anchor="end">{escape(label)}</text>')
        for i, name in enumerate(names):
            if ratios.get(name) is None:
                continue
            start, end = sorted((_x(1), _x(ratios[name])))
            out.append(f'<rect x="{start:.1f}" y="{y + i * BAR}" width="{max(end - start, 1):.1f}" '
                       f'height="{BAR - 1}" fill="{COLOURS.get(name, "#555")}"/>'
                       f'<text x="{LEFT + WIDTH + 8}" y="{y + i * BAR + 8}" font-size="9" '
                       f'fill="{COLOURS.get(name, "#555")}">{ratios[name]:.2f}</text>')
    out.append(f'<text x="{LEFT + WIDTH}" y="{TOP - 14}" text-anchor="end">ratio to {escape(base)}: to the left is '
               "cheaper</text></svg>")
    return "\n".join(out)
