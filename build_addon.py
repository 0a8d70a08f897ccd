"""Builds the extension's zip: `python build_addon.py [--platform linux-x64 ...] [--extra-python 3.14]`.

Standard library only. Checks that the manifest's version is the package's, leaves `blender_addon/wire.py` out
and puts `shared/maquette_wire` there as `wire/`, fetches the wheels of `blender_addon/wheels.lock` with pip
into `build/wheels` (the bytes must have the pinned SHA-256), and writes `dist/maquette-<version>.zip`. The
same sources give the same zip.
"""

import argparse
import ast
import hashlib
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ADDON = ROOT / "blender_addon"
WIRE = ROOT / "shared" / "maquette_wire"
PLATFORMS = ("linux-x64", "windows-x64", "macos-arm64", "macos-x64")
PYTHONS = (
    "3.11",
    "3.12",
    "3.13",
)  # 3.12 stands for pyzmq's stable-ABI wheel, which serves every later Python
LEFT_OUT = {"wire.py", "wheels.lock", "blender_manifest.toml"}
SUFFIXES = {".py", ".json"}
DATE = (1980, 1, 1, 0, 0, 0)  # of every entry, so that the zip depends on the contents only


class BuildError(Exception):
    """Something that keeps the zip from being built, in one sentence."""


@dataclass(frozen=True)
class Wheel:
    """One pinned wheel."""

    file: str
    python: str
    platforms: tuple[str, ...]
    sha256: str


def main(arguments: list[str] | None = None) -> int:
    """Builds the zip and prints where it is. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Build the zip of the Maquette extension.")
    parser.add_argument("--platform", action="append", choices=PLATFORMS, help="only these (default: all)")
    parser.add_argument("--extra-python", action="append", default=[], choices=["3.14"], help="for test zips")
    parser.add_argument("--output", type=Path, help="the zip (default: dist/maquette-VERSION.zip)")
    parser.add_argument(
        "--wheels", type=Path, default=ROOT / "build" / "wheels", help="where wheels are kept"
    )
    options = parser.parse_args(arguments)
    platforms = tuple(p for p in PLATFORMS if p in (options.platform or PLATFORMS))
    try:
        version = checked_version()
        wanted = [
            wheel
            for wheel in pinned_wheels()
            if wheel.python in (*PYTHONS, *options.extra_python) and set(wheel.platforms) & set(platforms)
        ]
        for wheel in wanted:
            fetch(wheel, options.wheels)
        output = options.output or ROOT / "dist" / f"maquette-{version}.zip"
        write_zip(output, entries(wanted, options.wheels, platforms))
    except BuildError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{output} ({output.stat().st_size / 1e6:.1f} MB)")
    return 0


def checked_version() -> str:
    """The version of the wire package, which the manifest must repeat."""
    tree = ast.parse((WIRE / "__init__.py").read_text(encoding="utf-8"))
    versions = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "__version__" for t in node.targets)
    ]
    manifest = tomllib.loads((ADDON / "blender_manifest.toml").read_text(encoding="utf-8"))["version"]
    if versions != [manifest]:
        raise BuildError(f"blender_manifest.toml says version {manifest}, maquette_wire says {versions}.")
    return str(manifest)


def pinned_wheels() -> list[Wheel]:
    """The contents of wheels.lock."""
    rows = tomllib.loads((ADDON / "wheels.lock").read_text(encoding="utf-8"))["wheel"]
    return [Wheel(row["file"], row["python"], tuple(row["platforms"]), row["sha256"]) for row in rows]


def fetch(wheel: Wheel, folder: Path) -> None:
    """Makes sure that `folder` holds the wheel with the pinned bytes. Raises BuildError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / wheel.file
    if not path.exists():
        name, version, python, abi, platform = wheel.file.removesuffix(".whl").split("-")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--implementation", "cp", "--python-version", f"3.{python.removeprefix('cp3')}"]
        command += ["--abi", abi, *(part for tag in platform.split(".") for part in ("--platform", tag))]
        done = subprocess.run(
            [*command, "--dest", str(folder), f"{name}=={version}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 or not path.exists():
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            said = lines[-1] if lines else "pip gave another file"
            raise BuildError(f"{wheel.file} could not be downloaded: {said}.")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != wheel.sha256:
        raise BuildError(f"{path} has SHA-256 {digest}, not the pinned one; delete it and build again.")


def entries(wheels: list[Wheel], folder: Path, platforms: tuple[str, ...]) -> dict[str, bytes]:
    """Every file of the zip by its name inside."""
    files = {"LICENSE": (ROOT / "LICENSE").read_bytes()}
    for path in sorted(ADDON.rglob("*")):
        name = path.relative_to(ADDON).as_posix()
        if path.suffix in SUFFIXES and name not in LEFT_OUT and "__pycache__" not in path.parts:
            files[name] = path.read_bytes()
    for path in sorted(WIRE.rglob("*.py")):
        files[f"wire/{path.relative_to(WIRE).as_posix()}"] = path.read_bytes()
    for wheel in wheels:
        files[f"wheels/{wheel.file}"] = (folder / wheel.file).read_bytes()
    files["blender_manifest.toml"] = manifest_text(wheels, platforms).encode()
    return files


def manifest_text(wheels: list[Wheel], platforms: tuple[str, ...]) -> str:
    """The manifest with platforms and wheels, which as plain keys must stand before the first table."""
    text = (ADDON / "blender_manifest.toml").read_text(encoding="utf-8")
    head, table, tail = text.partition("[permissions]")
    listed = "".join(f'  "./wheels/{wheel.file}",\n' for wheel in sorted(wheels, key=lambda w: w.file))
    quoted = ", ".join(f'"{platform}"' for platform in platforms)
    return f"{head}platforms = [{quoted}]\nwheels = [\n{listed}]\n\n{table}{tail}"


def write_zip(output: Path, files: dict[str, bytes]) -> None:
    """Writes the zip whole or not at all, entries by name."""
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_suffix(".part")
    with zipfile.ZipFile(unfinished, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, DATE)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            stored = name.endswith(".whl")
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])
    unfinished.replace(output)


if __name__ == "__main__":
    sys.exit(main())
