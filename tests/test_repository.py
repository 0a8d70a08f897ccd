"""What the repository as a whole promises: its shape, its size, one version, nothing of anybody's machine."""

import re
import subprocess
import tomllib
from pathlib import Path

import maquette_wire
import pytest

ROOT = Path(__file__).resolve().parents[1]

FOLDERS = {"benchmarks", "blender_addon", "docs", "server", "shared", "tests"}
FILES = {
    "build_addon.py",
    "constraints-blender.txt",
    "constraints.txt",
    "LICENSE",
    "Makefile",
    "pyproject.toml",
    "README.md",
}
TREE_BYTES = 20 * 2**20
DOCS_FILE_BYTES = 300_000
DOCS_BYTES = 6_000_000
PICKLES = {".pth", ".pt", ".pkl", ".pickle", ".ckpt", ".bin", ".npy", ".joblib"}
# a path that exists on one machine only; the names are joined so that this file does not hold them
ONE_MACHINE = re.compile(
    r"(?<![\w.-])/(?:"
    + "|".join(["wo" + "rk", "home/" + r"\w", "Us" + "ers", "ro" + "ot", "tmp/l" + "ab"])
    + r")/"
)


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """Every file that is tracked, or would be: what git lists, less what it ignores and what is deleted."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout, so nothing says which files belong to it")
    names = listed.stdout.decode().split("\0")
    return sorted(ROOT / name for name in names if name and (ROOT / name).is_file())


def shown(paths: list[Path]) -> str:
    return ", ".join(str(path.relative_to(ROOT)) for path in paths)


def test_the_top_level_holds_only_what_has_a_place_there(files: list[Path]) -> None:
    tops = {path.relative_to(ROOT).parts[0] for path in files}
    strange = {name for name in tops - FOLDERS - FILES if not name.startswith(".")}
    assert not strange


def test_the_tree_stays_under_20_mib(files: list[Path]) -> None:
    assert sum(path.stat().st_size for path in files) < TREE_BYTES


def test_pictures_in_the_docs_stay_small(files: list[Path]) -> None:
    docs = [path for path in files if path.is_relative_to(ROOT / "docs")]
    large = [path for path in docs if path.stat().st_size > DOCS_FILE_BYTES]
    assert not large, shown(large)
    assert sum(path.stat().st_size for path in docs) < DOCS_BYTES


def test_no_pickled_weights_are_in_the_tree(files: list[Path]) -> None:
    pickles = [path for path in files if path.suffix.lower() in PICKLES]
    assert not pickles, shown(pickles)


def test_nothing_names_a_path_of_one_machine(files: list[Path]) -> None:
    found = []
    for path in files:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # a picture or weights
        if path.suffix == ".json" and path.stat().st_size > 100_000:
            continue  # a vocabulary
        found += [
            f"{path.relative_to(ROOT)}:{n}" for n, line in enumerate(lines, 1) if ONE_MACHINE.search(line)
        ]
    assert not found, ", ".join(found)


def test_every_text_file_ends_with_one_newline(files: list[Path]) -> None:
    wrong = [
        path
        for path in files
        if path.suffix in {".py", ".md", ".toml", ".txt"}
        and (content := path.read_bytes())
        and (not content.endswith(b"\n") or content.endswith(b"\n\n"))
    ]
    assert not wrong, shown(wrong)


def test_server_and_extension_have_one_version() -> None:
    manifest = tomllib.loads((ROOT / "blender_addon" / "blender_manifest.toml").read_text(encoding="utf-8"))
    assert manifest["version"] == maquette_wire.__version__


def test_every_pinned_dependency_of_the_project_is_in_the_constraints() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"], "hatchling"]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {plain(line.split("==")[0]) for line in lines if "==" in line}
    assert {plain(re.split(r"[^\w.-]", name)[0]) for name in wanted} <= pinned


def plain(name: str) -> str:
    """A package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_readme_maps_every_folder_of_the_top_level(files: list[Path]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    folders = {path.relative_to(ROOT).parts[0] for path in files if len(path.relative_to(ROOT).parts) > 1}
    missing = {name for name in folders if not name.startswith(".") and f"{name}/" not in readme}
    assert not missing


def test_every_picture_and_page_that_a_document_links_exists(files: list[Path]) -> None:
    broken = []
    for page in (path for path in files if path.suffix == ".md"):
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)} -> {target}")
    assert not broken, ", ".join(broken)
