"""Material slots of an object: taken over in the object's own link, remembered, and given back.

The mesh's own materials stay as they are. `rows` is a collection of MAQUETTE_PG_slot on the object.
"""

from typing import Any

import bpy

ADDED = "ADDED"
"""`link` of a row whose slot was not there before"""


def take(
    thing: bpy.types.Object, material: bpy.types.Material, slots: tuple[int, ...], rows: Any, mark: str
) -> None:
    """Shows the material in those slots (all when empty); `rows` remembers what was there.

    A slot that shows a material with the custom property `mark` is ours already: its row still says what was
    there before.
    """
    if not thing.material_slots:
        thing.data.materials.append(None)
        row = rows.add()
        row.index, row.link = 0, ADDED
    known = {row.index: row for row in rows}
    for index in slots or range(len(thing.material_slots)):
        slot = thing.material_slots[index]
        ours = slot.material is not None and mark in slot.material
        row = known.get(index)
        if row is None or not (ours or row.link == ADDED):
            row = row or rows.add()
            row.index, row.link = index, slot.link
            row.material = slot.material if slot.link == "OBJECT" else None
        slot.link = "OBJECT"
        slot.material = material


def shown(thing: bpy.types.Object, slots: tuple[int, ...]) -> list[bpy.types.Material]:
    """The materials that those slots (all when empty) show."""
    there = list(enumerate(thing.material_slots))
    return [slot.material for index, slot in there if slot.material and (not slots or index in slots)]


def give_back(thing: bpy.types.Object, rows: Any) -> int:
    """Puts back what the slots showed and forgets the rows; returns how many slots."""
    count = 0
    for row in rows:
        if row.index >= len(thing.material_slots):
            continue  # removed by the artist since
        slot = thing.material_slots[row.index]
        slot.link = "OBJECT"
        slot.material = row.material if row.link == "OBJECT" else None
        slot.link = "DATA" if row.link == ADDED else row.link
        if row.link == ADDED and slot.material is None and len(thing.data.materials) == 1:
            thing.data.materials.clear()
        count += 1
    rows.clear()
    return count
