"""Properties: of an object (its id), of a scene (settings), of the window manager (live state).

Blender does not save what lies on the window manager, and nothing there is undone; it is a mirror of the
session.
"""

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from . import captures
from .methods import instruct_nerf2nerf, latent_nerf, latent_paint, reconstruct

CONNECTIONS = [
    ("OFF", "Not connected", "No server is spoken to"),
    ("STARTING", "Starting", "A server was started on this computer and is coming up"),
    ("CONNECTING", "Connecting", "Waiting for the server to answer"),
    ("READY", "Connected", "The server answers"),
    ("LOST", "Connection lost", "The server has gone silent; jobs go on there, and so does waiting here"),
    ("REFUSED", "Refused", "The server does not accept this client"),
]
MODELS = {
    "PAINT": ("text_to_image", "model"),
    "SCULPT": ("text_to_image", "model"),
    "EDIT": ("instruct_edit", "editor"),
}
"""mode -> kind of model that it uses, and the setting that names one"""


class MAQUETTE_PG_slot(bpy.types.PropertyGroup):
    """What one material slot showed before a painting took it over."""

    index: IntProperty(name="Slot", description="Number of the material slot", min=0)
    link: StringProperty(name="Link", description="DATA or OBJECT, as it was, or ADDED")
    material: PointerProperty(
        name="Material", description="Material of the object's own link, as it was", type=bpy.types.Material
    )


class MAQUETTE_PG_object(bpy.types.PropertyGroup):
    """Saved with an object."""

    uid: StringProperty(name="Id", description="Tells Maquette which object a result belongs to")
    strength: FloatProperty(
        name="Strength",
        description="How strongly a sculpted object is kept to this solid of the sketch",
        min=0.0,
        max=1.0,
        default=1.0,
    )
    lock: BoolProperty(
        name="Lock", description="Keep a sculpted object to the very surface of this solid of the sketch"
    )
    moment: IntProperty(
        name="Moment",
        description="Which moment of its edit the field of a capture shows: 0 is before, the last its end",
        min=0,
        max=23,
        update=lambda own, _: captures.show_moment(own.id_data, own.moment),
    )
    before: CollectionProperty(
        name="Before", description="What the material slots showed before", type=MAQUETTE_PG_slot
    )
    preview: CollectionProperty(
        name="Preview", description="What the slots show when no preview is on them", type=MAQUETTE_PG_slot
    )


class MAQUETTE_PG_scene(bpy.types.PropertyGroup):
    """Settings saved with a scene."""

    mode: EnumProperty(
        name="Mode",
        description="What Maquette does",
        items=[
            ("PAINT", "Paint", "Paint a mesh with words", "BRUSH_DATA", 0),
            ("SCULPT", "Sculpt", "Grow an object from a rough sketch and words", "SCULPTMODE_HLT", 2),
            ("RECONSTRUCT", "Reconstruct", "Learn a radiance field from pictures", "OUTLINER_OB_VOLUME", 1),
            ("EDIT", "Edit Scene", "Change a radiance field by an instruction", "SHADERFX", 3),
        ],
        default="PAINT",
    )
    capture: PointerProperty(
        name="Capture",
        description="The capture that is reconstructed when the active object belongs to none",
        type=bpy.types.Object,
        poll=lambda _, thing: captures.is_capture(thing),
    )
    reconstruct: PointerProperty(
        name="Reconstruct",
        description="Settings of the reconstruction",
        type=reconstruct.MAQUETTE_PG_reconstruct,
    )
    instruct_nerf2nerf: PointerProperty(
        name="Edit Scene",
        description="Settings of editing",
        type=instruct_nerf2nerf.MAQUETTE_PG_instruct_nerf2nerf,
    )
    sketch: PointerProperty(
        name="Sketch",
        description="The collection of rough solids that an object is sculpted after; none: the prompt alone",
        type=bpy.types.Collection,
    )
    solid: IntProperty(name="Solid", description="The solid of the sketch that is chosen in its list", min=0)
    latent_nerf: PointerProperty(
        name="Sculpt", description="Settings of sculpting", type=latent_nerf.MAQUETTE_PG_latent_nerf
    )
    latent_paint: PointerProperty(
        name="Paint", description="Settings of the paint method", type=latent_paint.MAQUETTE_PG_latent_paint
    )
    model: StringProperty(
        name="Model", description="Which of the server's models is used; empty takes the server's default"
    )
    editor: StringProperty(
        name="Editor",
        description="Which of the server's models edits pictures; empty takes the server's default",
    )
    seed: IntProperty(name="Seed", description="The same seed gives the same picture", min=0, default=0)
    front: EnumProperty(
        name="Front",
        description="Where the front of the object looks, in world axes",
        items=[
            ("-Y", "-Y", "Towards the viewer of the front view"),
            ("Y", "Y", "Towards the viewer of the back view"),
            ("-X", "-X", "Towards the viewer of the left view"),
            ("X", "X", "Towards the viewer of the right view"),
        ],
        default="-Y",
    )
    mask_mode: EnumProperty(
        name="Mask",
        description="Which part of the object is painted; the rest keeps its texture",
        items=[
            ("NONE", "None", "Paint the whole object"),
            ("FACES", "Selected Faces", "Paint the faces that are selected in edit mode"),
            ("VERTEX_GROUP", "Vertex Group", "Paint by the weights of a vertex group"),
            ("SLOT", "Material Slot", "Paint the faces of the active material slot"),
        ],
        default="NONE",
    )
    vertex_group: StringProperty(name="Group", description="The vertex group that says where to paint")


class MAQUETTE_PG_model(bpy.types.PropertyGroup):
    """One model of the server as the panel shows it."""

    model: StringProperty(name="Model", description="Its name on the server")
    kind: StringProperty(name="Kind", description="What it can do, as the server calls it")
    commercial: StringProperty(name="Licence", description="Whether its pictures may be used commercially")
    notice: StringProperty(name="Notice", description="What its makers ask to be told")
    default: BoolProperty(name="Default", description="It is taken when no other is chosen")


class MAQUETTE_PG_job(bpy.types.PropertyGroup):
    """One job as the panel shows it."""

    job_id: StringProperty(name="Job", description="Id of the job on the server")
    request_id: StringProperty(name="Request", description="Id under which this Blender sent it")
    method: StringProperty(name="Method", description="What the job does")
    label: StringProperty(name="Object", description="The object that the job is about")
    prompt: StringProperty(name="Prompt", description="What was asked for")
    state: StringProperty(name="State", description="State of the job", default="sending")
    sentence: StringProperty(name="Says", description="Why it failed, or what it says")
    hint: StringProperty(name="Way Out", description="What can be done about it")
    warnings: StringProperty(name="Warnings", description="What should be known of it, one a line")
    stage: StringProperty(name="Stage", description="What it is doing")
    step: IntProperty(name="Step", description="Steps done")
    total: IntProperty(name="Steps", description="Steps in all")
    seconds_left: FloatProperty(name="Time Left", description="Seconds, negative when unknown", default=-1.0)
    has_result: BoolProperty(name="Result", description="The result is here and can be applied")


class MAQUETTE_PG_live(bpy.types.PropertyGroup):
    """What goes on now; never saved."""

    connection: EnumProperty(name="Connection", description="State of the connection", items=CONNECTIONS)
    device: StringProperty(name="Device", description="What the server computes on")
    models: CollectionProperty(name="Models", description="Models of the server", type=MAQUETTE_PG_model)
    error: StringProperty(name="Error", description="What went wrong last")
    hint: StringProperty(name="Way Out", description="What can be done about it")
    fix: StringProperty(name="Fix", description="Which button may help")
    live: BoolProperty(name="Live Render", description="The active camera shows the field")
    live_says: StringProperty(name="Says", description="Why the live render shows nothing")
    task: StringProperty(name="Task", description="The import or export that is under way, if any")
    task_done: FloatProperty(name="Done", description="Share of it that is done", min=0.0, max=1.0)
    told: StringProperty(name="Says", description="What came of the import or export")
    page: IntProperty(
        name="Page", description="Which of the edited views are shown: 1 is the first few", min=1, default=1
    )
    jobs: CollectionProperty(
        name="Jobs", description="Jobs of this Blender, newest first", type=MAQUETTE_PG_job
    )
    active: IntProperty(name="Active Job", description="The row that is chosen")


CLASSES = (
    MAQUETTE_PG_slot,
    MAQUETTE_PG_object,
    latent_paint.MAQUETTE_PG_latent_paint,
    latent_nerf.MAQUETTE_PG_latent_nerf,
    reconstruct.MAQUETTE_PG_reconstruct,
    instruct_nerf2nerf.MAQUETTE_PG_instruct_nerf2nerf,
    MAQUETTE_PG_scene,
    MAQUETTE_PG_model,
    MAQUETTE_PG_job,
    MAQUETTE_PG_live,
)
OWNERS = (
    (bpy.types.Object, MAQUETTE_PG_object),
    (bpy.types.Scene, MAQUETTE_PG_scene),
    (bpy.types.WindowManager, MAQUETTE_PG_live),
)


def register() -> None:
    """Puts `maquette` on objects, scenes and the window manager."""
    for kind in CLASSES:
        bpy.utils.register_class(kind)
    for owner, kind in OWNERS:
        owner.maquette = PointerProperty(type=kind)


def unregister() -> None:
    """The inverse of `register`."""
    for owner, _ in OWNERS:
        del owner.maquette
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)


def live(context: bpy.types.Context) -> MAQUETTE_PG_live:
    """The live state."""
    return context.window_manager.maquette


def model_of(settings: MAQUETTE_PG_scene) -> str:
    """Name of the model that is chosen for the mode; empty for the server's default."""
    return str(getattr(settings, MODELS[settings.mode][1]))
