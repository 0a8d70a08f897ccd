"""The zip: reproducible, complete, accepted by Blender's own validator and wheel filter."""

import importlib.util
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import maquette_wire
import pytest

ROOT = Path(__file__).resolve().parents[2]
WHEELS = ROOT / "build" / "wheels"


def load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


build_addon = load("build_addon", ROOT / "build_addon.py")


def blender_ext() -> Path:
    found = sorted(
        ROOT.glob(
            ".venv-blender/*/lib/python*/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"
        )
    )
    if not found:
        sentence = "no bpy in .venv-blender: run make setup"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return found[-1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("zip") / "maquette.zip"
    assert build_addon.main(["--output", str(path)]) == 0
    return path


def test_the_same_sources_give_the_same_zip(built: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    assert build_addon.main(["--output", str(again)]) == 0
    assert again.read_bytes() == built.read_bytes()


def test_the_zip_holds_the_protocol_instead_of_the_seam(built: Path) -> None:
    names = zipfile.ZipFile(built).namelist()
    assert "wire.py" not in names
    assert "wheels.lock" not in names
    assert {"__init__.py", "wire/__init__.py", "wire/link.py", "methods/schemas.json", "LICENSE"} <= set(
        names
    )
    assert not [name for name in names if "__pycache__" in name]


def test_blenders_validator_accepts_the_zip(built: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(blender_ext()), "validate", str(built)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()


def test_blenders_wheel_filter_accepts_both_pythons_and_picks_one_wheel_a_package(built: Path) -> None:
    tool = load("blender_ext", blender_ext())
    manifest = tomllib.loads(zipfile.ZipFile(built).read("blender_manifest.toml").decode())
    assert {(3, 11), (3, 13)} <= tool.python_versions_from_wheels(manifest["wheels"])
    for platform in manifest["platforms"]:
        fitting = [
            wheel
            for wheel in manifest["wheels"]
            if tool.blender_platform_compatible_with_wheel_platform_from_filepath(platform, wheel)
        ]
        for python, tags in (("3.11", {"cp311"}), ("3.13", {"cp313", "cp312-abi3"})):
            packages = sorted(
                Path(wheel).name.partition("-")[0]
                for wheel in fitting
                if any(f"-{tag}-" in wheel for tag in tags)
            )
            assert packages == ["msgspec", "pyzmq"], (platform, python)


def test_one_platform_takes_only_its_wheels(tmp_path: Path) -> None:
    path = tmp_path / "linux.zip"
    assert build_addon.main(["--platform", "linux-x64", "--output", str(path)]) == 0
    wheels = [name for name in zipfile.ZipFile(path).namelist() if name.endswith(".whl")]
    assert len(wheels) == 4
    assert all("manylinux" in name for name in wheels)


def test_versions_that_differ_stop_the_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text('__version__ = "9.9.9"\n', encoding="utf-8")
    monkeypatch.setattr(build_addon, "WIRE", tmp_path)
    with pytest.raises(build_addon.BuildError, match=r"9\.9\.9"):
        build_addon.checked_version()
    monkeypatch.undo()
    assert build_addon.checked_version() == maquette_wire.__version__


def test_a_wheel_with_other_bytes_is_refused(tmp_path: Path) -> None:
    wheel = build_addon.pinned_wheels()[0]
    (tmp_path / wheel.file).write_bytes(b"something else")
    with pytest.raises(build_addon.BuildError, match="SHA-256"):
        build_addon.fetch(wheel, tmp_path)
    assert build_addon.main(["--wheels", str(tmp_path), "--output", str(tmp_path / "z.zip")]) == 2
    assert not (tmp_path / "z.zip").exists()
