"""Finds or builds what is measured."""

import shutil
import subprocess
from pathlib import Path

from .errors import BenchError

ROOT = Path(__file__).resolve().parents[2]
PRESET = "release"
DEFAULT_BUILD = ROOT / "build" / PRESET


def preload_object(build: Path) -> Path:
    return build / "lib" / "libnumaheap_preload.so"


def programs_folder(build: Path) -> Path:
    return build / "bench"


def build_all(build: Path, tests: bool = False) -> None:
    """Configures (the default folder by its preset) and builds the target `bench`, and everything else for `tests`.

    \\raises BenchError with the tool's last lines if something is missing or does not compile.
    """
    for tool, package in (("cmake", "cmake"), ("ninja", "ninja-build"), ("c++", "g++")):
        if shutil.which(tool) is None:
            raise BenchError(f"{tool} is needed to build what is measured: apt-get install {package}")
    if not (build / "CMakeCache.txt").exists():
        if build != DEFAULT_BUILD:
            raise BenchError(f"{build} is not a build folder: configure it with cmake, or leave --build out")
        _run(["cmake", "--preset", PRESET], "configuring")
    _run(["cmake", "--build", str(build), "--target", "bench", *(["all"] if tests else [])], "building")


def _run(command: list[str], doing: str) -> None:
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-25:])
        raise BenchError(f"{doing} failed ({' '.join(command)}):\n{tail}")
