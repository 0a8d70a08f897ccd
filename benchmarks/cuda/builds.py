"""nvdiffrast and tiny-cuda-nn, built from their sources where these are given, each in a process of its own.

A source tree lies in `.gpu/src/nvdiffrast` or `.gpu/src/tiny-cuda-nn` (with its submodules). It is copied, so
nothing is written into it, and built by pip without network into a private folder of `.gpu/built/`, which
is kept for the next run. What is not given, or cannot be built in time, is named in a sentence and left out.
What is installed already is taken as it is. nvdiffrast's licence excludes commercial use: it is never
required.
"""

import importlib.util
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks import frame

GPU = frame.ROOT / ".gpu"
LICENCES = {
    "nvdiffrast": "Nvidia Source Code License: research and evaluation only, no commercial use",
    "tiny-cuda-nn": "BSD-3-Clause",
}
# library -> what is imported, and where its setup.py lies
_LIBRARIES = {"nvdiffrast": ("nvdiffrast", "."), "tiny-cuda-nn": ("tinycudann", "bindings/torch")}
_COMPLAINT = ("error", "not found", "no module")


@dataclass
class Build:
    """A library in the making."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path
    copy: Path
    target: Path


def begin(folder: Path = GPU) -> list[Build]:
    """Starts a build of every library whose source is given, and says what becomes of the others."""
    given = []
    for name, (module, _) in _LIBRARIES.items():
        target = folder / "built" / f"{name}-{_key()}"
        if importlib.util.find_spec(module) is not None:
            print(f"  {name}: installed already ({LICENCES[name]})")
        elif (target / "done").is_file():
            sys.path.insert(0, str(target))
            print(f"  {name}: built before, in {_shown(target)} ({LICENCES[name]})")
        elif not (folder / "src" / name).is_dir():
            print(f"  {name}: left out, as {_shown(folder / 'src' / name)} holds no source")
        else:
            given.append((name, target))
    return [_start(folder, name, target, len(given)) for name, target in given]


def wait(builds: list[Build], limit_s: float) -> list[str]:
    """The names of those that are built within the limit and can be imported now; a sentence on each."""
    end = time.monotonic() + limit_s
    made = []
    try:
        for build in builds:
            try:
                code = build.process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                print(f"  {build.name}: left out, as it was not built within {limit_s:.0f} s")
                continue
            if code:
                print(f"  {build.name}: left out, as it could not be built: {complaint(build.log)}")
                continue
            (build.target / "done").touch()
            sys.path.insert(0, str(build.target))
            importlib.invalidate_caches()
            made.append(build.name)
            print(f"  {build.name}: built ({LICENCES[build.name]})")
    finally:
        for build in builds:
            _stop(build)
    return made


def complaint(log: Path) -> str:
    """The first line of a build's log that sounds like the reason, and where the rest is."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    reasons = [line.strip() for line in lines if any(word in line.lower() for word in _COMPLAINT)]
    worded = [line for line in reasons if "subprocess-exited-with-error" not in line]
    said = (worded or reasons or [line for line in lines if line.strip()] or ["it said nothing"])[0]
    return f"{said[:160]} (all of it in {_shown(log)})"


def _start(folder: Path, name: str, target: Path, count: int) -> Build:
    shutil.rmtree(target, ignore_errors=True)
    copy = folder / "built" / f"{name}-source"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder / "src" / name, copy, ignore=shutil.ignore_patterns(".git"))
    log = folder / "built" / f"{name}.log"
    words = ["install", "--no-index", "--no-deps", "--no-build-isolation", "--no-cache-dir", "--verbose"]
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "pip", *words, "--target", str(target), str(copy / _LIBRARIES[name][1])],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env=_environment(copy, max(1, (os.cpu_count() or 1) // count)),
            start_new_session=True,  # so that the compilers end with it
        )
    return Build(name, process, log, copy, target)


def _stop(build: Build) -> None:
    """Ends what is left of a build, compilers and all, and removes the copy of its source."""
    if build.process.poll() is None:
        if hasattr(os, "killpg"):
            os.killpg(build.process.pid, signal.SIGKILL)
        else:
            build.process.kill()
        build.process.wait()
    shutil.rmtree(build.copy, ignore_errors=True)


def _key() -> str:
    """What a compiled library depends on."""
    return f"python{sys.version_info[0]}.{sys.version_info[1]}-torch{torch.__version__}-sm{_capability()}"


def _capability() -> str:
    if not torch.cuda.is_available():
        return "none"
    major, minor = torch.cuda.get_device_capability()
    return f"{major}{minor}"


def _environment(copy: Path, jobs: int) -> dict[str, str]:
    """The environment of a build: for this GPU only, and with what a lean CUDA toolkit lacks.

    torch's headers want those of cusparse, and tiny-cuda-nn links against the driver: a toolkit without them
    is helped out with those that torch itself has brought, and with the driver's own file.
    """
    made = dict(os.environ) | {"MAX_JOBS": str(jobs)}
    capability = _capability()
    if capability != "none":
        made["TCNN_CUDA_ARCHITECTURES"] = capability
        made["TORCH_CUDA_ARCH_LIST"] = f"{capability[:-1]}.{capability[-1]}"
    nvcc = shutil.which("nvcc")
    home = Path(os.environ.get("CUDA_HOME") or (Path(nvcc).resolve().parents[1] if nvcc else "."))
    brought = Path(torch.__file__).parents[1] / "nvidia"
    if not (home / "include" / "cusparse.h").is_file():
        headers = sorted({str(file.parent) for file in brought.glob("*/include/*.h")})
        made["CPATH"] = os.pathsep.join([*headers, *filter(None, [made.get("CPATH")])])
    links = copy / "linked"
    links.mkdir(exist_ok=True)
    places = [home / "lib64", home / "lib64" / "stubs", *brought.glob("*/lib"), *_driver_folders()]
    for name in ("cuda", "nvrtc", "cudart"):
        found = [file for place in places for file in sorted(place.glob(f"lib{name}.so*"))]
        if found:
            (links / f"lib{name}.so").symlink_to(found[0])
    made["LIBRARY_PATH"] = os.pathsep.join([str(links), *filter(None, [made.get("LIBRARY_PATH")])])
    return made


def _driver_folders() -> list[Path]:
    listed = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    usual = ["/usr/local/nvidia/lib64", "/usr/lib64", f"/usr/lib/{platform.machine()}-linux-gnu"]
    return [Path(place) for place in [*filter(None, listed), *usual]]


def _shown(path: Path) -> str:
    return str(path.relative_to(frame.ROOT)) if path.is_relative_to(frame.ROOT) else str(path)
