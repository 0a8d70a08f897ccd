"""Weights that a method uses where they are configured: those of metrics, which the user brings."""

from typing import Any

from maquette_wire.errors import UserError

from . import base

_CALLED = {"lpips": "LPIPS", "clip": "CLIP"}


def find(ctx: base.RunContext, kind: str, wish: str = "auto") -> tuple[Any | None, str]:
    """The weights of a kind, or None and why not.  wish: "auto", "on" or "off".

    Raises UserError `lpips.missing` or `clip.missing` when they were asked for by "on" and are not there.
    """
    if wish == "off":
        return None, f"{_CALLED[kind]} was not asked for"
    missing = f"{kind}.missing"
    try:
        return ctx.model(kind), ""
    except UserError as error:
        if error.code not in ("model.not_found", missing):
            raise
        why = error.sentence if error.code == missing else f"No weights for {_CALLED[kind]} are configured."
        if wish == "on":
            hint = f"Name their folder with: maquette models {kind} FOLDER"
            raise UserError(missing, why, hint=hint) from error
        if error.code == missing:
            ctx.warn(missing, why)
        return None, why
