"""Who may import whom: an AST walk over every import, those inside functions included.

The tables below are the rule. A server unit is a folder or module of `maquette_server`. The units of a row
may import themselves and the units of the rows above it, and nothing else of ours.
"""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Libraries and what is told with them, lowest first: each row may import the rows above it.
LIBRARIES: list[set[str]] = [
    {"wire.errors"},
    {"model_folders"},
    {"geometry", "cameras", "metrics", "media"},
    {"datasets", "fields", "guidance", "rasterise"},
    {"rendering"},
    {"baking", "training", "scenes"},
    {"editing", "meshing"},
]
# The front half, lowest first: no torch from here, nor anything that brings it.
FRONT: list[set[str]] = [
    {"wire.errors", "wire"},
    {"model_folders"},
    {"config"},
    {"methods.base", "methods.guided", "methods.heads", "methods.schemas", "engine"},
    {"addresses", "outbox", "previews"},
    {"follows"},
    {"service"},
    {"transport"},
    {"cli"},
]
SHARED_BY_METHODS = {"methods.base", "methods.guided", "methods.shared"}
EVERY_LIBRARY: set[str] = set().union(*LIBRARIES)
# torch-free: the contract, each method's own record, and what several records share
METHOD_CONTRACT = {"methods.base", "methods.guided", "methods.heads"}
BESIDES: dict[str, set[str]] = {
    # writes a mesh as a file
    "media": {"geometry"},
    # the loop that all methods run in yields the contract's steps
    "training": {"methods.base"},
    # between the wire's inputs and the libraries' objects, for every method and for the worker's pictures
    "methods.shared": EVERY_LIBRARY | METHOD_CONTRACT | {"wire"},
    # the story of a method, told with every library
    "methods.runs": EVERY_LIBRARY | METHOD_CONTRACT | {"methods.shared"},
    # runs methods through their contract, loads models, speaks with the engine through a pipe
    "worker": EVERY_LIBRARY | METHOD_CONTRACT | {"methods.shared", "wire", "config", "engine"},
    # weights and the command that trains and checks them: a program beside the server, imported by nobody
    "pocket": EVERY_LIBRARY,
    "methods.schemas": METHOD_CONTRACT,
    "methods.heads": {"methods.base", "methods.guided"},
    "methods.guided": {"methods.base"},
    "engine": METHOD_CONTRACT,
    # reads the user's meshes, data sets, scenes, camera paths and weights of metrics; the front's own test
    # below keeps heavy libraries out
    "cli": {"geometry", "cameras", "datasets", "media", "scenes", "metrics"},
}

# Module or folder of the add-on -> what of ours it may import. `__init__` puts all of it together.
ADDON: dict[str, set[str]] = {
    # without bpy
    "wire": set(),
    "axes": {"wire"},
    "steps": set(),
    "png": {"steps", "wire"},
    "exr": set(),
    "camera_models": {"wire"},
    "camera_sets": {"camera_models"},
    "view_frames": {"camera_models"},
    "picture_files": {"png", "wire"},
    "transforms": {"camera_models", "picture_files", "steps", "wire"},
    "scene_folders": {"camera_models", "transforms", "wire"},
    "export_folder": {"steps", "wire"},
    "folders": {"wire"},
    "records": {"wire"},
    "local_server": {"folders", "wire"},
    "client": {"wire"},
    "jobs": {"records", "wire"},
    "fetched": {"jobs", "wire"},
    "follows": {"wire"},
    "files": {"fetched", "wire"},
    "edited": {"fetched", "scene_folders", "session", "steps", "transforms", "wire"},
    "snapshots": {"fetched", "jobs", "wire"},
    "session": {
        "jobs",
        "fetched",
        "files",
        "snapshots",
        "follows",
        "steps",
        "client",
        "records",
        "folders",
        "local_server",
        "wire",
    },
    # with bpy
    "target": {"axes", "steps", "wire"},
    "materials": set(),
    "solids": set(),
    "tasks": {"steps", "wire"},
    "captures": {"camera_models", "transforms", "wire"},
    "thumbnails": {"axes"},
    "collect": {
        *("target", "materials", "axes", "png", "steps", "wire", "solids"),
        *("captures", "camera_models", "transforms", "export_folder", "edited", "exr"),
    },
    "unchanged": {"target", "steps"},
    "apply": {
        *("target", "materials", "unchanged", "axes", "png", "wire"),
        *("captures", "camera_models", "transforms", "steps", "export_folder", "edited"),
    },
    "methods": {"axes", "wire"},
    "preferences": {"wire"},
    "props": {"captures", "methods"},
    "front_arrow": {"axes"},
    "rows": {"props", "thumbnails"},
    "model_menu": {"props", "rows"},
    "method_panel": {"model_menu", "props"},
    "field_panel": {"captures", "method_panel", "props", "rows", "methods"},
    "edit_panel": {"captures", "field_panel", "method_panel", "props", "rows", "thumbnails", "methods"},
    "sculpt_panel": {"method_panel", "props", "rows", "methods", "solids"},
    "panels": {
        "front_arrow",
        "edit_panel",
        "field_panel",
        "method_panel",
        "model_menu",
        "sculpt_panel",
        "rows",
        "thumbnails",
        "captures",
        "props",
        "methods",
    },
    "live_render": {
        *("axes", "camera_models", "view_frames", "captures", "jobs", "session", "apply", "collect", "wire")
    },
    "pump": {
        *("front_arrow", "live_render", "thumbnails", "jobs", "session", "tasks", "unchanged", "records"),
        *("apply", "props", "preferences", "wire"),
    },
    "operators": {
        *("pump", "session", "jobs", "steps", "collect", "apply", "props"),
        *("axes", "target", "methods", "preferences", "local_server", "wire"),
        *("tasks", "captures", "camera_models", "camera_sets", "transforms", "live_render", "edited"),
        "scene_folders",
    },
}
ADDON_WITHOUT_BPY = {
    "axes",
    "png",
    "exr",
    "camera_models",
    "camera_sets",
    "view_frames",
    "picture_files",
    "transforms",
    "scene_folders",
    "export_folder",
    "folders",
    "records",
    "local_server",
    "client",
    "jobs",
    "fetched",
    "files",
    "edited",
    "snapshots",
    "follows",
    "session",
}

# Outside package -> the places that may import it (path prefixes from the repository root).
LIBRARY_FOLDERS = [
    f"server/maquette_server/{unit}" for row in LIBRARIES for unit in sorted(row.difference(*FRONT))
]
TORCH = [
    *LIBRARY_FOLDERS,
    "server/maquette_server/methods/*/",
    "server/maquette_server/worker",
    "server/maquette_server/pocket",
]
OUTSIDE: dict[str, list[str]] = {
    "torch": TORCH,
    "safetensors": TORCH,
    "trimesh": TORCH,
    "diffusers": ["server/maquette_server/guidance/loading.py", "server/maquette_server/pocket"],
    "transformers": [
        "server/maquette_server/guidance/loading.py",
        "server/maquette_server/metrics/clip.py",
        "server/maquette_server/pocket",
    ],
    "tokenizers": ["server/maquette_server/pocket"],
    "nvdiffrast": ["server/maquette_server/rasterise"],
    "zmq": [
        "server/maquette_server/transport.py",
        "server/maquette_server/cli/connection.py",
        "blender_addon/client.py",
    ],
    "bpy": ["blender_addon"],
    "bmesh": ["blender_addon"],
    "mathutils": ["blender_addon"],
    "typer": ["server/maquette_server/cli"],
    "rich": ["server/maquette_server/cli"],
    "pickle": [],
    "multiprocessing": [],
}


DISTRIBUTIONS = {
    "PIL": "pillow",
    "zmq": "pyzmq",
    "OpenEXR": "openexr",
    "skimage": "scikit_image",
    "igl": "libigl",
}  # import name -> name in pyproject.toml, where they differ
# The first for its licence, which excludes commercial use; both because they are built on the user's machine.
OPTIONAL = {"nvdiffrast", "tinycudann"}


@dataclass(frozen=True)
class Import:
    """One imported module: absolute dotted name, and where the import stands."""

    name: str
    path: Path  # from the repository root
    line: int
    relative: bool

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.name}"


def imports(package: Path) -> Iterator[Import]:
    """Every import of every module below the folder `package`, relative ones made absolute."""
    for file in sorted(package.rglob("*.py")):
        path = file.relative_to(ROOT)
        dotted = [package.name, *file.relative_to(package).with_suffix("").parts]
        here = dotted[:-1]  # the package that relative imports start from
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(path))):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(alias.name, path, node.lineno, relative=False)
            elif isinstance(node, ast.ImportFrom):
                start = here[: len(here) - node.level + 1] if node.level else []
                module = ".".join([*start, *([node.module] if node.module else [])])
                for alias in node.names:
                    # `from package import module` names a module; `from module import Name` does not
                    whole = f"{module}.{alias.name}"
                    yield Import(whole if is_module(whole) else module, path, node.lineno, node.level > 0)


def is_module(dotted: str) -> bool:
    """Whether the name is a module or package of ours."""
    for base in (ROOT / "server", ROOT / "shared", ROOT):
        place = base.joinpath(*dotted.split("."))
        if place.is_dir() or place.with_suffix(".py").is_file():
            return True
    return False


def server_unit(dotted: str) -> str:
    """The row name of a module of ours, such as `rendering`, `methods.runs` or `wire`."""
    parts = dotted.split(".")
    if parts[0] == "maquette_wire":
        return "wire.errors" if parts[1:2] == ["errors"] else "wire"
    inside = parts[1:]
    if not inside or inside == ["__init__"] or inside == ["__main__"]:
        return "package"
    if inside[0] != "methods":
        return inside[0]
    if inside[1:] in ([], ["__init__"], ["base"]):
        return "methods.base"
    if inside[1:] == ["schemas"]:
        return "methods.schemas"
    if inside[1:] == ["guided"]:
        return "methods.guided"
    if (ROOT / "server" / "maquette_server" / "methods" / f"{inside[1]}.py").is_file():
        return "methods.shared"
    return "methods.heads" if inside[2:] in ([], ["__init__"]) else "methods.runs"


def allowed(unit: str) -> set[str]:
    """The units that a unit may import, itself included."""
    result = {unit, "package"} | BESIDES.get(unit, set())
    for rows in (LIBRARIES, FRONT):
        for number, row in enumerate(rows):
            if unit in row:
                result |= set().union(*rows[:number])
                if unit.startswith(
                    "methods."
                ):  # records and the contract stand in one row but not on one step
                    result |= {"methods.base"} | ({"methods.heads"} if unit == "methods.schemas" else set())
    return result


def known_units() -> set[str]:
    return set().union(*LIBRARIES, *FRONT, BESIDES, {"package"})


def matches(path: Path, places: list[str]) -> bool:
    """Whether the file is one of the places or below one; `*` stands for one folder's name."""
    text = path.as_posix()
    for place in places:
        if "*" in place:
            folder, rest = place.split("*")
            inner = text.removeprefix(folder)
            if text.startswith(folder) and "/" in inner and rest == "/":
                return True
        elif text == place or text.startswith(place.removesuffix("/") + "/") or text == place + ".py":
            return True
    return False


def ours(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


SERVER = list(imports(ROOT / "server" / "maquette_server"))
WIRE = list(imports(ROOT / "shared" / "maquette_wire"))
ADDON_IMPORTS = list(imports(ROOT / "blender_addon"))


def server_module(entry: Import) -> str:
    return ".".join(entry.path.with_suffix("").parts[1:])


def test_every_server_module_has_a_place_in_the_table() -> None:
    homeless = sorted({str(e.path) for e in SERVER if server_unit(server_module(e)) not in known_units()})
    assert not homeless, f"no row for {homeless}"


def test_the_server_imports_only_from_its_left() -> None:
    wrong = []
    for entry in SERVER:
        if not (ours(entry.name, "maquette_server") or ours(entry.name, "maquette_wire")):
            continue
        unit, target = server_unit(server_module(entry)), server_unit(entry.name)
        if target not in allowed(unit):
            wrong.append(f"{entry}: {unit} may not import {target}")
    assert not wrong, "\n".join(wrong)


def test_no_method_imports_another_method() -> None:
    wrong = []
    for entry in SERVER:
        here, there = server_module(entry).split("."), entry.name.split(".")
        both_in_methods = here[1:2] == there[1:2] == ["methods"] and len(here) > 3 and len(there) > 2
        if both_in_methods and there[2] != here[2] and server_unit(entry.name) not in SHARED_BY_METHODS:
            wrong.append(f"{entry}: methods know the contract, not each other")
    assert not wrong, "\n".join(wrong)


def test_the_wire_imports_nothing_of_ours_but_itself_and_that_relatively() -> None:
    wrong = [
        str(entry)
        for entry in WIRE
        if not entry.relative
        and entry.name.split(".")[0]
        in ("maquette_wire", "maquette_server", "blender_addon", "server", "shared")
    ]
    assert not wrong, "\n".join(wrong)


def test_the_wire_needs_only_numpy_and_msgspec() -> None:
    outside = {e.name.split(".")[0] for e in WIRE if not e.relative} - set(sys.stdlib_module_names)
    assert outside <= {"numpy", "msgspec"}


def test_server_and_addon_never_import_each_other() -> None:
    wrong = [str(e) for e in SERVER + WIRE if ours(e.name, "blender_addon")]
    wrong += [str(e) for e in ADDON_IMPORTS if ours(e.name, "maquette_server")]
    assert not wrong, "\n".join(wrong)


def test_only_the_seam_of_the_addon_names_the_protocol_package() -> None:
    wrong = [
        f"{e}: write `from .wire import ...`"
        for e in ADDON_IMPORTS
        if ours(e.name, "maquette_wire") and e.path != Path("blender_addon/wire.py")
    ]
    assert not wrong, "\n".join(wrong)


def test_the_addon_imports_itself_relatively() -> None:
    # installed, it is called bl_ext.<repository>.maquette
    wrong = [str(e) for e in ADDON_IMPORTS if ours(e.name, "blender_addon") and not e.relative]
    assert not wrong, "\n".join(wrong)


def test_the_addon_imports_only_what_its_table_allows() -> None:
    wrong = []
    for entry in ADDON_IMPORTS:
        if not ours(entry.name, "blender_addon"):
            continue
        module = entry.path.with_suffix("").parts[1]
        if module == "__init__":
            continue  # it puts everything together
        target = [*entry.name.split("."), ""][1]
        if module not in ADDON:
            wrong.append(f"{entry}: no row for {module}")
        elif target not in ADDON[module] | {module}:
            wrong.append(f"{entry}: {module} may not import {target or 'the package itself'}")
    assert not wrong, "\n".join(wrong)


def test_the_client_half_of_the_addon_runs_without_blender() -> None:
    wrong = [
        str(entry)
        for entry in ADDON_IMPORTS
        if entry.path.with_suffix("").parts[1] in ADDON_WITHOUT_BPY and ours(entry.name, "bpy")
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", sorted(OUTSIDE))
def test_an_outside_package_is_imported_only_in_its_places(package: str) -> None:
    wrong = [
        f"{entry}: only in {OUTSIDE[package] or 'no place at all'}"
        for entry in SERVER + WIRE + ADDON_IMPORTS
        if ours(entry.name, package) and not matches(entry.path, OUTSIDE[package])
    ]
    assert not wrong, "\n".join(wrong)


def test_every_outside_package_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[^\w.-]", line)[0].lower().replace("-", "_") for line in project["dependencies"]}
    used = {e.name.split(".")[0] for e in SERVER + WIRE if not e.relative} - set(sys.stdlib_module_names)
    used -= {"maquette_wire", "maquette_server", *OPTIONAL}
    undeclared = {name for name in used if DISTRIBUTIONS.get(name, name) not in declared}
    assert not undeclared


def test_a_methods_record_imports_no_tensors() -> None:
    heavy = {"torch", "numpy", "trimesh", "PIL", "safetensors"}
    heads = (e for e in SERVER if server_unit(server_module(e)) in ("methods.heads", "methods.base"))
    wrong = [str(e) for e in heads if e.name.split(".")[0] in heavy]
    assert not wrong, "\n".join(wrong)


def test_nobody_imports_everything_by_star() -> None:
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for folder in ("server", "shared", "blender_addon", "tests", "benchmarks")
        for file in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_front_half_never_loads_torch() -> None:
    program = (
        "import sys\n"
        "import maquette_server.cli, maquette_server.service, maquette_server.transport\n"
        "import maquette_server.engine\n"
        "from maquette_server.methods import base\n"
        "base.discover()\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'trimesh', 'scipy', 'safetensors'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
