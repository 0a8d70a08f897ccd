"""Runs inside a Blender with a window: learns the field of a toy, tries an instruction, edits, applies, walks
through the moments, shows the edited views.

Pictures of the window on the way: before, tried, editing, edited, moment, through. Fails when a tick holds
the window for too long while pictures are fetched. Environment: see `telling`.
"""

import importlib
import os
import statistics
import sys
import time
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import telling

PROMPT = os.environ.get("MAQUETTE_SHOT_PROMPT", "make it golden")
LEARNT, EDITED, SEEN = 500, 400, 150  # steps
HELD = 0.016  # s of a tick at most, in the middle of all of them
took: list[float] = []


def begin() -> float:
    telling.capture(20, 64)
    settings = bpy.context.scene.maquette
    settings.reconstruct.budget, settings.reconstruct.steps = "STEPS", LEARNT
    chosen = settings.instruct_nerf2nerf
    chosen.prompt, chosen.budget, chosen.steps = PROMPT, "STEPS", EDITED
    chosen.use_views, chosen.views = True, 8
    settings.mode = "EDIT"
    return 0.8


def sheet_here() -> float:
    """The trial in an image editor in the place of the outliner."""
    screen = bpy.context.window_manager.windows[0].screen
    area = next(area for area in screen.areas if area.type == "OUTLINER")
    area.type = "IMAGE_EDITOR"
    return 0.5


def shown_in_a_window() -> float:
    """Closes the window of its own, which the trial got as there was no image editor."""
    _, second = bpy.context.window_manager.windows
    assert "Trial" in second.screen.areas[0].spaces.active.image.name
    with bpy.context.temp_override(window=second):
        bpy.ops.wm.window_close()
    return 1.0


def edited_enough(live) -> bool:
    row = live.jobs[0]
    return telling.finished(live) or (row.stage == "edit" and row.step >= SEEN)


def scrub(number):
    def move() -> float:
        empty = next(thing for thing in bpy.data.objects if "maquette_header" in thing)
        last = empty.maquette.moment
        empty.maquette.moment = number if number >= 0 else 23
        assert (empty.get("maquette_moment") is None) == (number < 0), last
        return 3.0

    return move


def watch_ticks() -> float:
    """Measures the ticks of the timer from now on."""
    pump = importlib.import_module(f"{telling.MODULE}.pump")
    tasks = importlib.import_module(f"{telling.MODULE}.tasks")
    advance = tasks.advance

    def measured(until) -> None:
        begun = time.perf_counter()
        advance(until)
        took.append(time.perf_counter() - begun)

    pump.tasks.advance = measured
    return 0.1


def views_here(live) -> bool:
    assert not live.error, live.error
    return not live.task and bool(live.told)


def none_was_long() -> float:
    print(f"{len(took)} ticks, the middle {1000 * statistics.median(took):.1f} ms,", end=" ")
    print(f"the longest {1000 * max(took):.1f} ms", flush=True)
    assert statistics.median(took) < HELD
    return 0.1


def look_at_one() -> float:
    captures = importlib.import_module(f"{telling.MODULE}.captures")
    empty = next(thing for thing in bpy.data.objects if "maquette_header" in thing)
    thing = next(one for one in captures.cameras(empty) if captures.edited(one) is not None)
    with telling.in_view():
        bpy.ops.maquette.look_through("EXEC_DEFAULT", True, camera=thing.name)
    area, _ = telling.area_and_region()
    assert area.spaces.active.region_3d.view_perspective == "CAMERA"
    return 1.5


shot, run, until = telling.shot, telling.run, telling.until
telling.begin(
    [
        *(begin, telling.tab, run("reconstruct"), until(telling.finished), run("result_apply")),
        *(telling.look_through, run("live_render"), until(telling.seen_large), shot("before")),
        *(run("edit_scene", trial=True), until(telling.finished), run("result_apply"), run("trial_show")),
        *(shot("sheet"), shown_in_a_window, sheet_here, run("trial_show"), shot("tried")),
        *(run("edit_scene", trial=False), until(edited_enough), shot("editing"), until(telling.finished)),
        *(run("result_apply"), watch_ticks, run("edited_views", in_steps=True), until(views_here)),
        *(none_was_long, lambda: 6.0, shot("edited"), scrub(1), shot("moment"), scrub(-1)),
        *(run("live_render"), look_at_one, shot("through")),
    ]
)
