"""Facts about the operators, inside Blender, against a stand-in server that does what the prompt says.

"quick" succeeds, "broken" fails, "slow" runs until it is cancelled or stopped.
"""

import importlib
import json
import os
import time

import bpy
import numpy as np
import pytest

MODULE = "bl_ext.user_default.maquette"
targets = importlib.import_module(f"{MODULE}.target")
model_menu = importlib.import_module(f"{MODULE}.model_menu")
panels = importlib.import_module(f"{MODULE}.panels")
rows = importlib.import_module(f"{MODULE}.rows")
axes = importlib.import_module(f"{MODULE}.axes")
pump = importlib.import_module(f"{MODULE}.pump")
front_arrow = importlib.import_module(f"{MODULE}.front_arrow")
operators = importlib.import_module(f"{MODULE}.operators")


@pytest.fixture(autouse=True)
def cube():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module=MODULE)
    set_address()
    bpy.ops.mesh.primitive_cube_add()
    yield bpy.context.object
    bpy.ops.preferences.addon_disable(module=MODULE)


def set_address() -> None:
    chosen = bpy.context.preferences.addons[MODULE].preferences
    chosen.address = f"127.0.0.1:{os.environ['MAQUETTE_TEST_PORT']}"


def live():
    return bpy.context.window_manager.maquette


def paint(prompt: str):
    settings = bpy.context.scene.maquette
    settings.latent_paint.prompt = prompt
    settings.latent_paint.texture_size = 64
    settings.seed = 7
    assert bpy.ops.maquette.paint() == {"FINISHED"}
    return live().jobs[0]


def pumped(done, limit=30.0) -> None:
    until = time.monotonic() + limit
    tick = importlib.import_module(f"{MODULE}.pump").tick
    while not done():
        assert time.monotonic() < until, (live().error, [(r.label, r.state) for r in live().jobs])
        tick()
        time.sleep(0.005)


def shown(thing):
    return thing.material_slots[0].material if thing.material_slots else None


def test_paint_wait_and_apply_is_the_whole_story(cube) -> None:
    row = paint("quick")
    assert row.state != "succeeded"
    assert bpy.ops.maquette.wait(timeout=30, apply=True) == {"FINISHED"}
    row = live().jobs[0]
    assert (row.state, row.label, row.has_result, live().connection) == ("succeeded", "Cube", True, "READY")
    assert row.warnings == "A warning of the server."
    material = shown(cube)
    recipe = json.loads(material["maquette_recipe"])
    assert recipe["params"]["prompt"] == "quick"
    assert (recipe["seed"], recipe["report"]) == (7, {"figures": {"texels": 1}})
    own, ours = cube.data.uv_layers["UVMap"], cube.data.uv_layers["Maquette UV"]
    assert np.array_equal(targets.layer_uvs(own), targets.layer_uvs(ours))


def test_nothing_changes_before_apply_and_one_undo_takes_it_back(cube) -> None:
    bpy.ops.ed.undo_push(message="before")
    paint("quick")
    bpy.ops.maquette.wait(timeout=30)
    assert not cube.material_slots
    assert len(cube.data.uv_layers) == 1
    bpy.ops.ed.undo_push(message="before apply")
    assert bpy.ops.maquette.result_apply() == {"FINISHED"}
    bpy.ops.ed.undo_push(message="Apply Maquette Result")  # in a window the operator pushes it itself
    assert shown(cube).name == "Cube Maquette"
    bpy.ops.ed.undo()
    cube = bpy.data.objects["Cube"]
    assert not cube.material_slots
    assert len(cube.data.uv_layers) == 1
    bpy.context.view_layer.objects.active = cube
    assert bpy.ops.maquette.result_apply() == {"FINISHED"}
    assert shown(cube).name == "Cube Maquette"
    assert bpy.ops.maquette.result_restore() == {"FINISHED"}
    assert shown(cube) is None


def test_the_artist_may_stay_in_edit_mode(cube) -> None:
    bpy.ops.object.mode_set(mode="EDIT")
    paint("quick")
    assert cube.mode == "EDIT"
    bpy.ops.maquette.wait(timeout=30, apply=True)
    assert cube.mode == "EDIT"
    bpy.ops.object.mode_set(mode="OBJECT")
    assert "Maquette UV" in cube.data.uv_layers
    assert shown(cube).name == "Cube Maquette"


def test_a_script_gets_the_sentence_of_a_failed_job(cube) -> None:
    paint("broken")
    with pytest.raises(RuntimeError, match=r"It broke\. Mend it\."):
        bpy.ops.maquette.wait(timeout=30)
    row = live().jobs[0]
    assert (row.state, row.sentence, row.hint) == ("failed", "It broke.", "Mend it.")
    assert live().error == "It broke."
    with pytest.raises(RuntimeError):
        bpy.ops.maquette.result_apply()
    assert not cube.material_slots


def test_waiting_ends_when_its_time_is_over(cube) -> None:
    paint("slow")
    with pytest.raises(RuntimeError, match=r"not finished within 0\.3 s"):
        bpy.ops.maquette.wait(timeout=0.3)
    bpy.ops.maquette.cancel()
    pumped(lambda: live().jobs[0].state == "cancelled")
    with pytest.raises(RuntimeError, match="cancelled"):
        bpy.ops.maquette.wait()


def test_progress_is_shown_and_stop_keeps_what_there_is(cube) -> None:
    paint("slow")
    pumped(lambda: live().jobs[0].stage == "paint" and live().jobs[0].step > 0)
    assert rows.progress_text(live().jobs[0]) == "Paint 3/10 - 1:05 left"
    pumped(lambda: bool(cube.material_slots))
    assert shown(cube).name == "Maquette Preview"
    assert bpy.ops.maquette.stop() == {"FINISHED"}
    bpy.ops.maquette.wait(timeout=30, apply=True)
    assert shown(cube).name == "Cube Maquette"


def test_a_changed_target_keeps_the_result_and_says_so(cube) -> None:
    paint("quick")
    bpy.ops.maquette.wait(timeout=30)
    cube.data.flip_normals()
    with pytest.raises(RuntimeError, match="have changed since it was sent"):
        bpy.ops.maquette.result_apply()
    assert live().jobs[0].has_result
    cube.data.flip_normals()
    assert bpy.ops.maquette.result_apply() == {"FINISHED"}


def test_jobs_and_results_outlive_a_file_and_a_restart_of_the_extension(cube, tmp_path) -> None:
    paint("quick")
    bpy.ops.maquette.wait(timeout=30)
    path = str(tmp_path / "file.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert live().jobs[0].has_result
    bpy.ops.preferences.addon_disable(module=MODULE)
    bpy.ops.preferences.addon_enable(module=MODULE)
    set_address()
    bpy.ops.maquette.connect()
    pumped(lambda: bool(live().jobs) and live().jobs[0].has_result)
    bpy.context.view_layer.objects.active = bpy.data.objects["Cube"]
    assert bpy.ops.maquette.result_apply(request_id=live().jobs[0].request_id) == {"FINISHED"}
    assert shown(bpy.data.objects["Cube"]).name == "Cube Maquette"


def test_an_older_result_is_fetched_and_applied_when_it_is_here(cube) -> None:
    older = paint("quick").request_id
    bpy.ops.maquette.wait(timeout=30)
    paint("quick")
    bpy.ops.maquette.wait(timeout=30)
    assert bpy.ops.maquette.result_apply(request_id=older) == {"CANCELLED"}
    assert not cube.material_slots
    pumped(lambda: bool(cube.material_slots))
    assert json.loads(shown(cube)["maquette_recipe"])["job"] == f"job-{older[:8]}"
    bpy.ops.maquette.result_restore()
    assert bpy.ops.maquette.wait(timeout=30, apply=True, request_id=older) == {"FINISHED"}
    assert shown(cube).name.startswith("Cube Maquette")


@pytest.fixture
def older(cube) -> str:
    """The id of a job whose result is on the server only, and is asked for."""
    request_id = paint("quick").request_id
    bpy.ops.maquette.wait(timeout=30)
    paint("quick")
    bpy.ops.maquette.wait(timeout=30)
    assert bpy.ops.maquette.result_apply(request_id=request_id) == {"CANCELLED"}
    return request_id


def waiting(request_id, sentence, turns=20) -> None:
    """Its result has come, is not applied, and says why."""
    pumped(lambda: live().jobs[1].has_result and live().jobs[1].sentence)
    for _ in range(turns):
        pump.tick()
    assert (live().jobs[1].request_id, live().jobs[1].sentence) == (request_id, sentence)


@pytest.mark.parametrize("mode", ["EDIT", "SCULPT"])
def test_a_late_result_waits_for_object_mode(cube, older, mode) -> None:
    bpy.ops.object.mode_set(mode=mode)
    waiting(older, pump.OTHER_MODE)
    assert (cube.mode, len(cube.material_slots)) == (mode, 0)
    bpy.ops.object.mode_set(mode="OBJECT")
    pumped(lambda: bool(cube.material_slots))
    assert live().jobs[1].sentence == ""
    assert not pump._late


def test_a_late_result_waits_while_another_object_is_edited(cube, older) -> None:
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.object.mode_set(mode="EDIT")
    waiting(older, pump.OTHER_MODE)
    assert bpy.context.object.mode == "EDIT"


class MAQUETTE_OT_test_tool(bpy.types.Operator):
    bl_idname = "maquette_test.tool"
    bl_label = "A Tool That Runs"

    def execute(self, context):
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        return {"PASS_THROUGH"}


def test_a_late_result_waits_for_the_end_of_a_running_tool(cube, older, monkeypatch) -> None:
    bpy.utils.register_class(MAQUETTE_OT_test_tool)
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.maquette_test.tool()
    waiting(older, pump.TOOL_RUNS)
    assert not cube.material_slots
    bpy.utils.unregister_class(MAQUETTE_OT_test_tool)
    monkeypatch.setattr(pump, "_tool_runs", lambda: False)  # without events Blender ends no tool
    pumped(lambda: bool(cube.material_slots))


def test_a_waiting_result_that_is_applied_by_hand_is_applied_once(cube, older) -> None:
    bpy.ops.object.mode_set(mode="EDIT")
    waiting(older, pump.OTHER_MODE)
    assert bpy.ops.maquette.result_apply(request_id=older) == {"FINISHED"}
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.ops.maquette.result_restore()
    for _ in range(20):
        pump.tick()
    assert shown(cube) is None
    assert (pump._late, live().jobs[1].sentence) == ({}, "")


def test_a_late_result_is_not_applied_in_another_file(cube, older, tmp_path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "file.blend"))
    assert not pump._late
    pumped(lambda: live().jobs[1].has_result)
    for _ in range(20):
        pump.tick()
    assert not bpy.data.objects["Cube"].material_slots


def test_a_late_result_is_given_up_with_the_connection(cube, older) -> None:
    bpy.ops.maquette.disconnect()
    assert not pump._late
    bpy.ops.maquette.connect()
    pumped(lambda: live().connection == "READY" and all(row.state == "succeeded" for row in live().jobs))
    for _ in range(20):
        pump.tick()
    assert not cube.material_slots


def test_a_result_that_cannot_be_applied_late_says_why(cube) -> None:
    older = paint("quick").request_id
    bpy.ops.maquette.wait(timeout=30)
    paint("quick")
    bpy.ops.maquette.wait(timeout=30)
    bpy.ops.maquette.result_apply(request_id=older)
    bpy.data.objects.remove(cube)
    pumped(lambda: bool(live().error))
    assert live().error == "'Cube' is no longer in this file."


def test_buttons_that_cannot_be_pressed_say_why(cube) -> None:
    with pytest.raises(RuntimeError, match="prompt"):
        bpy.ops.maquette.paint()
    with pytest.raises(RuntimeError, match="No job is running"):
        bpy.ops.maquette.cancel()
    bpy.context.view_layer.objects.active = None
    with pytest.raises(RuntimeError, match="Select a mesh"):
        bpy.ops.maquette.paint()
    bpy.context.view_layer.objects.active = cube
    cube.data.clear_geometry()
    bpy.context.scene.maquette.latent_paint.prompt = "gold"
    with pytest.raises(RuntimeError, match="has no faces"):
        bpy.ops.maquette.paint()
    assert (live().error, len(live().jobs)) == ("'Cube' has no faces.", 0)


class Layout:
    """Records what is drawn, for panels that a module without windows never draws."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.buttons: list[str] = []
        self.menus: list[tuple[str, str]] = []
        self.shown: list[str] = []
        self.bl_rna = None

    def label(self, text="", **_) -> None:
        self.labels.append(text)

    def progress(self, text="", factor=0.0, **_) -> None:
        assert 0 <= factor <= 1
        self.labels.append(text)

    def operator(self, name, text="", **_):
        self.buttons.append(name)
        self.shown.append(text)
        return type("Properties", (), {})()

    def menu(self, name, text="", **_) -> None:
        self.menus.append((name, text))

    def separator(self, **_) -> None:
        pass

    def prop(self, owner, name, **_) -> None:
        assert name in owner.bl_rna.properties, name

    def prop_enum(self, owner, name, value) -> None:
        assert value in owner.bl_rna.properties[name].enum_items

    def prop_search(self, owner, name, collection, key, **_) -> None:
        assert name in owner.bl_rna.properties
        assert key in collection.bl_rna.properties

    def panel(self, _name, **_kw):
        return self, self

    def row(self, **_) -> "Layout":
        return self

    column = box = split = row


def drawn(kind):
    layout = Layout()
    kind.draw(type("Panel", (), {"layout": layout})(), bpy.context)
    return layout


def test_the_panel_shows_every_stage(cube) -> None:
    assert "Not connected" in drawn(panels.MAQUETTE_PT_main).labels
    assert "maquette.server_start" in drawn(panels.MAQUETTE_PT_main).buttons
    for mode in ("FACES", "VERTEX_GROUP", "SLOT", "NONE"):
        bpy.context.scene.maquette.mask_mode = mode
        drawn(panels.MAQUETTE_PT_main)
    paint("slow")
    pumped(lambda: live().jobs[0].stage == "paint" and live().jobs[0].step > 0)
    main = drawn(panels.MAQUETTE_PT_main)
    assert "Paint 3/10 - 1:05 left" in main.labels
    assert {"maquette.paint", "maquette.stop", "maquette.cancel"} <= set(main.buttons)
    assert any("a device" in label for label in main.labels)
    bpy.ops.maquette.cancel()
    pumped(lambda: live().jobs[0].state == "cancelled")
    paint("broken")
    with pytest.raises(RuntimeError):
        bpy.ops.maquette.wait(timeout=30)
    paint("quick")
    bpy.ops.maquette.wait(timeout=30)
    results = drawn(panels.MAQUETTE_PT_results)
    assert {"It broke.", "Mend it.", "A warning of the server."} <= set(results.labels)
    assert "maquette.result_apply" in results.buttons
    bpy.context.view_layer.objects.active = None
    assert "Select a mesh to paint" in drawn(panels.MAQUETTE_PT_main).labels


def test_without_a_server_the_panel_says_so_and_offers_to_start_one(cube) -> None:
    chosen = bpy.context.preferences.addons[MODULE].preferences
    chosen.address = "127.0.0.1:9"
    bpy.ops.maquette.connect()
    pumped(lambda: bool(live().error))
    assert live().error == "No server answers at 127.0.0.1:9."
    assert "maquette.server_start" in drawn(panels.MAQUETTE_PT_main).buttons
    chosen.command = "/no/such/maquette"
    with pytest.raises(RuntimeError, match="was not found"):
        bpy.ops.maquette.server_start()
    assert live().fix == "preferences"


def test_the_model_menu_names_what_the_server_has(cube) -> None:
    assert drawn(panels.MAQUETTE_PT_main).menus == [("MAQUETTE_MT_models", "Server's Default")]
    bpy.ops.maquette.connect()
    pumped(lambda: len(live().models) == 3)
    assert drawn(panels.MAQUETTE_PT_main).menus == [("MAQUETTE_MT_models", "pocket (default)")]
    shown_models = drawn(model_menu.MAQUETTE_MT_models).shown
    assert shown_models[0] == "Server's Default (pocket)"
    assert shown_models[1:] == ["pocket: commercial use allowed", "big: commercial use with conditions"]
    bpy.ops.maquette.model_choose(model="big")
    main = drawn(panels.MAQUETTE_PT_main)
    assert main.menus == [("MAQUETTE_MT_models", "big")]
    assert "Commercial use with conditions." in main.labels
    bpy.ops.maquette.model_choose(model="gone")
    assert "The server has no model 'gone';" in drawn(panels.MAQUETTE_PT_main).labels
    bpy.ops.maquette.model_choose(model="big")
    paint("quick")
    bpy.ops.maquette.wait(timeout=30, apply=True)
    assert json.loads(shown(cube)["maquette_recipe"])["model"] == "big"


def test_editing_has_a_menu_of_the_models_that_edit(cube) -> None:
    settings = bpy.context.scene.maquette
    bpy.ops.maquette.connect()
    pumped(lambda: len(live().models) == 3)
    bpy.ops.maquette.model_choose(model="big")
    settings.mode = "EDIT"
    assert drawn(panels.MAQUETTE_PT_main).menus == [("MAQUETTE_MT_models", "Server's Default")]
    entries = drawn(model_menu.MAQUETTE_MT_models).shown
    assert entries == ["Server's Default", "editor: commercial use allowed"]
    bpy.ops.maquette.model_choose(model="editor")
    assert drawn(panels.MAQUETTE_PT_main).menus == [("MAQUETTE_MT_models", "editor")]
    assert (settings.editor, settings.model) == ("editor", "big")
    settings.mode = "SCULPT"
    assert drawn(panels.MAQUETTE_PT_main).menus == [("MAQUETTE_MT_models", "big")]


def test_the_arrow_stands_before_the_object_and_points_where_its_front_looks() -> None:
    corners = np.array([[x, y, z] for x in (2, 4) for y in (-1, 1) for z in (0, 2)], float)
    for front in axes.FRONTS.values():
        ends = front_arrow.lines(corners, front)
        start, tip = ends[0]
        assert np.allclose((tip - start) / np.linalg.norm(tip - start), front)
        assert ((ends.reshape(-1, 3) - corners.mean(axis=0)) @ np.array(front)).min() > 1  # outside the box
        assert np.allclose(
            np.delete(tip, np.argmax(np.abs(front))), np.delete((3, 0, 1), np.argmax(np.abs(front)))
        )


def test_without_a_window_no_arrow_is_drawn(cube) -> None:
    drawn(panels.MAQUETTE_PT_main)
    assert front_arrow._handler is None
