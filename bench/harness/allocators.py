"""The allocators that are compared, and how a process gets one: by preloading its shared object."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

NUMAHEAP = "numaheap"
LIBRARY_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib")
# What would change an allocator's defaults: the comparison is of default configurations.
SETTING_PREFIXES = ("LD_PRELOAD", "MALLOC_", "GLIBC_TUNABLES", "TCMALLOC_", "MIMALLOC_", "NUMAHEAP_", "_RJEM_")


@dataclass(frozen=True)
class Allocator:
    """A name for tables, and the object to preload (for glibc its libc: programs linked to jemalloc need it)."""

    name: str
    library: Path
    what: str
    settings: tuple = ()  # (name, value) of environment variables

    def environment(self) -> dict:
        """This process' environment without anybody's settings, with this allocator preloaded and its own settings."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(SETTING_PREFIXES)}
        return {**environment, "LD_PRELOAD": str(self.library), **dict(self.settings)}


# name, object, Debian package
PEERS = (
    ("glibc", "libc.so.6", "libc6"),
    ("jemalloc", "libjemalloc.so.2", "libjemalloc2"),
    ("gperftools", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
    ("mimalloc", "libmimalloc.so.2.0", "libmimalloc2.0"),
)
PEER_NAMES = tuple(name for name, _, _ in PEERS)
REFERENCE = "jemalloc"  # ratios are to it


def find_peers() -> tuple[list[Allocator], list[str]]:
    """The peers that are installed, and a sentence for each that is not."""
    found, missing = [], []
    for name, library, package in PEERS:
        path = next((Path(folder) / library for folder in LIBRARY_FOLDERS if (Path(folder) / library).exists()), None)
        if path is None:
            missing.append(f"{name} is missing ({library} not found): apt-get install {package}")
        else:
            found.append(Allocator(name, path, f"{package} {_package_version(package)}"))
    return found, missing


def numaheap(preload: Path) -> Allocator:
    return Allocator(NUMAHEAP, preload.resolve(), "this tree")


def _package_version(package: str) -> str:
    try:
        query = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
    except FileNotFoundError:
        return "(version unknown: no dpkg)"
    return query.stdout.strip() or "(version unknown)"
