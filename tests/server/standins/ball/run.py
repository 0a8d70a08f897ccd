"""See the head. The field is opaque and of one colour everywhere; rays skip what is no ball."""

import time

import numpy as np
import safetensors.torch
import torch
from maquette_server.fields import grid, hash_grid
from maquette_server.fields.domain import Domain
from maquette_server.methods import base
from maquette_server.scenes import folder

from . import CELLS, CENTRE, HALF, RADIUS

SETTINGS = grid.Settings(hash_grid.Settings(levels=1, features=2, log2_rows=12, coarsest=8), smooth=False)


def run(ctx: base.RunContext) -> base.Run:
    """Waits, with a green ball to look at."""
    ctx.timer.stage("wait")

    def snapshot(max_px: int) -> base.Snapshot:
        return base.Snapshot(_scene((-20.0, 20.0, -20.0)), np.zeros((16, 16, 4), np.uint8))

    for step in range(ctx.params.steps):
        time.sleep(ctx.params.seconds)
        yield base.Step(step + 1, ctx.params.steps, "wait", snapshot=snapshot)
    return base.Result(_scene((20.0, -20.0, -20.0)), {})


def _scene(logits: tuple[float, float, float]) -> list[base.Item]:
    """Files of the scene. logits: of the colour."""
    domain = Domain(CENTRE, 1 / HALF, False)
    field = grid.GridField(SETTINGS)
    with torch.no_grad():
        for each in field.parameters():
            each.zero_()
        field.grid.table.fill_(1.0)  # every feature is 1 everywhere
        first, second = field.density.weights
        first[0] = 0.5
        second[:2, 0] = torch.tensor([12.0, 1.0])  # the logarithm of the density, and the colour's input
        for each in list(field.colour.weights)[:-1]:
            each[0, 0] = 1.0
        field.colour.weights[-1][:, 0] = torch.tensor(logits)
    place = (torch.arange(CELLS) + 0.5) / CELLS * 2 - 1
    away = torch.stack(torch.meshgrid(place, place, place, indexing="ij")).norm(dim=0)
    record = folder.SceneRecord(
        format=folder.FORMAT,
        id="ball",
        method="ball",
        created_by="0",
        field={
            "type": "grid",
            "settings": SETTINGS.as_json(),
            "unbounded": False,
            "step": 2 * 3**0.5 / 512,
            "cells": CELLS,
        },
        field_from_scene=folder.matrix(domain.field_from_scene),
        up=(0.0, 0.0, 1.0),
        front=(0.0, -1.0, 0.0),
        near=0.0,
        far=100.0,
        background="black",
        step=1,
    )
    tensors = {f"field.{name}": each for name, each in field.state_dict().items()}
    tensors["occupied"] = (away * HALF < RADIUS).to(torch.uint8)
    files = {
        "scene.json": folder.encode(record),
        "cameras.json": folder.encode(folder.Cameras(frames=())),
        folder.checkpoint_path(1): safetensors.torch.save(tensors),
    }
    return [base.Item("scene", name, data) for name, data in files.items()]
