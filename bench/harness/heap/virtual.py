"""What only several nodes can show: the heap's tests in virtual machines (tests/vm/run), read from their logs.

A goal is met where every test whose name matches passed on every machine that ran it. A test says what it counted in a
line that starts with "goal: ".
"""

import os
import re
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from ..build import ROOT
from ..goals import Goal, cannot, judged
from .plan import Plan

RUNNER = ROOT / "tests" / "vm" / "run"
CANNOT_RUN = 77  # exit status of the runner: no QEMU, no kernel
QUICK_LIMIT_S = 420
FULL_LIMIT_S = 7200
# figure, goal, the tests that show it
GOALS = (
    ("VM: pages of thread-local allocations on the thread's node", "100 %",
     r"HeapOnNodes\.AllPagesOf\w*OnTheThreadsNode"),
    ("VM: blocks of another node handed out locally, producers and consumers on all nodes", "0 of 10 million",
     r"HeapOnNodes\.\w*HandedOut\w*"),
    ("VM: a full node spills, the estimate sees it, nobody is killed", "passes", r"HeapOnNodes\.\w*FullNode\w*"),
    ("VM: a thread that moves for good rebinds", "passes", r"HeapOnNodes\.\w*MovesForGood\w*"),
)
EXCHANGES = "10000000"
QUICK_TEST = "^heap_numa_test$"
START = re.compile(r"^\[ RUN\s+\] ([\w/]+\.[\w/]+)$")
RESULT = re.compile(r"^\[\s+(OK|FAILED|SKIPPED)\s+\] ([\w/]+\.[\w/]+)\b")


@dataclass
class Outcome:
    test: str
    machine: str
    state: str  # OK, FAILED, SKIPPED
    said: list[str] = field(default_factory=list)


def measure(plan: Plan) -> list[Goal]:
    if not RUNNER.exists():
        return _none(f"{RUNNER.relative_to(ROOT)} does not exist")
    whole = plan.effort.whole_machines
    command = [str(RUNNER), *(["--all"] if whole else ["--only", "2", "--test", QUICK_TEST]), str(plan.build)]
    limit = FULL_LIMIT_S if whole else QUICK_LIMIT_S
    logs = plan.build / "vm"
    for log in logs.glob("*.log"):
        log.unlink()
    plan.progress("tests in virtual machines")
    status, output = _run(command, limit, {"NUMAHEAP_EXCHANGES": EXCHANGES})
    if status is None:
        return _none(f"{' '.join(command)} took longer than {limit} s" + ("" if whole else "; --full gives it time"))
    if status == CANNOT_RUN:
        return _none(output.strip().splitlines()[-1])
    outcomes = [outcome for log in sorted(logs.glob("*.log")) for outcome in read_log(log)]
    if not outcomes:
        return _none(f"no test ran: {output.strip()[-300:]}")
    return [_goal(outcomes, *goal) for goal in GOALS]


def read_log(log: Path) -> list[Outcome]:
    """The tests of one machine's log, each with the "goal: " lines printed while it ran. What never ended failed."""
    outcomes: list = []
    running = None
    for line in log.read_text(errors="replace").splitlines():
        line = line.strip()
        if found := START.match(line):
            running = Outcome(found[1], log.stem, "FAILED")
            outcomes.append(running)
        elif running and line.startswith("goal: "):
            running.said.append(line.removeprefix("goal: "))
        elif running and (found := RESULT.match(line)) and found[2] == running.test:
            running.state = found[1]
            running = None
    return outcomes


def _goal(outcomes: list[Outcome], name: str, goal: str, pattern: str) -> Goal:
    of_goal = [outcome for outcome in outcomes if re.fullmatch(pattern, outcome.test)]
    ran = [outcome for outcome in of_goal if outcome.state != "SKIPPED"]
    if not ran:
        return cannot(name, goal, f"every test that matches {pattern} was skipped" if of_goal
                      else f"no test matches {pattern}")
    failed = [f"{outcome.test} on machine {outcome.machine}" for outcome in ran if outcome.state == "FAILED"]
    said = list(dict.fromkeys(text for outcome in ran for text in outcome.said))
    return judged(name, goal, "; ".join(said) or ("failed" if failed else "passed"), not failed,
                  anchor="machines " + ", ".join(sorted({outcome.machine for outcome in ran})),
                  spread=f"{len(ran)} tests", reason="failed: " + ", ".join(failed) if failed else "",
                  figures={"tests": [vars(outcome) for outcome in of_goal]})


def _none(reason: str) -> list[Goal]:
    return [cannot(name, goal, reason) for name, goal, _ in GOALS]


def _run(command: list[str], limit: float, extra: dict) -> tuple:
    """Exit status (None: its time was up) and output. What it started ends with it."""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, **extra}, start_new_session=True) as runner:
        try:
            output, _ = runner.communicate(timeout=limit)
            return runner.returncode, output
        except subprocess.TimeoutExpired:
            return None, ""
        finally:
            if runner.poll() is None:
                os.killpg(runner.pid, signal.SIGTERM)
                try:
                    runner.wait(10)
                except subprocess.TimeoutExpired:
                    os.killpg(runner.pid, signal.SIGKILL)
