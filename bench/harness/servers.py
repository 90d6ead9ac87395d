"""redis-server and memcached under one allocator: CPU per request, requests per second, resident memory.

Every server is started and ended here, on a unix socket in a folder of its own. None outlives its `with` block, and if
this process is killed the kernel ends the server (PR_SET_PDEATHSIG).
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Callable, Sequence

from . import samples
from .allocators import NUMAHEAP, REFERENCE, Allocator
from .errors import BenchError

SERVERS = ("redis", "memcached")
REDIS_COMMANDS = ("set", "get", "lpush", "lpop", "hset")
MEMCACHED_COMMANDS = ("set", "get")
KEYS = 100_000
VALUE_BYTES = 100
PIPELINE = 16
REQUESTS = 200_000
START_LIMIT_S = 20
END_LIMIT_S = 10
LOAD_LIMIT_S = 300
PACKAGES = {"redis-server": "redis-server", "redis-benchmark": "redis-tools", "memcached": "memcached"}
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def missing(server: str) -> list[str]:
    """A sentence for each program that the server's runs need and that is not installed."""
    programs = ("redis-server", "redis-benchmark") if server == "redis" else ("memcached",)
    return [f"{program} is missing: apt-get install {PACKAGES[program]}"
            for program in programs if shutil.which(program) is None]


def commands(server: str) -> tuple[str, ...]:
    return REDIS_COMMANDS if server == "redis" else MEMCACHED_COMMANDS


class Server:
    """A running server as a context manager."""

    def __init__(self, command: Sequence[str], allocator: Allocator, folder: Path, server_socket: Path):
        self._allocator = allocator
        self._socket = server_socket
        self._log = folder / "log"
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                command, cwd=folder, env=allocator.environment(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, preexec_fn=_die_with_parent_on(_server_cpu()))

    def __enter__(self) -> "Server":
        try:
            self._wait_until_it_answers()
            self._check_preload()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_) -> None:
        self._end()

    def cpu_seconds(self) -> float:
        """CPU time of all its threads so far, by the scheduler's nanoseconds where the kernel shows them."""
        tasks = Path(f"/proc/{self._process.pid}/task")
        try:
            return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9
        except FileNotFoundError:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        for line in Path(f"/proc/{self._process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
        raise BenchError(f"/proc/{self._process.pid}/smaps_rollup has no line Rss")

    def _wait_until_it_answers(self) -> None:
        limit = time.monotonic() + START_LIMIT_S
        while time.monotonic() < limit:
            if self._process.poll() is not None:
                raise BenchError(f"{self._name()} ended at once: {self._log_tail()}")
            try:
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.connect(str(self._socket))
                    return
            except OSError:
                time.sleep(0.01)
        raise BenchError(f"{self._name()} did not answer within {START_LIMIT_S} s: {self._log_tail()}")

    def _check_preload(self) -> None:
        maps = Path(f"/proc/{self._process.pid}/maps").read_text()
        if str(self._allocator.library.resolve()) not in maps:
            raise BenchError(f"{self._name()} did not load {self._allocator.library}")

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(END_LIMIT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def _name(self) -> str:
        return f"{Path(self._process.args[0]).name} under {self._allocator.name}"

    def _log_tail(self) -> str:
        return self._log.read_text(errors="replace").strip()[-500:] or "(it said nothing)"


def run_redis(allocator: Allocator, _programs: Path, requests: int = REQUESTS) -> dict:
    """{command: {cpu_us, requests_per_second}, ..., "resident_bytes": after all of them}."""
    with tempfile.TemporaryDirectory(prefix="numaheap-bench-") as folder_name:
        folder = Path(folder_name)
        path = folder / "redis.sock"
        command = [_program("redis-server"), "--save", "", "--appendonly", "no", "--port", "0", "--unixsocket",
                   str(path), "--dir", str(folder), "--daemonize", "no"]
        with Server(command, allocator, folder, path) as server:

            def load(name: str) -> float:
                output = _load([_program("redis-benchmark"), "-s", str(path), "-t", name, "-n", str(requests), "-r",
                                str(KEYS), "-d", str(VALUE_BYTES), "-P", str(PIPELINE), "--csv"])
                return float(output.strip().splitlines()[-1].split(",")[1].strip('"'))

            result = _measure(server, REDIS_COMMANDS, load, requests)
            _check_redis_heap(path, allocator)
            return result


def run_memcached(allocator: Allocator, programs: Path, requests: int = REQUESTS) -> dict:
    """As run_redis."""
    with tempfile.TemporaryDirectory(prefix="numaheap-bench-") as folder_name:
        folder = Path(folder_name)
        path = folder / "memcached.sock"
        command = [_program("memcached"), "-t", "2", "-s", str(path), "-u", "root"]
        with Server(command, allocator, folder, path) as server:

            def load(name: str) -> float:
                output = _load([str(programs / "nh_memcached_load"), "--socket", str(path), "--requests", str(requests),
                                "--keys", str(KEYS), "--bytes", str(VALUE_BYTES), "--pipeline", str(PIPELINE), name])
                return json.loads(output)["requests_per_second"]

            return _measure(server, MEMCACHED_COMMANDS, load, requests)


RUN = {"redis": run_redis, "memcached": run_memcached}


def run_interleaved(server: str, programs: Path, allocators: Sequence[Allocator], rounds: int,
                    requests: int = REQUESTS, progress: Callable[[str], None] = lambda text: None) -> dict:
    """{allocator: [result of each round]}; every round starts with another allocator."""
    results: dict = {allocator.name: [] for allocator in allocators}
    for number in range(rounds):
        progress(f"round {number + 1}/{rounds} {server}")
        for i in range(len(allocators)):
            allocator = allocators[(number + i) % len(allocators)]
            results[allocator.name].append(RUN[server](allocator, programs, requests))
    return results


def cpu_us(server: str, result: dict) -> float:
    """One run's figure: the geometric mean of its commands' CPU time per request."""
    return samples.geometric_mean(result[name]["cpu_us"] for name in commands(server))


def _measure(server: Server, names: Sequence[str], load: Callable[[str], float], requests: int) -> dict:
    result: dict = {}
    for name in names:
        before = server.cpu_seconds()
        per_second = load(name)
        result[name] = {"cpu_us": (server.cpu_seconds() - before) / requests * 1e6, "requests_per_second": per_second}
    result["resident_bytes"] = server.resident_bytes()
    return result


def _load(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=LOAD_LIMIT_S,
                          preexec_fn=_die_with_parent_on(_client_cpu()))
    if done.returncode != 0 or not done.stdout.strip():
        raise BenchError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


def _check_redis_heap(path: Path, allocator: Allocator) -> None:
    """Debian's redis-server is linked to jemalloc: that heap must be idle under the allocators that have no mallctl."""
    if allocator.name in (REFERENCE, NUMAHEAP):
        return
    with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rb") as replies:
        connection.connect(str(path))
        connection.sendall(b"INFO memory\r\n")
        text = replies.read(int(replies.readline()[1:])).decode()
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    if int(fields.get("allocator_allocated", 0)) > int(fields["used_memory"]) / 2:
        raise BenchError(f"redis-server under {allocator.name} still allocates from jemalloc")


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise BenchError(f"{name} is missing: apt-get install {PACKAGES[name]}")
    return path


def _server_cpu() -> int:
    return min(os.sched_getaffinity(0))


def _client_cpu() -> int:
    """The next CPU, or the same if there is no other."""
    return sorted(os.sched_getaffinity(0))[:2][-1]


def _die_with_parent_on(cpu: int) -> Callable[[], None]:
    parent = os.getpid()

    def prepare() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        os.sched_setaffinity(0, {cpu})

    return prepare
