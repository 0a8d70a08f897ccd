"""The buttons of sculpting: add a solid to the sketch, sculpt."""

import bpy
from bpy.props import EnumProperty

from .. import axes, jobs, preferences, props, pump, steps
from ..collect import sketch
from ..methods import latent_nerf
from ..wire import errors
from . import results, server
from .told import DONE, Answer, reports

NAME = "Sketch"
_NOBODY = "-"  # the id of no object: what is sculpted is new


class MAQUETTE_OT_sketch_add(bpy.types.Operator):
    """Add a solid to the sketch, at the 3D cursor"""

    bl_idname = "maquette.sketch_add"
    bl_label = "Add to Sketch"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender's own way of saying it

    kind: EnumProperty(
        name="Solid",
        description="What is added",
        items=[
            ("SPHERE", "Sphere", "A ball"),
            ("BOX", "Box", "A cube"),
            ("CYLINDER", "Cylinder", "A cylinder"),
            ("CONE", "Cone", "A cone"),
            ("TORUS", "Torus", "A ring"),
        ],
        default="SPHERE",
    )

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """The sketch is made with its first solid."""
        settings = context.scene.maquette
        with results.object_mode(context):
            _ADD[self.kind]()
        thing = context.object
        if settings.sketch not in context.scene.collection.children_recursive:
            settings.sketch = bpy.data.collections.new(NAME)
            context.scene.collection.children.link(settings.sketch)
        for collection in thing.users_collection:
            collection.objects.unlink(thing)
        settings.sketch.objects.link(thing)
        thing.display_type = "WIRE"  # the object that grows from it is not hidden by it
        thing.hide_render = True
        return DONE


_ADD = {
    "SPHERE": lambda: bpy.ops.mesh.primitive_uv_sphere_add(segments=24, ring_count=12),
    "BOX": lambda: bpy.ops.mesh.primitive_cube_add(),
    "CYLINDER": lambda: bpy.ops.mesh.primitive_cylinder_add(),
    "CONE": lambda: bpy.ops.mesh.primitive_cone_add(),
    "TORUS": lambda: bpy.ops.mesh.primitive_torus_add(),
}


class MAQUETTE_OT_sculpt(bpy.types.Operator):
    """Send the sketch and the prompt to the server, which grows an object in its shape"""

    bl_idname = "maquette.sculpt"
    bl_label = "Sculpt"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a prompt."""
        if not context.scene.maquette.latent_nerf.prompt.strip():
            cls.poll_message_set("Write a prompt: what the object should be.")
            return False
        return True

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """Copies the sketch and returns; the rest is collected and sent a tick at a time."""
        settings = context.scene.maquette
        params = latent_nerf.params(settings.latent_nerf)
        if not params["prompt"].strip():
            raise errors.UserError(
                "prompt.empty", "The prompt is empty.", hint="Write what the object should be."
            )
        reading = None
        if settings.sketch is not None:
            with results.object_mode(context):
                context.view_layer.update()
                depsgraph = context.evaluated_depsgraph_get()
                reading = sketch.read(depsgraph, settings.sketch, settings.front)
        if props.live(context).connection in {"OFF", "REFUSED"}:
            server.connect(context)
        params |= {"up": axes.UP, "front": axes.FRONTS[settings.front]}
        place = tuple(context.scene.cursor.location)
        label = settings.sketch.name if settings.sketch is not None else params["prompt"][:40]
        pump.running().follow_preview(int(preferences.of(context).preview_px))
        pump.running().submit(
            latent_nerf.NAME,
            steps.Work(_package(reading), reading.size if reading is not None else 1),
            params=params,
            seed=settings.seed,
            model=settings.model,
            label=label,
            record={
                "method": latent_nerf.NAME,
                "prompt": params["prompt"],
                "target": {"uid": _NOBODY, "name": label},
                "place": (0.0, 0.0, 0.0) if reading is not None else place,
                "recipe": {
                    "method": latent_nerf.NAME,
                    "params": params,
                    "seed": settings.seed,
                    "model": settings.model,
                },
            },
        )
        pump.tick()
        pump.wake()
        return DONE


def _package(reading: sketch.Reading | None) -> steps.Steps[jobs.Package]:
    if reading is None:
        yield 1
        return jobs.Package((), {}, {})
    given = yield from sketch.input_steps(reading)
    return jobs.Package(tuple(given.inputs), given.blobs, {})


CLASSES = (MAQUETTE_OT_sketch_add, MAQUETTE_OT_sculpt)
