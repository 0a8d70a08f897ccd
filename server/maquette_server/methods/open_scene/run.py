"""The story of opening: the scene is read as a whole, and its files are handed on as they are."""

from ...scenes import runtime
from .. import base, scene_input


def run(ctx: base.RunContext) -> base.Run:
    """See `methods.base`. What cannot be rendered is refused: UserError `scene.bad`."""
    ctx.timer.stage("load")
    yield base.Step(0, 0, "load")
    files = scene_input.scene_files(ctx)
    scene = runtime.open_scene(files, ctx.device)
    for note in scene.notes:
        ctx.warn("checkpoint.damaged", note)
    yield base.Step(0, 0, "load")
    for record in scene.cameras:
        for path in (record.image, record.mask, record.depth):
            if path is not None:
                files.place(path)
    for step in scene.record.moments:
        files.at(step)
    figures = {
        "scene": scene.record.id,
        "scene_step": scene.step,
        "cameras": len(scene.cameras),
        "moments": len(scene.record.moments),
    }
    items = [base.Item("scene", path, place) for path, place in files.places.items()]
    return base.Result(items, figures, backends={"field": str(scene.record.field["type"])})
