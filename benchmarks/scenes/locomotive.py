"""A toy locomotive on a turntable, built from primitives and rendered from all round by Cycles on the CPU.

`python locomotive.py OUT [--side 400] [--samples 8] [--train 100] [--test 25] [--threads 2]`, with the
Python of a `bpy`. OUT gets the form of Blender's synthetic data sets: `transforms_train.json`,
`transforms_test.json` (written last) and transparent pictures. The same numbers give the same pictures, the
last bit excepted.

There are matt, glossy and metallic parts, patterns, spokes, a fence, a string of flags: what is thin, what
shines and what is hidden from most sides. It is about 2.3 wide, z is up, the cameras stand 4 away.
"""

import argparse
import json
import math
import random
import sys
from pathlib import Path

import bpy

# isort: split
import bmesh  # it is found only after bpy was loaded
from mathutils import Matrix, Vector

DISTANCE = 4.0
ANGLE = 0.68  # radians of view
MIDDLE = Vector((0.0, 0.0, 0.36))  # what all cameras look at
LOWEST, HIGHEST = 4.0, 78.0  # degrees above the ground


def colour(text):
    """'c0392b' in the linear values that Blender's materials take."""
    coded = [int(text[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in coded]
    return (*linear, 1.0)


PLAIN = {  # colour, roughness, metallic
    "red": ("b5241c", 0.25, 0.0),
    "green": ("14532d", 0.15, 0.0),
    "blue": ("1f4e9c", 0.35, 0.0),
    "black": ("161616", 0.4, 0.0),
    "cream": ("f1e4c3", 0.7, 0.0),
    "white": ("f4f4f2", 0.9, 0.0),
    "yellow": ("e3a712", 0.5, 0.0),
    "orange": ("dd6b20", 0.8, 0.0),
    "pink": ("d4578f", 0.8, 0.0),
    "teal": ("1f9e94", 0.8, 0.0),
    "violet": ("6b3fa0", 0.8, 0.0),
    "pine": ("2e6b34", 0.9, 0.0),
    "dark wood": ("4a2c17", 0.8, 0.0),
    "brass": ("d8a53a", 0.22, 1.0),
    "steel": ("b9bec4", 0.28, 1.0),
}
PATTERNED = {  # two colours, texture, its scale
    "wood": ("8a5a30", "c1894f", "ShaderNodeTexWave", 3.0),
    "grass": ("4f7f2b", "86a83e", "ShaderNodeTexNoise", 14.0),
    "checks": ("f1e4c3", "b5241c", "ShaderNodeTexChecker", 16.0),
}


class Palette:
    """Materials by name, made when they are asked for."""

    def __init__(self):
        self._made = {}

    def __getitem__(self, name):
        if name not in self._made:
            material = bpy.data.materials.new(name)
            if material.node_tree is None:
                material.use_nodes = True
            tree = material.node_tree
            shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
            if name in PLAIN:
                text, roughness, metallic = PLAIN[name]
                shader.inputs["Base Color"].default_value = colour(text)
                shader.inputs["Roughness"].default_value = roughness
                shader.inputs["Metallic"].default_value = metallic
            else:
                shader.inputs["Roughness"].default_value = 0.75
                tree.links.new(self._pattern(tree, *PATTERNED[name]), shader.inputs["Base Color"])
            self._made[name] = material
        return self._made[name]

    def _pattern(self, tree, first, second, kind, scale):
        place, texture = tree.nodes.new("ShaderNodeTexCoord"), tree.nodes.new(kind)
        texture.inputs["Scale"].default_value = scale
        tree.links.new(place.outputs["Object"], texture.inputs["Vector"])
        if kind == "ShaderNodeTexChecker":
            texture.inputs["Color1"].default_value = colour(first)
            texture.inputs["Color2"].default_value = colour(second)
            return texture.outputs["Color"]
        if kind == "ShaderNodeTexWave":
            texture.inputs["Distortion"].default_value = 5.0
        ramp = tree.nodes.new("ShaderNodeValToRGB")
        ramp.color_ramp.elements[0].color, ramp.color_ramp.elements[0].position = colour(first), 0.35
        ramp.color_ramp.elements[1].color, ramp.color_ramp.elements[1].position = colour(second), 0.65
        tree.links.new(texture.outputs[0], ramp.inputs[0])
        return ramp.outputs[0]


class Workshop:
    """Puts primitives into the scene; lengths are whole, not half. (bpy.ops takes seconds for as much.)"""

    def __init__(self):
        self._materials = Palette()

    def box(self, material, size, at, turn=0.0, bevel=0.0):
        """size: along x, y, z.  turn: radians about z.  bevel: of its edges."""
        form = bmesh.new()
        bmesh.ops.create_cube(form, size=1, matrix=Matrix.Diagonal((*size, 1)))
        if bevel:
            bmesh.ops.bevel(
                form,
                geom=form.edges,
                offset=bevel,
                offset_type="OFFSET",
                segments=3,
                profile=0.5,
                affect="EDGES",
            )
        self._put(form, material, Matrix.Translation(at) @ Matrix.Rotation(turn, 4, "Z"))

    def rod(self, material, start, end, radius, tip=None, sides=24):
        """A cylinder between two points, or a cone that ends in another radius."""
        start, end = Vector(start), Vector(end)
        tip = radius if tip is None else tip
        form = bmesh.new()
        bmesh.ops.create_cone(
            form, cap_ends=True, segments=sides, radius1=radius, radius2=tip, depth=(end - start).length
        )
        self._put(form, material, placed((start + end) / 2, end - start))

    def ball(self, material, radius, at):
        form = bmesh.new()
        bmesh.ops.create_uvsphere(form, u_segments=32, v_segments=16, radius=radius)
        self._put(form, material, Matrix.Translation(at))

    def ring(self, material, radius, thickness, at, axis, sides=48):
        """thickness: of the ring itself.  axis: what it goes round."""
        form = bmesh.new()
        outward = Matrix.Translation((radius, 0, 0)) @ Matrix.Rotation(math.pi / 2, 4, "X")
        bmesh.ops.create_circle(form, segments=10, radius=thickness / 2, matrix=outward)
        bmesh.ops.spin(
            form, geom=form.edges[:], cent=(0, 0, 0), axis=(0, 0, 1), angle=2 * math.pi, steps=sides
        )
        bmesh.ops.remove_doubles(form, verts=form.verts, dist=1e-5)
        bmesh.ops.recalc_face_normals(form, faces=form.faces)
        self._put(form, material, placed(Vector(at), Vector(axis)))

    def flag(self, material, left, right, down):
        """A triangle that hangs between two points."""
        form = bmesh.new()
        form.faces.new(
            [form.verts.new(at) for at in (left, right, (left + right) / 2 - Vector((0, 0, down)))]
        )
        self._put(form, material, Matrix.Identity(4))

    def _put(self, form, material, place):
        mesh = bpy.data.meshes.new(material)
        form.to_mesh(mesh)
        form.free()
        mesh.materials.append(self._materials[material])
        mesh.shade_smooth()
        mesh.set_sharp_from_angle(angle=math.radians(50))
        thing = bpy.data.objects.new(material, mesh)
        thing.matrix_world = place
        bpy.context.collection.objects.link(thing)


def placed(at, axis):
    """What moves a thing there and turns its z axis that way."""
    return Matrix.Translation(at) @ Vector((0, 0, 1)).rotation_difference(axis).to_matrix().to_4x4()


def build(shop):
    """Everything but lamps and cameras."""
    ground(shop)
    engine(shop)
    for x in (-0.36, 0.0, 0.36):
        for y in (-0.2, 0.2):
            wheel(shop, x, y)
    for y in (-0.245, 0.245):
        shop.box("steel", (0.78, 0.02, 0.035), (0.0, y, 0.235))
    wagon(shop)
    flags(shop)
    signal(shop, (0.72, 0.66))
    for x, y, size in ((-0.75, 0.62, 1.0), (-0.5, 0.8, 0.7), (0.1, 0.88, 0.85)):
        tree(shop, x, y, size)


def ground(shop):
    """The turntable with its chequered edge, rails on sleepers, a fence."""
    shop.rod("wood", (0, 0, 0), (0, 0, 0.06), 1.15, sides=96)
    shop.rod("grass", (0, 0, 0.06), (0, 0, 0.075), 1.08, sides=96)
    for number in range(60):
        turn = 2 * math.pi * number / 60
        at = (1.15 * math.cos(turn), 1.15 * math.sin(turn), 0.03)
        shop.box("cream" if number % 2 else "blue", (0.03, 0.1, 0.05), at, turn)
    for number in range(17):
        shop.box("dark wood", (0.06, 0.56, 0.03), (-0.96 + 0.12 * number, 0, 0.085), bevel=0.005)
    for y in (-0.2, 0.2):
        shop.box("steel", (2.0, 0.03, 0.03), (0, y, 0.115))
    before = None
    for number in range(15):
        turn = math.radians(205 + 9 * number)
        x, y = 0.98 * math.cos(turn), 0.98 * math.sin(turn)
        shop.rod("white", (x, y, 0.07), (x, y, 0.22), 0.013, sides=8)
        shop.rod("white", (x, y, 0.22), (x, y, 0.245), 0.013, 0.0, sides=8)
        if before is not None:
            for z in (0.13, 0.19):
                shop.rod("white", (*before, z), (x, y, z), 0.007, sides=8)
        before = (x, y)


def engine(shop):
    """Frame, boiler, chimney, dome, cab, buffers, cow-catcher, smoke."""
    shop.box("red", (1.12, 0.3, 0.07), (0, 0, 0.29), bevel=0.015)
    shop.rod("green", (-0.12, 0, 0.5), (0.42, 0, 0.5), 0.175, sides=64)
    shop.rod("black", (0.42, 0, 0.5), (0.56, 0, 0.5), 0.18, sides=64)
    shop.rod("brass", (0.56, 0, 0.5), (0.575, 0, 0.5), 0.12, sides=48)
    shop.rod("red", (0.575, 0, 0.5), (0.59, 0, 0.5), 0.05, sides=32)
    for x in (-0.08, 0.1, 0.28):
        shop.ring("brass", 0.177, 0.018, (x, 0, 0.5), (1, 0, 0))
    shop.rod("black", (0.47, 0, 0.64), (0.47, 0, 0.84), 0.045, 0.065)
    shop.ring("brass", 0.066, 0.03, (0.47, 0, 0.845), (0, 0, 1))
    shop.rod("brass", (0.2, 0, 0.62), (0.2, 0, 0.71), 0.07, 0.06)
    shop.ball("brass", 0.062, (0.2, 0, 0.71))
    shop.rod("steel", (0.04, 0, 0.66), (0.04, 0, 0.75), 0.012)
    shop.ball("brass", 0.024, (0.04, 0, 0.76))
    shop.ball("yellow", 0.05, (0.6, 0, 0.72))  # the lamp, and what holds it
    shop.rod("black", (0.55, 0, 0.62), (0.6, 0, 0.7), 0.015)
    cab(shop)
    shop.box("red", (0.04, 0.44, 0.09), (0.57, 0, 0.28))
    for y in (-0.15, 0.15):
        shop.rod("steel", (0.58, y, 0.29), (0.65, y, 0.29), 0.018)
        shop.rod("black", (0.65, y, 0.29), (0.665, y, 0.29), 0.045)
    for number in range(9):
        y = -0.2 + 0.05 * number
        reach = 0.86 - 0.9 * abs(y)
        shop.rod("brass", (0.6, y, 0.245), (reach, y * 0.8, 0.135), 0.009, sides=8)
    for x, y, z, size in ((0.44, 0.02, 0.97, 0.07), (0.36, -0.03, 1.1, 0.095), (0.24, 0.02, 1.25, 0.125)):
        shop.ball("white", size, (x, y, z))
    shop.rod("steel", (0.47, 0, 0.85), (0.24, 0.02, 1.25), 0.006, sides=8)


def cab(shop):
    """Open at the back, with windows on either side and a roof."""
    shop.box("blue", (0.02, 0.36, 0.42), (-0.13, 0, 0.53))
    for y in (-0.18, 0.18):
        shop.box("blue", (0.34, 0.02, 0.2), (-0.3, y, 0.42))
        shop.box("blue", (0.34, 0.02, 0.05), (-0.3, y, 0.715))
        for x in (-0.46, -0.3, -0.14):
            shop.box("blue", (0.03, 0.024, 0.3), (x, y, 0.58))
        shop.box("brass", (0.3, 0.006, 0.012), (-0.3, y * 1.07, 0.46))
        shop.box("brass", (0.3, 0.006, 0.012), (-0.3, y * 1.07, 0.38))
    shop.box("red", (0.42, 0.44, 0.03), (-0.3, 0, 0.755), bevel=0.012)
    shop.box("checks", (0.3, 0.24, 0.02), (-0.3, 0, 0.778))
    shop.rod("orange", (-0.34, 0.02, 0.32), (-0.34, 0.02, 0.52), 0.07, 0.05)  # the driver
    shop.ball("cream", 0.055, (-0.34, 0.02, 0.58))
    shop.rod("black", (-0.34, 0.02, 0.62), (-0.34, 0.02, 0.66), 0.05)


def wheel(shop, x, y):
    """Rim, hub and eight spokes."""
    shop.ring("red", 0.115, 0.03, (x, y, 0.245), (0, 1, 0))
    outer = math.copysign(0.025, y)
    shop.rod("brass", (x, y - outer, 0.245), (x, y + outer, 0.245), 0.03)
    for number in range(8):
        turn = math.pi * number / 4 + 0.2
        rim = (x + 0.11 * math.cos(turn), y, 0.245 + 0.11 * math.sin(turn))
        shop.rod("red", (x, y, 0.245), rim, 0.008, sides=8)


def wagon(shop):
    """Behind the engine, full of balls."""
    shop.rod("steel", (-0.56, 0, 0.29), (-0.62, 0, 0.29), 0.015)
    shop.box("yellow", (0.38, 0.36, 0.03), (-0.81, 0, 0.27))
    for y in (-0.17, 0.17):
        shop.box("yellow", (0.38, 0.02, 0.15), (-0.81, y, 0.35))
        for number in range(5):
            shop.box("dark wood", (0.02, 0.03, 0.17), (-0.97 + 0.08 * number, y, 0.35))
    for x in (-0.99, -0.63):
        shop.box("yellow", (0.02, 0.36, 0.15), (x, 0, 0.35))
    draw = random.Random(4)
    colours = ("red", "teal", "pink", "violet", "orange", "cream", "blue", "green")
    for number in range(36):
        level, place = divmod(number, 20)
        row, column = divmod(place, 5) if level == 0 else divmod(place, 4)
        x = -0.945 + 0.068 * column + 0.034 * level + draw.uniform(-0.008, 0.008)
        y = -0.11 + 0.072 * row + draw.uniform(-0.008, 0.008)
        shop.ball(colours[draw.randrange(len(colours))], 0.042, (x, y, 0.39 + 0.055 * level))
    for x in (-0.93, -0.69):
        for y in (-0.2, 0.2):
            shop.ring("black", 0.07, 0.03, (x, y, 0.2), (0, 1, 0))
            shop.rod("brass", (x, y * 0.9, 0.2), (x, y * 1.1, 0.2), 0.025)
            for turn in (0.3, 0.3 + math.pi / 2):
                across = Vector((math.cos(turn), 0, math.sin(turn))) * 0.065
                at = Vector((x, y, 0.2))
                shop.rod("black", at - across, at + across, 0.01, sides=8)


def flags(shop):
    """A string of flags between two posts, over the train."""
    first, last = Vector((-0.98, -0.42, 0.95)), Vector((0.88, -0.55, 0.95))
    for top in (first, last):
        shop.rod("cream", (top.x, top.y, 0.07), top, 0.016, sides=12)
        shop.ball("red", 0.03, top)
    count = 14
    line = []
    for number in range(count + 1):
        share = number / count
        line.append(first.lerp(last, share) - Vector((0, 0, 0.55 * share * (1 - share))))
    colours = ("red", "yellow", "teal", "violet", "white", "orange", "pink")
    for number in range(count):
        shop.rod("dark wood", line[number], line[number + 1], 0.006, sides=8)
        if 0 < number < count - 1:
            left, right = line[number].lerp(line[number + 1], 0.12), line[number].lerp(line[number + 1], 0.88)
            shop.flag(colours[number % len(colours)], left, right, 0.13)


def signal(shop, place):
    """A striped mast with an arm and two lamps."""
    x, y = place
    for number in range(8):
        z = 0.07 + 0.1 * number
        shop.rod("red" if number % 2 else "white", (x, y, z), (x, y, z + 0.1), 0.022, sides=16)
    shop.box("red", (0.26, 0.015, 0.06), (x - 0.12, y - 0.03, 0.8))
    shop.box("white", (0.04, 0.017, 0.06), (x - 0.19, y - 0.03, 0.8))
    shop.box("black", (0.06, 0.05, 0.15), (x + 0.03, y, 0.62), bevel=0.01)
    shop.ball("orange", 0.022, (x + 0.03, y - 0.03, 0.66))
    shop.ball("teal", 0.022, (x + 0.03, y - 0.03, 0.59))


def tree(shop, x, y, size):
    """Three cones on a trunk."""
    shop.rod("dark wood", (x, y, 0.07), (x, y, 0.07 + 0.15 * size), 0.03 * size)
    for number, radius in enumerate((0.2, 0.155, 0.11)):
        low = 0.07 + (0.12 + 0.14 * number) * size
        shop.rod("pine", (x, y, low), (x, y, low + 0.24 * size), radius * size, 0.0, sides=20)


def light(scene):
    """An even sky, a sun, and a large lamp from the other side."""
    scene.world = bpy.data.worlds.new("Sky")
    if scene.world.node_tree is None:
        scene.world.use_nodes = True
    sky = next(node for node in scene.world.node_tree.nodes if node.type == "BACKGROUND")
    sky.inputs["Color"].default_value = (0.82, 0.9, 1.0, 1.0)
    sky.inputs["Strength"].default_value = 0.75
    sun = bpy.data.lights.new("Sun", "SUN")
    sun.energy, sun.angle, sun.color = 2.4, math.radians(6), (1.0, 0.95, 0.86)
    hung = bpy.data.objects.new("Sun", sun)
    hung.rotation_euler = (math.radians(38), math.radians(8), math.radians(-35))
    scene.collection.objects.link(hung)
    lamp = bpy.data.lights.new("Lamp", "AREA")
    lamp.energy, lamp.size, lamp.color = 60.0, 2.0, (0.9, 0.95, 1.0)
    hung = bpy.data.objects.new("Lamp", lamp)
    hung.location = (-2.2, 2.6, 2.4)
    hung.rotation_euler = (MIDDLE - hung.location).to_track_quat("-Z", "Y").to_euler()
    scene.collection.objects.link(hung)


def poses(count, first):
    """World from camera, evenly spread over a dome. first: 0..1, where the spiral begins."""
    golden = math.pi * (3 - math.sqrt(5))
    low, high = math.sin(math.radians(LOWEST)), math.sin(math.radians(HIGHEST))
    found = []
    for number in range(count):
        height = low + (high - low) * (number + 0.5) / count
        turn = golden * number + 2 * math.pi * first
        flat = math.sqrt(1 - height**2)
        away = Vector((flat * math.cos(turn), flat * math.sin(turn), height))
        turned = away.to_track_quat("Z", "Y").to_matrix().to_4x4()
        found.append(Matrix.Translation(MIDDLE + DISTANCE * away) @ turned)
    return found


def set_up(scene, options):
    """Cycles on the CPU, transparent, sRGB without any look."""
    render, image, view = scene.render, scene.render.image_settings, scene.view_settings
    render.engine = "CYCLES"
    cycles = scene.cycles
    cycles.device, cycles.samples = "CPU", options.samples
    cycles.use_adaptive_sampling, cycles.use_denoising = False, True
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 4, 2, 3
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 3.0
    render.threads_mode, render.threads = "FIXED", options.threads
    render.use_persistent_data = True
    render.film_transparent, render.dither_intensity = True, 0.0
    render.resolution_x = render.resolution_y = options.side
    render.resolution_percentage = 100
    if hasattr(image, "media_type"):
        image.media_type = "IMAGE"
    image.file_format, image.color_mode, image.color_depth = "PNG", "RGBA", "8"
    view.view_transform, view.look = "Standard", "None"


def main():
    """Builds, renders, writes."""
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--side", type=int, default=400, help="pixels")
    parser.add_argument("--samples", type=int, default=8, help="of a pixel, before the noise is taken out")
    parser.add_argument("--train", type=int, default=100, help="pictures to learn from")
    parser.add_argument("--test", type=int, default=25, help="pictures to be held out")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(words)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    build(Workshop())
    light(scene)
    set_up(scene, options)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.sensor_fit, camera.data.angle = "HORIZONTAL", ANGLE
    scene.collection.objects.link(camera)
    scene.camera = camera
    for split, count, first, seed in (("train", options.train, 0.0, 0), ("test", options.test, 0.31, 1000)):
        rows = []
        for number, pose in enumerate(poses(count, first)):
            camera.matrix_world = pose
            scene.cycles.seed = seed + number
            scene.render.filepath = str(options.out / split / f"r_{number:03d}.png")
            bpy.ops.render.render(write_still=True)
            rows.append(
                {"file_path": f"./{split}/r_{number:03d}", "transform_matrix": [list(row) for row in pose]}
            )
        fields = {"camera_angle_x": ANGLE, "frames": rows}
        (options.out / f"transforms_{split}.json").write_text(json.dumps(fields), encoding="utf-8")


if __name__ == "__main__":
    main()
