"""What the figures were measured on."""

import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from . import workloads


def describe(programs: Path) -> dict:
    """Every figure is what the kernel or a probe says now; what cannot be read is None."""
    nodes = sorted(Path("/sys/devices/system/node").glob("node[0-9]*"))
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": _cpu_model(),
        "cpus_online": os.cpu_count(),
        "cpus_allowed": len(os.sched_getaffinity(0)),
        "nodes": max(1, len(nodes)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "hypervisor": _hypervisor(),
        "huge_pages": _chosen(_read("/sys/kernel/mm/transparent_hugepage/enabled")),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "pmu": Path("/sys/bus/event_source/devices/cpu").exists(),
        "overcommit": _read("/proc/sys/vm/overcommit_memory"),
        "load_average": os.getloadavg(),
        "probe": workloads.probe(programs),
    }


def one_line(machine: dict) -> str:
    probe = machine["probe"]
    line = f"{probe['line_round_trip_ns']:.0f} ns" if probe["line_round_trip_ns"] else "one CPU"
    return (
        f"{machine['cpu']}, {machine['cpus_allowed']} CPUs, {machine['nodes']} node(s), {machine['memory_gib']} GiB, "
        f"{machine['hypervisor'] or 'no hypervisor'}, Linux {machine['kernel']}, {machine['libc']}, "
        f"THP {machine['huge_pages'] or 'unknown'}, governor {machine['governor'] or 'not shown'}, "
        f"PMU {'yes' if machine['pmu'] else 'no'}, load {machine['load_average'][0]:.2f}, "
        f"cache line there and back {line}, {machine['date']}"
    )


def _read(path: str):
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def _chosen(text):
    """The word in brackets of "always [madvise] never"."""
    return text.split("[")[1].split("]")[0] if text and "[" in text else text


def _cpu_model() -> str:
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _hypervisor():
    try:
        output = subprocess.run(["lscpu"], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout
    except FileNotFoundError:
        return None
    for line in output.splitlines():
        if line.startswith("Hypervisor vendor"):
            return line.split(":", 1)[1].strip()
    return None
