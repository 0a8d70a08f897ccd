"""The things in the pictures: unions of primitives, y up, front along +z, sizes drawn anew for each one.

Each family has nouns and a weight; `build` gives a mesh whose vertices fill the unit ball.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray

Vector = tuple[float, float, float]
Mesh = Any  # trimesh has no types


@dataclass(frozen=True)
class Family:
    """Things that go by the same words."""

    name: str
    nouns: tuple[str, ...]
    weight: float
    make: Callable[[np.random.Generator], Mesh]

    def build(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Positions [V, 3] in the unit ball about the middle of the box, triangles [T, 3]."""
        mesh = self.make(rng)
        positions = mesh.vertices - mesh.bounds.mean(0)
        positions = positions / np.linalg.norm(positions, axis=1).max()
        return positions.astype(np.float32), mesh.faces.astype(np.int32)


def _moved(mesh: Mesh, at: Vector = (0, 0, 0), turn: tuple[float, Vector] | None = None) -> Mesh:
    if turn is not None:
        mesh.apply_transform(trimesh.transformations.rotation_matrix(math.radians(turn[0]), turn[1]))
    mesh.apply_translation(at)
    return mesh


def _upright(mesh: Mesh) -> Mesh:
    """trimesh's solids of revolution stand along z."""
    return _moved(mesh, turn=(-90, (1, 0, 0)))


def _box(x: float, y: float, z: float, at: Vector = (0, 0, 0)) -> Mesh:
    return _moved(trimesh.creation.box((x, y, z)), at)


def _ball(radius: float, at: Vector = (0, 0, 0), stretch: Vector = (1, 1, 1)) -> Mesh:
    mesh = trimesh.creation.icosphere(4, radius)
    mesh.apply_scale(stretch)
    return _moved(mesh, at)


def _pole(radius: float, height: float, at: Vector = (0, 0, 0)) -> Mesh:
    """A cylinder along y, its middle at `at`."""
    return _moved(_upright(trimesh.creation.cylinder(radius, height, sections=40)), at)


def _rod(start: Vector, end: Vector, radius: float) -> Mesh:
    return trimesh.creation.cylinder(radius, segment=np.array([start, end], float), sections=16)


def _spike(radius: float, height: float, at: Vector = (0, 0, 0)) -> Mesh:
    """A cone along y, its foot at `at`."""
    return _moved(_upright(trimesh.creation.cone(radius, height, sections=40)), at)


def _ring(radius: float, thickness: float, at: Vector = (0, 0, 0)) -> Mesh:
    """A torus in the plane z = 0."""
    return _moved(trimesh.creation.torus(radius, thickness, major_sections=56, minor_sections=24), at)


def _turned(profile: list[tuple[float, float]]) -> Mesh:
    """A profile of (radius, height) turned about y."""
    return _upright(trimesh.creation.revolve(np.array(profile), sections=48))


def _joined(*parts: Mesh) -> Mesh:
    return trimesh.util.concatenate(list(parts))


def _both(make: Callable[[float], Mesh], x: float) -> list[Mesh]:
    return [make(-x), make(x)]


def _block(rng: np.random.Generator) -> Mesh:
    return _box(*rng.uniform(0.5, 1.3, 3))


def _torus(rng: np.random.Generator) -> Mesh:
    return _moved(_ring(1, rng.uniform(0.25, 0.5)), turn=(rng.uniform(0, 90), (1, 0, 0)))


def _chair(rng: np.random.Generator) -> Mesh:
    leg, back = rng.uniform(0.08, 0.16), rng.uniform(0.8, 1.1)
    legs = [_box(leg, 0.8, leg, (x, -0.4, z)) for x in (-0.42, 0.42) for z in (-0.42, 0.42)]
    return _joined(_box(1, 0.14, 1), _box(1, back, 0.13, (0, back / 2, -0.43)), *legs)


def _table(rng: np.random.Generator) -> Mesh:
    leg = rng.uniform(0.08, 0.18)
    legs = [_box(leg, 0.8, leg, (x, 0, z)) for x in (-0.7, 0.7) for z in (-0.45, 0.45)]
    return _joined(_box(1.6, 0.14, 1.1, (0, 0.4, 0)), *legs)


def _stool(rng: np.random.Generator) -> Mesh:
    ends = [(math.cos(a), math.sin(a)) for a in np.arange(3) * 2.094 + rng.uniform(0, 2)]
    legs = [_rod((0.3 * x, 0, 0.3 * z), (0.5 * x, -1, 0.5 * z), 0.06) for x, z in ends]
    return _joined(_pole(0.5, 0.14), *legs)


def _mug(rng: np.random.Generator) -> Mesh:
    height = rng.uniform(0.9, 1.3)
    wall = _upright(trimesh.creation.annulus(0.5, 0.58, height, sections=48))
    return _joined(wall, _pole(0.55, 0.1, (0, -height / 2 + 0.05, 0)), _ring(0.33, 0.08, (0.7, 0, 0)))


def _house(rng: np.random.Generator) -> Mesh:
    wide, high = rng.uniform(0.9, 1.4), rng.uniform(0.7, 1.1)
    roof = trimesh.creation.cone(0.86 * wide, rng.uniform(0.5, 0.8), sections=4)
    roof = _moved(_upright(_moved(roof, turn=(45, (0, 0, 1)))), (0, high / 2, 0))
    return _joined(_box(wide, high, wide), roof)


def _snowman(rng: np.random.Generator) -> Mesh:
    parts = [_ball(0.6, (0, -0.6, 0)), _ball(0.43, (0, 0.2, 0)), _ball(0.28, (0, 0.78, 0))]
    return _joined(*parts, _moved(_spike(0.06, 0.3), (0, 0.78, 0.25)))


def _tree(rng: np.random.Generator) -> Mesh:
    trunk = _pole(rng.uniform(0.08, 0.2), 0.8, (0, -0.6, 0))
    if rng.random() < 0.5:
        return _joined(trunk, _spike(0.75, 1.0, (0, -0.3, 0)), _spike(0.55, 0.8, (0, 0.3, 0)))
    return _joined(trunk, _ball(0.6, (0, 0.2, 0)), _ball(0.4, (0.35, 0, 0.2)), _ball(0.4, (-0.35, 0, -0.1)))


def _mushroom(rng: np.random.Generator) -> Mesh:
    return _joined(_pole(0.22, 0.9, (0, -0.3, 0)), _ball(0.75, (0, 0.2, 0), (1, rng.uniform(0.5, 0.8), 1)))


def _vase(rng: np.random.Generator) -> Mesh:
    belly, neck = rng.uniform(0.45, 0.7), rng.uniform(0.15, 0.4)
    return _turned(
        [(0, -0.8), (0.35, -0.8), (belly, -0.2), (neck, 0.45), (0.42, 0.8), (0.36, 0.8), (0, -0.6)]
    )


def _bottle(rng: np.random.Generator) -> Mesh:
    neck, shoulder = rng.uniform(0.1, 0.17), rng.uniform(0.1, 0.4)
    return _turned([(0, -1), (0.38, -1), (0.38, shoulder), (neck, shoulder + 0.3), (neck, 1), (0, 1)])


def _tower(rng: np.random.Generator) -> Mesh:
    return _joined(_pole(0.4, 1.4, (0, -0.1, 0)), _spike(rng.uniform(0.4, 0.6), 0.7, (0, 0.6, 0)))


def _animal(rng: np.random.Generator) -> Mesh:
    leg, ear = rng.uniform(0.07, 0.14), rng.uniform(1, 2.6)
    parts = [_ball(1, (0, 0, 0), (0.45, 0.42, 0.7)), _ball(0.34, (0, 0.4, 0.65))]
    parts += [_pole(leg, 0.6, (x, -0.5, z)) for x in (-0.24, 0.24) for z in (-0.4, 0.4)]
    parts += _both(lambda x: _ball(0.12, (x, 0.72, 0.6), (1, ear, 0.6)), 0.2)
    parts.append(_ball(0.2, (0, 0.32, 0.95)))
    if rng.random() < 0.6:
        parts.append(_rod((0, 0.1, -0.6), (0, rng.uniform(-0.1, 0.5), -1.0), 0.05))
    return _joined(*parts)


def _horned(rng: np.random.Generator) -> Mesh:
    long = rng.uniform(0.2, 0.4)
    horns = _both(lambda x: _rod((x, 0.7, 0.6), (1.9 * x, 0.7 + long, 0.62), 0.045), 0.16)
    return _joined(_animal(rng), *horns)


def _doll(rng: np.random.Generator) -> Mesh:
    arm, leg, angle = rng.uniform(0.08, 0.15), rng.uniform(0.1, 0.18), rng.uniform(-0.3, 0.5)
    parts = [_ball(0.42, (0, 0.75, 0)), _ball(1, (0, 0, 0), (0.45, 0.55, 0.4))]
    parts += _both(lambda x: _pole(leg, 0.7, (x, -0.75, 0)), 0.2)
    parts += _both(lambda x: _rod((x, 0.25, 0), (2.2 * x, 0.25 + angle, 0.05), arm), 0.36)
    parts += _both(lambda x: _ball(0.15, (x, 1.1, 0)), 0.3)
    return _joined(*parts)


def _figure(rng: np.random.Generator) -> Mesh:
    thick, spread = rng.uniform(0.05, 0.11), rng.uniform(0.15, 0.4)
    parts = [_ball(0.2, (0, 0.85, 0)), _pole(0.18, 0.7, (0, 0.3, 0))]
    parts += _both(lambda x: _rod((x / 2, 0, 0), (x, -0.9, 0.05), thick), spread)
    parts += _both(lambda x: _rod((x / 3, 0.55, 0), (x, rng.uniform(-0.1, 0.9), 0), thick), 0.7)
    return _joined(*parts)


def _car(rng: np.random.Generator) -> Mesh:
    wheels = [
        _moved(_moved(trimesh.creation.cylinder(0.22, 0.16, sections=32), turn=(90, (0, 1, 0))), (x, -0.2, z))
        for x in (-0.4, 0.4)
        for z in (-0.5, 0.5)
    ]
    cabin = _box(0.7, rng.uniform(0.25, 0.4), rng.uniform(0.7, 1.0), (0, 0.32, rng.uniform(-0.3, 0)))
    return _joined(_box(0.8, 0.35, 1.7), cabin, *wheels)


def _fish(rng: np.random.Generator) -> Mesh:
    tail = _moved(trimesh.creation.cone(0.3, 0.5, sections=24), (0, 0, -1.15))
    tail.apply_scale((0.25, 1, 1))
    body = _ball(1, (0, 0, 0), (rng.uniform(0.25, 0.4), 0.45, 0.8))
    fin = _moved(_spike(0.22, 0.4), (0, 0.35, 0))
    fin.apply_scale((0.3, 1, 1))
    return _joined(body, tail, fin)


def _bird(rng: np.random.Generator) -> Mesh:
    wings = _both(lambda x: _ball(1, (x, 0.1, -0.05), (0.5, 0.06, 0.25)), 0.6)
    parts = [_ball(1, (0, 0, 0), (0.3, 0.3, 0.55)), _ball(0.22, (0, 0.3, 0.5)), *wings]
    parts.append(_moved(trimesh.creation.cone(0.08, 0.25, sections=16), (0, 0.3, 0.68)))
    parts += _both(lambda x: _rod((x, -0.2, 0), (x, -0.6, 0), 0.04), 0.12)
    return _joined(*parts)


def _spider(rng: np.random.Generator) -> Mesh:
    legs = []
    for angle in np.linspace(0.3, 2.84, 4):
        for side in (-1, 1):
            x, z = side * math.sin(angle), math.cos(angle)
            legs.append(_rod((0.2 * x, 0, 0.2 * z), (0.65 * x, 0.4, 0.65 * z), 0.05))
            legs.append(_rod((0.65 * x, 0.4, 0.65 * z), (x, -0.35, z), 0.04))
    return _joined(_ball(0.35, (0, 0, -0.3)), _ball(0.25, (0, 0, 0.2)), *legs)


def _lamp(rng: np.random.Generator) -> Mesh:
    shade = _turned([(0.5, 0.3), (rng.uniform(0.2, 0.4), 0.9), (0, 0.9), (0, 0.85)])
    return _joined(shade, _pole(0.05, 1.3, (0, -0.2, 0)), _pole(0.35, 0.08, (0, -0.85, 0)))


def _ladder(rng: np.random.Generator) -> Mesh:
    rungs = [_rod((-0.3, y, 0), (0.3, y, 0), 0.04) for y in np.linspace(-0.8, 0.8, 6)]
    return _joined(*_both(lambda x: _box(0.09, 2, 0.09, (x, 0, 0)), 0.3), *rungs)


def _wheel(rng: np.random.Generator) -> Mesh:
    spokes = [_rod((0, 0, 0), (math.cos(a), math.sin(a), 0), 0.04) for a in np.arange(8) * math.pi / 4]
    return _joined(_ring(1, rng.uniform(0.08, 0.15)), _ball(0.15), *spokes)


def _bicycle(rng: np.random.Generator) -> Mesh:
    wheels = [_moved(_moved(_ring(0.45, 0.06), turn=(90, (0, 1, 0))), (0, -0.3, z)) for z in (-0.6, 0.6)]
    joints: list[tuple[Vector, Vector]] = [
        ((0, -0.3, -0.6), (0, 0.3, -0.3)),
        ((0, 0.3, -0.3), (0, 0.3, 0.45)),
        ((0, -0.3, -0.1), (0, 0.3, 0.45)),
        ((0, -0.3, -0.1), (0, 0.4, -0.32)),
        ((0, -0.3, 0.6), (0, 0.5, 0.42)),
        ((-0.3, 0.5, 0.42), (0.3, 0.5, 0.42)),
    ]
    return _joined(*wheels, *[_rod(a, b, 0.05) for a, b in joints], _box(0.14, 0.08, 0.3, (0, 0.42, -0.33)))


def _flower(rng: np.random.Generator) -> Mesh:
    count = rng.integers(5, 9)
    petals = [
        _ball(0.22, (0.38 * math.cos(a), 0.7 + 0.38 * math.sin(a), 0.05), (1, 1, 0.4))
        for a in np.arange(count) * 2 * math.pi / count
    ]
    return _joined(_ball(0.22, (0, 0.7, 0.05)), _pole(0.05, 1.5, (0, -0.1, 0)), *petals)


def _cactus(rng: np.random.Generator) -> Mesh:
    height = rng.uniform(0.1, 0.5)
    arms = [
        _rod((0, height, 0), (0.5, height, 0), 0.13),
        _rod((0.5, height, 0), (0.5, height + 0.5, 0), 0.13),
    ]
    arms += [_rod((0, -0.1, 0), (-0.5, -0.1, 0), 0.13), _rod((-0.5, -0.1, 0), (-0.5, 0.4, 0), 0.13)]
    return _joined(_pole(0.22, 1.8), _ball(0.22, (0, 0.9, 0)), *arms)


def _umbrella(rng: np.random.Generator) -> Mesh:
    return _joined(_turned([(1, 0.3), (0.8, 0.6), (0.4, 0.85), (0, 0.95), (0, 0.9)]), _pole(0.05, 1.7))


def _sword(rng: np.random.Generator) -> Mesh:
    blade = rng.uniform(0.12, 0.22)
    return _joined(
        _box(blade, 1.5, 0.06, (0, 0.25, 0)),
        _box(0.6, 0.1, 0.12, (0, -0.5, 0)),
        _pole(0.07, 0.5, (0, -0.75, 0)),
    )


def _guitar(rng: np.random.Generator) -> Mesh:
    body = [_ball(0.5, (0, -0.6, 0), (1, 1, 0.3)), _ball(0.38, (0, -0.1, 0), (1, 1, 0.3))]
    return _joined(*body, _box(0.12, 1.1, 0.1, (0, 0.6, 0)), _box(0.22, 0.25, 0.1, (0, 1.2, 0)))


def _teapot(rng: np.random.Generator) -> Mesh:
    parts = [_ball(0.6, (0, 0, 0), (1, 0.8, 1)), _ball(0.1, (0, 0.55, 0)), _ring(0.3, 0.06, (-0.65, 0.05, 0))]
    return _joined(*parts, _rod((0.45, -0.05, 0), (1.0, 0.4, 0), 0.1))


def _bowl(rng: np.random.Generator) -> Mesh:
    return _turned([(0, -0.5), (0.4, -0.5), (0.8, -0.1), (1, 0.4), (0.93, 0.4), (0.7, 0), (0, -0.35)])


def _apple(rng: np.random.Generator) -> Mesh:
    return _joined(
        _ball(0.7, (0, 0, 0), (1, rng.uniform(0.85, 1.05), 1)), _rod((0, 0.6, 0), (0.1, 0.95, 0), 0.04)
    )


def _boat(rng: np.random.Generator) -> Mesh:
    hull = _turned([(0, -0.35), (0.2, -0.33), (0.33, -0.2), (0.4, 0), (0, 0)])
    hull.apply_scale((1, 1, 2.4))
    sail = _box(0.04, 0.8, 0.5, (0, 0.6, 0.1))
    return _joined(hull, _pole(0.04, 1.2, (0, 0.5, -0.15)), sail)


def _hand(rng: np.random.Generator) -> Mesh:
    fingers = [_rod((x, 0.2, 0), (1.5 * x, rng.uniform(0.7, 1), 0), 0.08) for x in (-0.3, -0.1, 0.1, 0.3)]
    return _joined(_box(0.8, 0.8, 0.22, (0, -0.1, 0)), _rod((0.3, -0.2, 0), (0.75, 0.2, 0), 0.09), *fingers)


def _union(rng: np.random.Generator) -> Mesh:
    parts = []
    for _ in range(rng.integers(2, 6)):
        at = tuple(rng.uniform(-0.6, 0.6, 3))
        kind = rng.integers(5)
        if kind == 0:
            x, y, z = rng.uniform(0.3, 1, 3)
            parts.append(_box(x, y, z, at))
        elif kind == 1:
            parts.append(_ball(rng.uniform(0.3, 0.6), at))
        elif kind == 2:
            parts.append(_pole(rng.uniform(0.1, 0.4), rng.uniform(0.4, 1.2), at))
        elif kind == 3:
            parts.append(_spike(rng.uniform(0.3, 0.6), rng.uniform(0.5, 1), at))
        else:
            parts.append(_rod(at, tuple(rng.uniform(-0.9, 0.9, 3)), rng.uniform(0.05, 0.15)))
    return _joined(*parts)


FAMILIES: tuple[Family, ...] = (
    Family("ball", ("ball", "sphere"), 4, lambda rng: _ball(1)),
    Family("cube", ("cube", "box"), 4, lambda rng: _box(1, 1, 1)),
    Family("block", ("block", "box"), 1.5, _block),
    Family("cylinder", ("cylinder", "can"), 1.5, lambda rng: _pole(0.5, rng.uniform(0.9, 1.5))),
    Family("torus", ("torus", "ring", "donut"), 1, _torus),
    Family("cone", ("cone",), 0.7, lambda rng: _spike(0.7, rng.uniform(1, 1.8))),
    Family("pyramid", ("pyramid",), 0.5, lambda rng: _upright(trimesh.creation.cone(0.9, 1.1, sections=4))),
    Family(
        "capsule",
        ("capsule", "pill"),
        0.7,
        lambda rng: _upright(trimesh.creation.capsule(rng.uniform(0.6, 1.2), 0.45)),
    ),
    Family("gem", ("gem", "diamond"), 0.5, lambda rng: trimesh.creation.icosahedron()),
    Family("egg", ("egg",), 1, lambda rng: _ball(1, (0, 0, 0), (0.75, 1, 0.75))),
    Family("chair", ("chair",), 1, _chair),
    Family("table", ("table", "desk"), 1, _table),
    Family("stool", ("stool",), 0.5, _stool),
    Family("mug", ("mug", "cup"), 1.2, _mug),
    Family("house", ("house", "hut"), 1.2, _house),
    Family("snowman", ("snowman",), 0.7, _snowman),
    Family("tree", ("tree",), 1, _tree),
    Family("mushroom", ("mushroom",), 0.7, _mushroom),
    Family("vase", ("vase", "pot", "jar"), 1, _vase),
    Family("bottle", ("bottle",), 0.7, _bottle),
    Family("tower", ("tower", "rocket"), 0.8, _tower),
    Family("animal", ("animal", "dog", "cat", "bunny", "pig", "bear", "horse", "rabbit"), 2.5, _animal),
    Family("cow", ("cow", "bull", "animal"), 1, _horned),
    Family("teddy", ("teddy bear", "teddy", "toy", "robot", "doll", "monkey"), 2.5, _doll),
    Family("figure", ("figure", "man", "person", "statue"), 1, _figure),
    Family("car", ("car", "truck"), 1.2, _car),
    Family("fish", ("fish",), 1, _fish),
    Family("bird", ("bird",), 0.7, _bird),
    Family("spider", ("spider", "insect"), 0.7, _spider),
    Family("lamp", ("lamp",), 0.7, _lamp),
    Family("ladder", ("ladder",), 0.4, _ladder),
    Family("wheel", ("wheel",), 0.5, _wheel),
    Family("bicycle", ("bicycle", "bike"), 0.5, _bicycle),
    Family("flower", ("flower",), 0.6, _flower),
    Family("cactus", ("cactus",), 0.5, _cactus),
    Family("umbrella", ("umbrella",), 0.5, _umbrella),
    Family("sword", ("sword",), 0.4, _sword),
    Family("guitar", ("guitar",), 0.5, _guitar),
    Family("teapot", ("teapot",), 0.8, _teapot),
    Family("bowl", ("bowl",), 0.6, _bowl),
    Family("apple", ("apple",), 0.7, _apple),
    Family("boat", ("boat", "ship"), 0.6, _boat),
    Family("hand", ("hand",), 0.4, _hand),
    Family("object", ("object", "thing", "shape"), 4, _union),
)
