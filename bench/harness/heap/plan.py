"""How much is measured: what --quick and --full differ in, and what all measurements share."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ..allocators import NUMAHEAP, PEER_NAMES, Allocator


@dataclass(frozen=True)
class Effort:
    row_seconds: float
    rounds: int             # of all rows over all allocators
    pair_least: int         # of close rows
    pair_most: int
    server_rounds: int      # over all allocators, to know the best peer
    server_pairs: int       # of numaheap and the best peer, the rounds included
    repetitions: int        # of the library's own benchmarks
    benchmark_seconds: float
    accounting_processes: int  # at most
    whole_machines: bool    # every virtual machine, or the shortest set


QUICK = Effort(row_seconds=0.2, rounds=3, pair_least=6, pair_most=14, server_rounds=3, server_pairs=20, repetitions=5,
               benchmark_seconds=0.05, accounting_processes=24, whole_machines=False)
FULL = Effort(row_seconds=1.0, rounds=9, pair_least=12, pair_most=40, server_rounds=10, server_pairs=30, repetitions=9,
              benchmark_seconds=0.5, accounting_processes=60, whole_machines=True)


@dataclass(frozen=True)
class Plan:
    effort: Effort
    build: Path
    programs: Path
    allocators: list[Allocator]  # the peers that are there, then numaheap
    missing: dict[str, str]      # peer to why it is not there

    @property
    def names(self) -> list[str]:
        return [allocator.name for allocator in self.allocators]

    @property
    def peers(self) -> list[Allocator]:
        return [allocator for allocator in self.allocators if allocator.name in PEER_NAMES]

    def allocator(self, name: str) -> Optional[Allocator]:
        return next((allocator for allocator in self.allocators if allocator.name == name), None)

    @property
    def ours(self) -> Allocator:
        return self.allocator(NUMAHEAP)

    def progress(self, text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
