"""What the samples of a comparison say: medians, spreads, ratios, and means over groups."""

from typing import Optional, Sequence

from . import samples, servers
from .allocators import NUMAHEAP, PEER_NAMES, REFERENCE
from .workloads import EXCEPTED, FRAGMENTATION, Results


def ratio(results: Results, row: str, allocator: str, base: str) -> Optional[float]:
    """The row's cost under `allocator` to that under `base`, by neighbours in time; None where either is missing."""
    a, b = results.cpu(row, allocator), results.cpu(row, base)
    return samples.ratio_of_neighbours(a, b) if a and b else None


def best_peer(results: Results, row: str, names: Sequence[str]) -> Optional[str]:
    """The peer with the lowest cost by the ratios to a common base, without those that are no measure for the row."""
    peers = [name for name in names
             if name in PEER_NAMES and name not in EXCEPTED.get(row, ()) and results.cpu(row, name)]
    if not peers:
        return None
    base = REFERENCE if REFERENCE in peers else peers[0]
    return min(peers, key=lambda name: ratio(results, row, name, base))


def timed_groups(results: Results) -> dict[str, list[str]]:
    """Group to its rows, without the fragmentation group, whose figure is memory."""
    groups: dict[str, list[str]] = {}
    for row in results.rows:
        if row.group != FRAGMENTATION:
            groups.setdefault(row.group, []).append(row.name)
    return groups


def group_means(results: Results, allocator: str, base: str) -> dict[str, float]:
    """Group to the geometric mean of its rows' ratios to `base`. A row that either lacks is left out."""
    means = {}
    for group, rows in timed_groups(results).items():
        ratios = [r for r in (ratio(results, row, allocator, base) for row in rows) if r is not None]
        if ratios:
            means[group] = samples.geometric_mean(ratios)
    return means


def total(results: Results, allocator: str, base: str) -> Optional[float]:
    """The geometric mean over groups."""
    means = group_means(results, allocator, base)
    return samples.geometric_mean(means.values()) if means else None


def row_summary(results: Results, row: str, names: Sequence[str], base: str) -> dict:
    best = best_peer(results, row, names)
    return {
        "cpu_ns": {n: samples.spread(results.cpu(row, n)).as_dict() for n in names if results.cpu(row, n)},
        "wall_ns": {n: samples.spread([s["wall_ns"] for s in results.samples[row][n]]).as_dict()
                    for n in names if results.cpu(row, n)},
        f"ratio_to_{base}": {n: ratio(results, row, n, base) for n in names if results.cpu(row, n)},
        "best_peer": best,
        "numaheap_to_best_peer": ratio(results, row, NUMAHEAP, best) if best else None,
    }


def phases(results: Results, row: str, names: Sequence[str]) -> dict:
    """{phase: {allocator: {resident_bytes, live_bytes, per_live_byte, cpu_ns}}}, medians over rounds."""
    out: dict = {}
    for name in names:
        rounds = results.samples[row].get(name, [])
        for i, phase in enumerate(rounds[0]["phases"] if rounds else []):
            of_phase = [sample["phases"][i] for sample in rounds]
            resident = samples.spread([p["resident_bytes"] for p in of_phase])
            live = phase["live_bytes"]
            out.setdefault(phase["name"], {})[name] = {
                "resident_bytes": resident.as_dict(),
                "live_bytes": live,
                "per_live_byte": resident.median / live if live else None,
                "cpu_ns": samples.spread([p["cpu_ns"] for p in of_phase]).median,
            }
    return out


def server_summary(server: str, results: dict, base: str) -> dict:
    """{allocator: CPU per request and requests/s by command, the geometric mean, their ratio to `base`, memory}."""
    out = {}
    for name, rounds in results.items():
        costs = [servers.cpu_us(server, r) for r in rounds]
        base_costs = [servers.cpu_us(server, r) for r in results.get(base, [])]
        out[name] = {
            "commands": {c: {"cpu_us": samples.spread([r[c]["cpu_us"] for r in rounds]).as_dict(),
                             "requests_per_second": samples.spread([r[c]["requests_per_second"]
                                                                    for r in rounds]).as_dict()}
                         for c in servers.commands(server)},
            "cpu_us": samples.spread(costs).as_dict(),
            f"ratio_to_{base}": samples.ratio_of_neighbours(costs, base_costs) if base_costs else None,
            "resident_bytes": samples.spread([r["resident_bytes"] for r in rounds]).as_dict(),
        }
    return out


def as_json(results: Results, server_results: dict, names: Sequence[str], base: str) -> dict:
    rows = {row.name: {"group": row.group, "what": row.what, **row_summary(results, row.name, names, base)}
            for row in results.rows}
    for row in results.rows:
        if row.group == FRAGMENTATION:
            rows[row.name]["phases"] = phases(results, row.name, names)
    return {
        "base": base,
        "rows": rows,
        "groups": {name: group_means(results, name, base) for name in names},
        "total": {name: total(results, name, base) for name in names},
        "numaheap_to_peers": {name: total(results, NUMAHEAP, name) for name in names if name != NUMAHEAP},
        "servers": {server: server_summary(server, r, base) for server, r in server_results.items()},
        "failures": results.failures,
    }
