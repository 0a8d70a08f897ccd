"""Runs inside a Blender with a window: renders views of a toy, learns its field, looks at it, extracts it.

Pictures of the window on the way: capture, rendering, learning, live, mesh. Environment: see `telling`.
"""

import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import telling

STEPS, SEEN = 500, 250


def begin() -> float:
    telling.capture(20, 64)
    settings = bpy.context.scene.maquette
    settings.mode = "RECONSTRUCT"
    settings.reconstruct.budget, settings.reconstruct.steps = "STEPS", STEPS
    return 0.8


def mesh_alone() -> float:
    area, _ = telling.area_and_region("WINDOW")
    area.spaces.active.shading.color_type = "TEXTURE"
    area.spaces.active.region_3d.view_perspective = "PERSP"
    with telling.in_view():
        bpy.ops.view3d.view_selected()
    return 1.5


def learnt_enough(live) -> bool:
    row = live.jobs[0]
    return telling.finished(live) or (row.stage == "learn" and row.step >= SEEN)


shot, run, until = telling.shot, telling.run, telling.until
telling.begin(
    [
        *(
            begin,
            telling.tab,
            shot("capture"),
            run("reconstruct"),
            until(lambda live: live.jobs[0].step >= 5),
        ),
        *(shot("rendering"), until(learnt_enough), shot("learning"), until(telling.finished)),
        *(run("result_apply"), telling.look_through, run("live_render"), until(telling.seen_large)),
        *(shot("live"), run("live_render")),
        *(run("extract_mesh", texture_size=256, use_resolution=True, resolution=64), until(telling.finished)),
        *(run("result_apply"), mesh_alone, shot("mesh")),
    ]
)
