"""The counter as a method for which a model is chosen; it never loads it."""

import dataclasses

from maquette_server.methods import base

from .. import counter

METHOD: base.Method = dataclasses.replace(counter.METHOD, name="chooser", models=("text_to_image",))
