"""redis-server and memcached: CPU per request against the best peer, memory against jemalloc."""

from .. import samples, servers
from ..allocators import NUMAHEAP, REFERENCE
from ..errors import BenchError
from ..goals import Goal, cannot, judged
from .plan import Plan

CPU_GOAL = 1.05
MEMORY_GOAL = 1.0


def measure(plan: Plan) -> tuple[list[Goal], dict]:
    goals, results = [], {}
    for server in servers.SERVERS:
        cpu = f"{server}: CPU per request to the best peer", f"<= {CPU_GOAL}"
        memory = f"{server}: resident memory to {REFERENCE}", f"<= {MEMORY_GOAL:g}"
        if servers.missing(server) or not plan.peers:
            reason = "; ".join(servers.missing(server)) or "no peer is installed"
            goals += [cannot(*cpu, reason), cannot(*memory, reason)]
            continue
        try:
            results[server] = servers.run_interleaved(server, plan.programs, plan.allocators,
                                                      plan.effort.server_rounds, progress=plan.progress)
            goals += [_cpu(plan, server, results[server], *cpu), _memory(plan, results[server], *memory)]
        except BenchError as error:
            goals += [judged(*cpu, "-", False, reason=str(error))]
    return goals, results


def _cpu(plan: Plan, server: str, results: dict, name: str, goal: str) -> Goal:
    costs = {allocator: [servers.cpu_us(server, result) for result in rounds] for allocator, rounds in results.items()}
    peers = {peer.name: samples.ratio_of_neighbours(costs[peer.name], costs[plan.peers[0].name]) for peer in plan.peers}
    best = min(peers, key=peers.get)

    def cost(allocator: str) -> float:
        result = servers.RUN[server](plan.allocator(allocator), plan.programs)
        results[allocator].append(result)
        return servers.cpu_us(server, result)

    plan.progress(f"{server}: {NUMAHEAP} and {best} in pairs")
    known = [a / b for a, b in zip(costs[NUMAHEAP], costs[best])]
    interval, ratios = samples.pair_until(lambda: cost(NUMAHEAP), lambda: cost(best), lambda interval: False,
                                          plan.effort.server_pairs, plan.effort.server_pairs, known)
    return judged(name, goal, f"{interval.ratio:.3f}", interval.ratio <= CPU_GOAL,
                  anchor=f"{best} {samples.spread(costs[best]).median:.2f} us",
                  spread=f"[{interval.low:.3f}, {interval.high:.3f}], {interval.pairs} pairs",
                  figures={"peer": best, **interval.as_dict(), "ratios": ratios})


def _memory(plan: Plan, results: dict, name: str, goal: str) -> Goal:
    if REFERENCE not in results:
        return cannot(name, goal, plan.missing[REFERENCE])
    ours = samples.spread([result["resident_bytes"] for result in results[NUMAHEAP]])
    theirs = samples.spread([result["resident_bytes"] for result in results[REFERENCE]])
    ratio = ours.median / theirs.median
    return judged(name, goal, f"{ratio:.3f}", ratio <= MEMORY_GOAL,
                  anchor=f"{REFERENCE} {theirs.median / 1e6:.1f} MB",
                  spread=f"{ours.low / 1e6:.1f} to {ours.high / 1e6:.1f} MB, {ours.count} runs",
                  figures={"ratio": ratio, "ours": ours.as_dict(), "theirs": theirs.as_dict()})
