"""Pieces that the panels share: sentences in rows, and a job that runs."""

import bpy

from . import props, thumbnails

LINE = 36  # characters of a sentence in one row of a sidebar of usual width
COUNTED = frozenset({"rendering views", "reading pictures", "reading cameras"})
"""stages here whose steps mean something to the artist"""
FINAL = frozenset({"succeeded", "failed", "cancelled"})
THUMBNAIL = 9.0  # of an icon's usual side


def sentence(layout: bpy.types.UILayout, text: str, icon: str = "NONE") -> None:
    """A sentence in as many rows as it needs."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    line = ""
    for word in [*text.split(), ""]:
        if word and len(line) + 1 + len(word) <= LINE:
            line = f"{line} {word}".strip()
            continue
        if line:
            column.label(text=line, icon=icon)
            icon = "BLANK1" if icon != "NONE" else "NONE"
        line = word


def running(layout: bpy.types.UILayout, live: props.MAQUETTE_PG_live) -> None:
    """The jobs that are not over."""
    for row in live.jobs:
        if row.state not in FINAL:
            _running(layout, row)


def _running(layout: bpy.types.UILayout, row: props.MAQUETTE_PG_job) -> None:
    """What it is, what it shows, how far it is, and how to end it."""
    box = layout.box()
    box.label(text=f"{row.label}: {row.prompt}")
    icon = thumbnails.icon_of(row.request_id)
    if icon:
        box.template_icon(icon_value=icon, scale=THUMBNAIL)
    line = box.row(align=True)
    factor = row.step / row.total if row.total > 0 else 0.0
    line.progress(factor=factor, type="BAR", text=progress_text(row))
    line.operator("maquette.stop", text="", icon="CHECKMARK").request_id = row.request_id
    line.operator("maquette.cancel", text="", icon="X").request_id = row.request_id


def task(layout: bpy.types.UILayout, live: props.MAQUETTE_PG_live) -> None:
    """How far the import or export is, or what came of it."""
    if live.task:
        line = layout.row(align=True)
        line.progress(factor=live.task_done, type="BAR", text=live.task)
        line.operator("maquette.task_cancel", text="", icon="X")
    elif live.told:
        sentence(layout, live.told, "INFO")


def progress_text(row: props.MAQUETTE_PG_job) -> str:
    """What the bar says, such as `Step 12/300 - 1:05 left`."""
    counted = row.state == "running" or (row.state == "sending" and row.stage in COUNTED)
    if not counted or row.total <= 0:
        return (row.stage if row.stage and row.state in {"running", "sending"} else row.state).capitalize()
    text = f"{row.stage.capitalize() or 'Step'} {row.step}/{row.total}"
    if row.seconds_left >= 0:
        minutes, seconds = divmod(round(row.seconds_left), 60)
        text += f" - {minutes}:{seconds:02d} left"
    return text
