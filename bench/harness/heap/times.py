"""CPU time of the workloads against the peers, and the memory of the fragmentation workload."""

from typing import Callable

from .. import samples, summary, workloads
from ..allocators import NUMAHEAP, REFERENCE
from ..goals import Goal, cannot, judged
from ..workloads import FRAGMENTATION, Results
from .plan import Plan

TOTAL_PEER = "gperftools"
TOTAL_GOAL = 0.85
PROTOTYPE_TOTAL = 0.83
FASTEST_ROWS = ("mixed_10k", "mixed_1m", "ring_64", "ring_mixed")
FASTEST_GROUPS = ("large",)
ROW_GOAL = 1.15
LOOK_CLOSER = 1.05  # a row whose median is above this is measured again in pairs
FRAGMENTATION_GOAL = 1.02
LEFT_GOAL_BYTES = 10e6


def measure(plan: Plan) -> tuple[list[Goal], Results]:
    results = workloads.run_interleaved(plan.programs, workloads.list_rows(plan.programs), plan.allocators,
                                        plan.effort.rounds, plan.effort.row_seconds, progress=plan.progress)
    goals = [_total(plan, results)]
    goals += [_fastest_row(plan, results, row) for row in FASTEST_ROWS]
    goals += [_fastest_group(plan, results, group) for group in FASTEST_GROUPS]
    goals += _no_slow_row(plan, results)
    goals += _fragmentation(plan, results)
    return goals, results


def _rounds(results: Results, number: int) -> Results:
    """The results as if only one round had been run."""
    one = {row: {name: taken[number:number + 1] for name, taken in by_name.items()}
           for row, by_name in results.samples.items()}
    return Results(results.rows, one, [])


def _total(plan: Plan, results: Results) -> Goal:
    name, goal = f"geometric mean over groups to {TOTAL_PEER}", f"<= {TOTAL_GOAL}"
    if TOTAL_PEER in plan.missing:
        return cannot(name, goal, plan.missing[TOTAL_PEER])
    value = summary.total(results, NUMAHEAP, TOTAL_PEER)
    if value is None:
        return judged(name, goal, "-", False, reason="no row ran under numaheap: " + "; ".join(results.failures[:3]))
    per_round = [summary.total(_rounds(results, i), NUMAHEAP, TOTAL_PEER) for i in range(plan.effort.rounds)]
    others = {peer.name: summary.total(results, NUMAHEAP, peer.name) for peer in plan.peers}
    return judged(name, goal, f"{value:.3f}", value <= TOTAL_GOAL, anchor=f"prototype {PROTOTYPE_TOTAL}",
                  spread=f"{min(per_round):.3f} to {max(per_round):.3f}, {plan.effort.rounds} rounds",
                  figures={"ratio": value, "rounds": per_round, "to_peers": others})


def _compare_row(plan: Plan, row: str, peer: str, enough: Callable[[samples.Interval], bool]) -> samples.Interval:
    """numaheap / peer in pairs of fresh processes."""
    def cost(name: str) -> float:
        return workloads.run_row(plan.programs, row, plan.allocator(name), plan.effort.row_seconds)["cpu_ns"]
    plan.progress(f"{row}: {NUMAHEAP} and {peer} in pairs")
    return samples.pair_until(lambda: cost(NUMAHEAP), lambda: cost(peer), enough, plan.effort.pair_least,
                              plan.effort.pair_most)[0]


def _anchor(results: Results, row: str, peer: str) -> str:
    return f"{peer} {samples.spread(results.cpu(row, peer)).median:.3g} ns"


def _fastest_row(plan: Plan, results: Results, row: str) -> Goal:
    name, goal = f"{row} to the best peer", "< 1"
    peer = summary.best_peer(results, row, plan.names)
    if peer is None:
        return cannot(name, goal, "no peer is installed")
    if not results.cpu(row, NUMAHEAP):
        return judged(name, goal, "-", False, reason="it failed under numaheap")
    interval = _compare_row(plan, row, peer, lambda i: i.high < 1 or i.low > 1)
    return judged(name, goal, f"{interval.ratio:.3f}", interval.ratio < 1, anchor=_anchor(results, row, peer),
                  spread=f"[{interval.low:.3f}, {interval.high:.3f}], {interval.pairs} pairs",
                  figures={"peer": peer, **interval.as_dict()})


def _fastest_group(plan: Plan, results: Results, group: str) -> Goal:
    name, goal = f"{group} (geometric mean of its rows) to the best peer", "< 1"
    means = {peer.name: summary.group_means(results, NUMAHEAP, peer.name).get(group) for peer in plan.peers}
    means = {peer: mean for peer, mean in means.items() if mean is not None}
    if not means:
        return cannot(name, goal, "no peer is installed")
    peer = max(means, key=means.get)
    per_round = [summary.group_means(_rounds(results, i), NUMAHEAP, peer)[group] for i in range(plan.effort.rounds)]
    return judged(name, goal, f"{means[peer]:.3f}", means[peer] < 1, anchor=peer,
                  spread=f"{min(per_round):.3f} to {max(per_round):.3f}, {plan.effort.rounds} rounds",
                  figures={"peer": peer, "ratio": means[peer], "rounds": per_round, "to_peers": means})


def _no_slow_row(plan: Plan, results: Results) -> list[Goal]:
    """One goal for each row that needs a closer look, and one for all others."""
    goal = f"95 % interval not above {ROW_GOAL}"
    goals, clear = [], {}
    for row in results.rows:
        if row.group == FRAGMENTATION:
            continue
        peer = summary.best_peer(results, row.name, plan.names)
        if peer is None:
            return [cannot("rows slower than the best peer", goal, "no peer is installed")]
        ratio = summary.ratio(results, row.name, NUMAHEAP, peer)
        if ratio is None:
            goals.append(judged(f"{row.name} to the best peer", goal, "-", False, reason="it failed under numaheap"))
        elif ratio <= LOOK_CLOSER:
            clear[row.name] = ratio
        else:
            interval = _compare_row(plan, row.name, peer, lambda i: i.high < ROW_GOAL or i.low > ROW_GOAL)
            goals.append(judged(f"{row.name} to the best peer", goal, f"{interval.ratio:.3f}",
                                interval.low <= ROW_GOAL, anchor=_anchor(results, row.name, peer),
                                spread=f"[{interval.low:.3f}, {interval.high:.3f}], {interval.pairs} pairs",
                                figures={"peer": peer, **interval.as_dict()}))
    if clear:
        worst = max(clear, key=clear.get)
        goals.append(judged(f"the other {len(clear)} rows", f"<= {ROW_GOAL}", f"{clear[worst]:.3f}", True,
                            anchor=f"worst: {worst}", spread=f"{plan.effort.rounds} rounds", figures=clear))
    return goals


def _fragmentation(plan: Plan, results: Results) -> list[Goal]:
    rows = [row.name for row in results.rows if row.group == FRAGMENTATION]
    goals = []
    for row in rows:
        for phase, by_name in summary.phases(results, row, [REFERENCE, NUMAHEAP]).items():
            if NUMAHEAP not in by_name:
                continue
            ours = by_name[NUMAHEAP]
            theirs = by_name.get(REFERENCE)
            if ours["live_bytes"]:
                goals.append(_per_live_byte(plan, row, phase, ours, theirs))
            elif phase == "end_purge":
                left = ours["resident_bytes"]
                anchor = f"{REFERENCE} {theirs['resident_bytes']['median'] / 1e6:.1f} MB" if theirs else ""
                goals.append(judged(f"{row}: left after all is freed and purged", f"< {LEFT_GOAL_BYTES / 1e6:.0f} MB",
                                    f"{left['median'] / 1e6:.1f} MB", left["median"] < LEFT_GOAL_BYTES, anchor=anchor,
                                    spread=f"{left['low'] / 1e6:.1f} to {left['high'] / 1e6:.1f} MB, "
                                           f"{left['count']} runs", figures=left))
    return goals or [cannot("fragmentation", f"<= {FRAGMENTATION_GOAL}", "the row failed: "
                            + "; ".join(text for text in results.failures if "frag" in text))]


def _per_live_byte(plan: Plan, row: str, phase: str, ours: dict, theirs) -> Goal:
    name, goal = f"{row}: resident per live byte after {phase}, to {REFERENCE}", f"<= {FRAGMENTATION_GOAL}"
    if theirs is None:
        return cannot(name, goal, plan.missing.get(REFERENCE, f"it failed under {REFERENCE}"))
    ratio = ours["per_live_byte"] / theirs["per_live_byte"]
    low, high = (ours["resident_bytes"][key] / ours["live_bytes"] for key in ("low", "high"))
    return judged(name, goal, f"{ratio:.3f}", ratio <= FRAGMENTATION_GOAL,
                  anchor=f"{REFERENCE} {theirs['per_live_byte']:.3f}",
                  spread=f"{low:.3f} to {high:.3f}, {ours['resident_bytes']['count']} runs",
                  figures={"ratio": ratio, "ours": ours, "theirs": theirs})
