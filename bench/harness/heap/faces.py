"""What the library's own faces cost: known sizes, figures, accounting, metadata, the node of a pointer."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Optional

from .. import samples
from ..allocators import Allocator
from ..errors import BenchError
from ..goals import Goal, cannot, judged
from .plan import Plan

TIME_LIMIT_S = 600
SLICES = 40
LEAST_PROCESSES = 8
KNOWN_SIZES = (16, 64, 1024)
KNOWN_SIZE_GOAL = 4
PROTOTYPE_PAIR_NS = 1.14
ACCOUNTING_GOAL = 1.02
ROOM_FOR_TLS = {"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=16384"}  # two libraries are loaded by dlopen(3)
COUNTED = (200_000, 1_000_000)  # operations: the difference is without the start
COUNTS = 3  # by the clock caches age and memory is purged, so that not even instructions are the same every time
SNAPSHOT_GOAL_NS = 50_000
USED_MEMORY_GOAL_NS = 100
HOME_NODE_GOAL_NS = 1
METADATA_GOAL = 0.001
FREE_PROBE = "nh_probe_free_of_known_size"


def measure(plan: Plan) -> list[Goal]:
    return [_known_size(plan), _accounting_instructions(plan), _accounting_slices(plan), *_figures(plan),
            _metadata(plan), _home_node(plan), _home_check(plan)]


def _google(plan: Plan, program: str, seconds: float, repetitions: int, allocator: Optional[Allocator] = None) -> dict:
    """{benchmark: [CPU ns per item of each repetition]}."""
    command = [plan.programs / program, "--benchmark_format=json", f"--benchmark_min_time={seconds}",
               f"--benchmark_repetitions={repetitions}"]
    environment = allocator.environment() if allocator else None
    output = json.loads(_output(command, environment))
    times: dict = {}
    for run in output["benchmarks"]:
        if run.get("error_occurred"):
            raise BenchError(f"{program}: {run['name']}: {run['error_message']}")
        if run["run_type"] == "iteration":
            per_item = 1e9 / run["items_per_second"] if "items_per_second" in run else run["cpu_time"]
            times.setdefault(run["run_name"], []).append(per_item)
    return times


def _output(command: list, environment: Optional[dict] = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=TIME_LIMIT_S)
    if done.returncode != 0:
        raise BenchError(f"{Path(command[0]).name} ended with status {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout


def _known_size(plan: Plan) -> Goal:
    """The best peer's malloc and free to our inlined pair, each process measuring both; the mean over sizes."""
    name, goal = "C++ pair of a known size: times faster than the best peer's malloc/free", f">= {KNOWN_SIZE_GOAL}"
    if not plan.peers:
        return cannot(name, goal, "no peer is installed")

    def mean(times: dict, benchmark: str) -> float:
        return samples.geometric_mean(times[f"{benchmark}<{size}>"][0] for size in KNOWN_SIZES)

    runs: dict = {peer.name: [] for peer in plan.peers}
    for number in range(plan.effort.repetitions):
        plan.progress(f"known sizes, {number + 1}/{plan.effort.repetitions}")
        for peer in plan.peers:
            times = _google(plan, "known_size_bench", plan.effort.benchmark_seconds, 1, peer)
            runs[peer.name].append({"malloc_ns": mean(times, "malloc_pair"), "pair_ns": mean(times, "known_size_pair"),
                                    "cpu_ns": {key: value[0] for key, value in times.items()}})
    faster = {peer: samples.spread([run["malloc_ns"] / run["pair_ns"] for run in of_peer])
              for peer, of_peer in runs.items()}
    best = min(faster, key=lambda peer: faster[peer].median)
    ratio = faster[best]
    malloc_ns, pair_ns = (samples.spread([run[key] for run in runs[best]]).median for key in ("malloc_ns", "pair_ns"))
    return judged(name, goal, f"{ratio.median:.2f} ({pair_ns:.2f} ns)", ratio.median >= KNOWN_SIZE_GOAL,
                  anchor=f"{best} {malloc_ns:.2f} ns, prototype {PROTOTYPE_PAIR_NS} ns",
                  spread=f"{ratio.low:.2f} to {ratio.high:.2f}, {ratio.count} runs",
                  figures={"best_peer": best, "times_faster": ratio.as_dict(), "runs": runs})


def _libraries(plan: Plan) -> tuple[Path, Path]:
    """With accounting, and without it."""
    return tuple(plan.programs / f"accounting_{word}" / "lib" / "libnumaheap.so" for word in ("on", "off"))


def _accounting_instructions(plan: Plan) -> Goal:
    name, goal = "accounting: instructions to a build without it", f"<= {ACCOUNTING_GOAL}"
    if shutil.which("valgrind") is None:
        return cannot(name, goal, "valgrind is missing: apt-get install valgrind")

    def instructions(library: Path, operations: int) -> int:
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", plan.programs /
                   "nh_accounting_cost", "--count", library, "--operations", str(operations)]
        plan.progress(f"callgrind counts {operations} operations")
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT_S,
                              env={**os.environ, **ROOM_FOR_TLS})
        found = re.search(r"Collected : (\d+)", done.stderr)
        if done.returncode != 0 or not found:
            raise BenchError(f"callgrind failed: {done.stderr.strip()[-500:]}")
        return int(found.group(1))

    def per_operation(library: Path) -> samples.Spread:
        few, many = ([instructions(library, count) for _ in range(COUNTS)] for count in COUNTED)
        return samples.spread([(b - a) / (COUNTED[1] - COUNTED[0]) for a, b in zip(few, many)])

    counted, bare = map(per_operation, _libraries(plan))
    ratio = counted.median / bare.median
    return judged(name, goal, f"{ratio:.4f}", ratio <= ACCOUNTING_GOAL,
                  anchor=f"{bare.median:.1f} a malloc, a free and the loop",
                  spread=f"{counted.low / bare.high:.4f} to {counted.high / bare.low:.4f}, {COUNTS} runs each",
                  figures={"with": counted.as_dict(), "without": bare.as_dict(), "ratio": ratio})


def _accounting_slices(plan: Plan) -> Goal:
    """Several processes, which load the two in turns first: where their memory comes to lie is worth a percent."""
    name, goal = "accounting: CPU time in alternating slices to a build without it", f"<= {ACCOUNTING_GOAL}"
    counted, bare = _libraries(plan)
    medians, costs = [], []
    for number in range(plan.effort.accounting_processes):
        interval = samples.interval_of_median(medians) if number >= LEAST_PROCESSES else None
        if interval and (interval.high <= ACCOUNTING_GOAL or interval.low > ACCOUNTING_GOAL):
            break
        plan.progress(f"accounting in alternating slices, {number + 1}/{plan.effort.accounting_processes}")
        first, second = (counted, bare) if number % 2 == 0 else (bare, counted)
        measured = json.loads(_output([plan.programs / "nh_accounting_cost", "--with", first, "--without", second,
                                       "--slices", str(SLICES)], {**os.environ, **ROOM_FOR_TLS}))
        ratio = samples.spread(measured["ratios"]).median
        medians.append(ratio if number % 2 == 0 else 1 / ratio)
        costs.append(measured["without_ns" if number % 2 == 0 else "with_ns"])
    interval = samples.interval_of_median(medians)
    return judged(name, goal, f"{interval.ratio:.4f}", interval.ratio <= ACCOUNTING_GOAL,
                  anchor=f"{samples.spread(costs).median:.1f} ns", figures={**interval.as_dict(), "processes": medians},
                  spread=f"[{interval.low:.4f}, {interval.high:.4f}], {len(medians)} processes of {SLICES} A B B A")


def _figures(plan: Plan) -> list[Goal]:
    plan.progress("snapshots with 64 threads")
    times = _google(plan, "snapshot_bench", plan.effort.benchmark_seconds, plan.effort.repetitions)
    snapshot, used = samples.spread(times["snapshot/64"]), samples.spread(times["zmalloc_used/64"])
    return [
        judged("a snapshot with 64 threads", f"< {SNAPSHOT_GOAL_NS / 1000:.0f} us", f"{snapshot.median / 1000:.2f} us",
               snapshot.median < SNAPSHOT_GOAL_NS, figures=snapshot.as_dict(),
               spread=f"{snapshot.low / 1000:.2f} to {snapshot.high / 1000:.2f}, {snapshot.count} runs"),
        judged("zmalloc_used_memory with 64 threads", f"< {USED_MEMORY_GOAL_NS} ns", f"{used.median:.1f} ns",
               used.median < USED_MEMORY_GOAL_NS, figures=used.as_dict(),
               spread=f"{used.low:.1f} to {used.high:.1f}, {used.count} runs"),
    ]


def _metadata(plan: Plan) -> Goal:
    plan.progress("metadata of a heap of 1 GiB")
    measured = json.loads(_output([plan.programs / "nh_metadata_cost"]))
    own = measured["metadata_bytes"] + measured["page_map_bytes"]
    ratio = own / measured["extent_bytes"]
    return judged("our metadata, thread caches' arrays included, to the heap", f"<= {METADATA_GOAL:.1%}",
                  f"{ratio:.3%}", ratio <= METADATA_GOAL, spread="counted",
                  anchor=f"{measured['extent_bytes'] / 2**20:.0f} MiB of heap", figures={**measured, "ratio": ratio})


def _home_node(plan: Plan) -> Goal:
    plan.progress("home_node")
    times = _google(plan, "home_node_bench", plan.effort.benchmark_seconds, plan.effort.repetitions)
    many = samples.spread(times["home_node_of_64"])
    here = samples.spread(times["home_node"])
    return judged("home_node, warm, 64 nodes", f"< {HOME_NODE_GOAL_NS} ns", f"{many.median:.2f} ns",
                  many.median < HOME_NODE_GOAL_NS, anchor=f"this machine's nodes: {here.median:.2f} ns",
                  spread=f"{many.low:.2f} to {many.high:.2f}, {many.count} runs",
                  figures={"nodes_64": many.as_dict(), "this_machine": here.as_dict()})


def _home_check(plan: Plan) -> Goal:
    """Counts the conditional jumps of an inlined sized release: the home check and "is the cache full" are all."""
    name, goal = "conditional jumps in an inlined release (home check, cache full)", "<= 2"
    if shutil.which("objdump") is None:
        return cannot(name, goal, "objdump is missing: apt-get install binutils")
    listing = _output(["objdump", "-d", "--no-show-raw-insn", f"--disassemble={FREE_PROBE}",
                       plan.programs / "known_size_bench"], {**os.environ, "LC_ALL": "C"})
    instructions = re.findall(r"^\s+[0-9a-f]+:\s+(\S+)", listing, re.MULTILINE)
    jumps = [i for i in instructions if i.startswith("j") and i != "jmp"]
    if not instructions:
        raise BenchError(f"objdump finds no {FREE_PROBE} in known_size_bench")
    return judged(name, goal, str(len(jumps)), len(jumps) <= 2, anchor=f"{len(instructions)} instructions in all",
                  spread="counted", figures={"conditional_jumps": len(jumps), "instructions": len(instructions)})
