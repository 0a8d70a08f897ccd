"""Facts about registering, inside Blender."""

import sys
from pathlib import Path

import bpy
import pytest

MODULE = "bl_ext.user_default.maquette"
HANDLERS = [name for name in dir(bpy.app.handlers) if isinstance(getattr(bpy.app.handlers, name), list)]


def counts() -> dict[str, int]:
    return {name: len(getattr(bpy.app.handlers, name)) for name in HANDLERS}


def classes() -> set[str]:
    return {name for name in dir(bpy.types) if name.startswith("MAQUETTE_")}


def ours(name: str):
    return sys.modules[f"{MODULE}.{name}"]


def test_three_times_off_and_on_leaves_nothing_behind() -> None:
    with_it, named = counts(), classes()
    assert {"MAQUETTE_PT_main", "MAQUETTE_OT_paint"} <= named
    for _ in range(3):
        tick = ours("pump").tick
        assert bpy.app.timers.is_registered(tick)
        bpy.ops.preferences.addon_disable(module=MODULE)
        assert not bpy.app.timers.is_registered(tick)
        assert not classes()
        assert not [h for name in HANDLERS for h in getattr(bpy.app.handlers, name) if "maquette" in str(h)]
        assert not hasattr(bpy.types.Object, "maquette")
        bpy.ops.preferences.addon_enable(module=MODULE)
        assert counts() == with_it
        assert classes() == named


def described(name: str):
    """The description and the properties of a class of ours."""
    if name.startswith("MAQUETTE_OT_"):
        operator = getattr(bpy.ops.maquette, name.removeprefix("MAQUETTE_OT_")).get_rna_type()
        assert operator.description.strip(), name
        return operator.properties
    return getattr(bpy.types, name).bl_rna.properties


def test_every_operator_and_property_explains_itself() -> None:
    for name in classes():
        if name.startswith(("MAQUETTE_PT_", "MAQUETTE_MT_", "MAQUETTE_UL_")):
            continue
        for key, found in described(name).items():
            if key not in {"rna_type", "name", "bl_idname"}:
                assert found.description.strip(), f"{name}.{key}"


def test_only_operators_that_change_the_scene_are_undone() -> None:
    options = {name: getattr(getattr(bpy.types, name), "bl_options", ()) for name in classes()}
    undone = {name for name, those in options.items() if "UNDO" in those}
    assert undone == {
        *("MAQUETTE_OT_result_apply", "MAQUETTE_OT_result_restore"),
        *("MAQUETTE_OT_capture_import", "MAQUETTE_OT_cameras_add", "MAQUETTE_OT_sketch_add"),
        "MAQUETTE_OT_scene_open",
        *("MAQUETTE_OT_version_choose", "MAQUETTE_OT_version_forget", "MAQUETTE_OT_edited_views"),
        *("MAQUETTE_OT_pictures_choose", "MAQUETTE_OT_look_through"),
    }


def test_the_bundled_libraries_are_used_and_no_thread_runs() -> None:
    import threading

    import zmq

    assert ".local" in zmq.__file__
    bpy.ops.maquette.connect()
    for _ in range(20):
        ours("pump").tick()
    assert threading.enumerate() == [threading.main_thread()]
    bpy.ops.maquette.disconnect()


def test_defaults_are_those_of_the_server() -> None:
    for method in ("latent_paint", "reconstruct"):
        settings = getattr(bpy.context.scene.maquette, method)
        for name, row in ours("methods").schema(method).items():
            if row.get("default") is not None and hasattr(settings, name):
                assert getattr(settings, name) == row["default"], name


def test_live_state_is_not_saved(tmp_path) -> None:
    live = bpy.context.window_manager.maquette
    live.error = "a sentence of this session"
    live.jobs.add().label = "a row"
    path = str(tmp_path / "file.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path, compress=False)
    assert b"a sentence of this session" not in Path(path).read_bytes()
    bpy.ops.wm.open_mainfile(filepath=path)
    assert not bpy.context.window_manager.maquette.jobs


def test_another_computer_is_refused_while_blender_is_offline() -> None:
    chosen = bpy.context.preferences.addons[MODULE].preferences
    chosen.address = "10.0.0.1:5577"
    try:
        assert not bpy.app.online_access
        with pytest.raises(RuntimeError, match="online access is off"):
            bpy.ops.maquette.connect()
        assert bpy.context.window_manager.maquette.fix == "online"
        chosen.address = "nonsense:"
        with pytest.raises(RuntimeError, match="not a server address"):
            bpy.ops.maquette.connect()
    finally:
        chosen.property_unset("address")


def test_without_its_libraries_the_extension_says_so() -> None:
    bpy.ops.preferences.addon_disable(module=MODULE)
    gone = [name for name in sys.modules if name.partition(".")[0] == "zmq" or name.startswith(MODULE)]
    held = {name: sys.modules.pop(name) for name in gone}
    sys.modules["zmq"] = None
    try:
        bpy.ops.preferences.addon_enable(module=MODULE)
        assert classes() == {"MAQUETTE_PT_missing"}
        assert sys.modules[f"{MODULE}.panels"].missing_library == "zmq"
        bpy.ops.preferences.addon_disable(module=MODULE)
        assert not classes()
    finally:
        for name in [n for n in sys.modules if n.startswith(MODULE) or n.startswith("zmq")]:
            del sys.modules[name]
        sys.modules.update({name: module for name, module in held.items() if name.startswith("zmq")})
    bpy.ops.preferences.addon_enable(module=MODULE)
    assert "MAQUETTE_PT_main" in classes()
