"""What all methods have in the panel: settings, model, seed, what is folded away, and the button."""

from typing import Any

import bpy

from . import model_menu, props

SHORT = 28  # characters of a prompt on a button


def draw(
    layout: bpy.types.UILayout, live: props.MAQUETTE_PG_live, settings: props.MAQUETTE_PG_scene, method: Any
) -> None:
    """method: a module of `methods`, whose settings have its name."""
    chosen = getattr(settings, method.NAME)
    method.draw(layout, chosen)
    if settings.mode in props.MODELS:
        model_menu.draw(layout, live, settings)
    layout.prop(settings, "seed")
    header, body = layout.panel(f"maquette_{method.NAME}_advanced", default_closed=True)
    header.label(text="Advanced")
    if body is not None:
        method.draw_advanced(body, chosen)


def button(layout: bpy.types.UILayout, operator: str, text: str, icon: str) -> Any:
    """The big one; what is returned takes the operator's options."""
    row = layout.row()
    row.scale_y = 1.6
    return row.operator(operator, text=text, icon=icon)


def quoted(verb: str, prompt: str, otherwise: str) -> str:
    """What a button does, with its prompt."""
    prompt = prompt.strip()
    short = prompt if len(prompt) <= SHORT else f"{prompt[: SHORT - 1]}…"
    return f"{verb} “{short}”" if prompt else otherwise
