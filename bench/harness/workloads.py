"""Runs the rows of nh_workloads, each in a fresh process under one allocator."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Sequence

from .allocators import Allocator
from .errors import BenchError

TIME_LIMIT_S = 300
QUICK_S = 0.2
FULL_S = 1.0
# Peers that are no measure for a row: glibc grows the last block of its heap in place.
EXCEPTED = {"realloc_grow_top": ("glibc",)}
FRAGMENTATION = "fragmentation"  # this group's figure is memory, so it is in no mean of times


@dataclass(frozen=True)
class Row:
    name: str
    group: str
    what: str


def list_rows(programs: Path) -> list[Row]:
    output = subprocess.run([programs / "nh_workloads", "--list"], check=True, capture_output=True, text=True).stdout
    return [Row(*line.split("\t")) for line in output.splitlines()]


def probe(programs: Path) -> dict:
    output = subprocess.run([programs / "nh_machine_probe"], check=True, capture_output=True, text=True).stdout
    return json.loads(output)


def run_row(programs: Path, row: str, allocator: Allocator, seconds: float) -> dict:
    """One measurement. The program itself checks that its malloc is the allocator's."""
    command = [programs / "nh_workloads", "--seconds", str(seconds), "--expect-malloc", allocator.library, row]
    try:
        done = subprocess.run(command, env=allocator.environment(), capture_output=True, text=True,
                              timeout=TIME_LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{row} under {allocator.name} took longer than {TIME_LIMIT_S} s") from error
    if done.returncode != 0:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
        raise BenchError(f"{row} under {allocator.name} ended with {how}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)


@dataclass
class Results:
    """samples[row][allocator] is one dictionary per round; the i-th ones were measured one after the other."""

    rows: list[Row]
    samples: dict[str, dict[str, list[dict]]]
    failures: list[str]

    def cpu(self, row: str, allocator: str) -> list[float]:
        return [sample["cpu_ns"] for sample in self.samples[row].get(allocator, [])]


def run_interleaved(programs: Path, rows: Sequence[Row], allocators: Sequence[Allocator], rounds: int, seconds: float,
                    progress: Callable[[str], None] = lambda text: None) -> Results:
    """A B C A B C: every round runs every row under every allocator, starting with another one each time. A row that
    fails under an allocator is told and not tried again there."""
    results = Results(list(rows), {row.name: {} for row in rows}, [])
    failed = set()
    for number in range(rounds):
        order = [allocators[(number + i) % len(allocators)] for i in range(len(allocators))]
        for row in rows:
            progress(f"round {number + 1}/{rounds} {row.name}")
            for allocator in order:
                if (row.name, allocator.name) in failed:
                    continue
                try:
                    sample = run_row(programs, row.name, allocator, seconds)
                except BenchError as error:
                    failed.add((row.name, allocator.name))
                    results.samples[row.name].pop(allocator.name, None)
                    results.failures.append(str(error))
                    continue
                results.samples[row.name].setdefault(allocator.name, []).append(sample)
    return results
