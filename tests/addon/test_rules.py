"""Rules of Blender's extension platform, and who may import what, read from the sources."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ADDON = Path(__file__).resolve().parents[2] / "blender_addon"
FILES = sorted(ADDON.rglob("*.py"))
NAMES = [str(path.relative_to(ADDON)) for path in FILES]
WITHOUT_BPY = {
    "wire.py", "axes.py", "png.py", "folders.py", "local_server.py", "client.py", "session.py", "records.py",
    "jobs.py", "fetched.py", "steps.py", "collect/triangles.py",
    "camera_models.py", "camera_sets.py", "view_frames.py", "picture_files.py", "transforms.py",
    "export_folder.py", "snapshots.py", "files.py", "edited.py", "exr.py", "scene_folders.py",
    "methods/__init__.py", "collect/inputs.py", "collect/__init__.py", "apply/__init__.py",
}  # fmt: skip
ONLY_IN = {"zmq": {"client.py"}, "msgspec": set(), "maquette_wire": {"wire.py"}}
NEVER = {"threading", "multiprocessing", "concurrent", "asyncio", "pickle", "pip", "torch", "maquette_server"}


def imports(tree: ast.Module, *, top_only: bool = False) -> Iterator[str]:
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_imports_keep_to_their_places(path: Path) -> None:
    name = path.relative_to(ADDON).as_posix()
    found = set(imports(ast.parse(path.read_text(encoding="utf-8"))))
    assert not found & NEVER
    assert "blender_addon" not in found
    for module, places in ONLY_IN.items():
        assert module not in found or name in places
    if name in WITHOUT_BPY:
        assert "bpy" not in found


def test_the_package_itself_loads_no_bpy() -> None:
    tree = ast.parse((ADDON / "__init__.py").read_text(encoding="utf-8"))
    assert "bpy" not in set(imports(tree, top_only=True))


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_nothing_touches_the_module_path_or_writes_beside_itself(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    attributes = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    assert not attributes & {"sys.path", "os.system", "sys.modules"}
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    assert not {"eval", "exec", "__import__"} & set(names)
    if "__file__" in names:
        assert path.name == "__init__.py"
        assert path.parent.name == "methods"  # reads the schema beside it
    calls = {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    if calls & {"write_text", "write_bytes"}:
        assert path.name == "records.py"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_names_that_blender_gave_up_are_not_used(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for gone in ("bgl", "scene.node_tree", 'scene["', "calc_normals_split"):
        assert gone not in text
    if "use_nodes" in text:
        assert "node_tree is None" in text  # Blender 4.x needs it, and only there it is reached
