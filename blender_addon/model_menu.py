"""The menu of the server's models: those that the mode can use, each with what its licence says."""

import bpy

from . import props, rows

LICENCES = {
    "yes": "commercial use allowed",
    "no": "no commercial use",
    "conditions": "commercial use with conditions",
    "unknown": "licence not known",
}


def draw(layout: bpy.types.UILayout, live: props.MAQUETTE_PG_live, settings: props.MAQUETTE_PG_scene) -> None:
    """The menu, and what is to be known of the model that is chosen."""
    line = layout.split(factor=0.4)
    label = line.column()
    label.alignment = "RIGHT"
    label.label(text="Model")
    fitting, name = _fitting(live, settings), props.model_of(settings)
    default = next((row for row in fitting if row.default), None)
    chosen = next((row for row in fitting if row.model == name), None) if name else default
    line.menu(
        MAQUETTE_MT_models.__name__,
        text=name or (f"{default.model} (default)" if default is not None else "Server's Default"),
    )
    if chosen is not None and chosen.commercial != "yes":
        rows.sentence(layout, f"{LICENCES[chosen.commercial]}.".capitalize(), "INFO")
    if chosen is None and name and live.models:
        rows.sentence(layout, f"The server has no model '{name}'; choose another.", "ERROR")


class MAQUETTE_MT_models(bpy.types.Menu):
    """The models of the server"""

    bl_label = "Model"

    def draw(self, context: bpy.types.Context) -> None:
        """The server's default first, then every model that the mode can use."""
        fitting = _fitting(props.live(context), context.scene.maquette)
        named = next((row.model for row in fitting if row.default), "")
        text = f"Server's Default ({named})" if named else "Server's Default"
        self.layout.operator("maquette.model_choose", text=text).model = ""
        self.layout.separator()
        for row in fitting:
            text = f"{row.model}: {LICENCES[row.commercial]}"
            icon = "CHECKMARK" if row.default else "NONE"
            self.layout.operator("maquette.model_choose", text=text, icon=icon).model = row.model


def _fitting(
    live: props.MAQUETTE_PG_live, settings: props.MAQUETTE_PG_scene
) -> list[props.MAQUETTE_PG_model]:
    kind, _ = props.MODELS[settings.mode]
    return [row for row in live.models if row.kind == kind]
