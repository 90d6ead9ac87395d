"""Text tables of a comparison's summary (as summary.as_json() makes it)."""

from typing import Sequence

from .allocators import NUMAHEAP
from .workloads import EXCEPTED

MIB = 2**20


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """First column to the left, the others to the right."""
    widths = [max(len(line[i]) for line in [header, *lines]) for i in range(len(header))]
    def text(line: Sequence[str]) -> str:
        return "  ".join(cell.ljust(widths[0]) if i == 0 else cell.rjust(widths[i]) for i, cell in enumerate(line))
    return "\n".join(text(line).rstrip() for line in [header, *lines])


def number(value, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def percent(value) -> str:
    return "-" if value is None else f"{value * 100:.0f}%"


def nanoseconds(value) -> str:
    return "-" if value is None else f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _iqr(spread) -> str:
    if not spread or not spread["median"] or spread["count"] < 2:
        return "-"
    return percent((spread["high_quartile"] - spread["low_quartile"]) / spread["median"])


def rows_table(summary: dict, names: Sequence[str]) -> str:
    """CPU ns of the base, ratios to it, the best peer, ours to it, and the inter-quartile ranges."""
    base = summary["base"]
    others = [name for name in names if name != base]
    ours = NUMAHEAP in names
    header = ["CPU per operation", f"{base} ns", *others, "best peer"]
    header += [f"{NUMAHEAP}/best", "IQR " + base, "IQR " + NUMAHEAP] if ours else ["IQR " + base]
    lines = []
    for name, row in summary["rows"].items():
        costs, ratios = row["cpu_ns"], row[f"ratio_to_{base}"]
        line = [name, nanoseconds(costs[base]["median"]) if base in costs else "-"]
        line += [number(ratios.get(other)) for other in others] + [row["best_peer"] or "-"]
        if name in EXCEPTED:
            line[0] += " *"
        if ours:
            line.append(number(row["numaheap_to_best_peer"]))
        line.append(_iqr(costs.get(base)))
        if ours:
            line.append(_iqr(costs.get(NUMAHEAP)))
        lines.append(line)
    notes = [f"* best peer without {', '.join(peers)}, which grows the last block of its heap in place"
             for row, peers in EXCEPTED.items() if row in summary["rows"]]
    return "\n".join([table(header, lines), *notes])


def groups_table(summary: dict, names: Sequence[str]) -> str:
    base = summary["base"]
    header = [f"geometric mean, ratio to {base}", *names]
    groups = list(dict.fromkeys(group for name in names for group in summary["groups"][name]))
    lines = [[group, *(number(summary["groups"][name].get(group)) for name in names)] for group in groups]
    lines.append(["all groups", *(number(summary["total"][name]) for name in names)])
    if NUMAHEAP in names:
        lines.append([f"{NUMAHEAP} to each", *(number(summary["numaheap_to_peers"].get(name)) for name in names)])
    return table(header, lines)


def phases_table(row: dict, names: Sequence[str]) -> str:
    """Resident per live byte; MB where nothing is live."""
    lines = []
    for phase, by_name in row["phases"].items():
        line = [phase]
        for name in names:
            value = by_name.get(name)
            if value is None:
                line.append("-")
            elif value["per_live_byte"] is None:
                line.append(f"{value['resident_bytes']['median'] / MIB:.1f} MiB")
            else:
                line.append(number(value["per_live_byte"]))
        lines.append(line)
    return table(["resident per live byte after", *names], lines)


def server_table(server: str, summary: dict, base: str) -> str:
    """Per command CPU us and thousand requests per second; then the mean of commands, its ratio, and memory."""
    names = list(summary)
    first = summary[names[0]]
    lines = []
    for command in first["commands"]:
        values = [summary[name]["commands"][command] for name in names]
        lines.append([command, *(f"{v['cpu_us']['median']:.2f} / {v['requests_per_second']['median'] / 1e3:.0f}"
                                 for v in values)])
    lines.append(["geometric mean, CPU us", *(number(summary[name]["cpu_us"]["median"]) for name in names)])
    lines.append([f"its ratio to {base}", *(number(summary[name][f"ratio_to_{base}"]) for name in names)])
    lines.append(["its IQR", *(_iqr(summary[name]["cpu_us"]) for name in names)])
    lines.append(["resident MiB", *(f"{summary[name]['resident_bytes']['median'] / MIB:.1f}" for name in names)])
    return table([f"{server}: CPU us per request / k requests per s", *names], lines)


def text(summary: dict, names: Sequence[str]) -> str:
    """Everything, in the order of the summary."""
    parts = []
    if summary["rows"]:
        parts.append(rows_table(summary, names))
        parts.append(groups_table(summary, names))
    parts += [phases_table(row, names) for row in summary["rows"].values() if row.get("phases")]
    parts += [server_table(server, s, summary["base"]) for server, s in summary["servers"].items()]
    parts += ["failed: " + failure for failure in summary["failures"]]
    return "\n\n".join(parts)
