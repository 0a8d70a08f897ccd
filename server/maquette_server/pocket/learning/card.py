"""What is said beside the weights: the card for people, the notes for Maquette."""

import re
from typing import Any

from ...cameras import sampling
from ..drawing import grades, instructions, words
from ..drawing.shapes import FAMILIES

_NOTICE = {
    "text_to_image": (
        "The pocket model is a small demonstration model: it knows colours, stripes, eight materials "
        "roughly, checks and dots hardly on a mesh. Choose a Stable Diffusion checkpoint for real work."
    ),
    "instruct": (
        "The pocket editor is a small demonstration model: it recolours, changes materials and grades "
        "pictures. Choose an InstructPix2Pix checkpoint for real work."
    ),
}
_PAINT: dict[str, Any] = {
    "guidance_scale": 15.0,
    "weighting": "one",
    "timesteps": [0.02, 0.98],
    "anneal": "none",
    "learning_rate": 0.05,
    "steps": {"draft": 130, "standard": 200, "fine": 600},
    "views_per_step": 4,
    "texture_latents": 32,
    "bake_views": 24,
    "bake_latents": 24,
    "background": "flat",
    "common_learning_rate": 0.01,
}
_SCULPT: dict[str, Any] = {
    "guidance_scale": 15.0,
    "weighting": "one_minus_alpha",
    "timesteps": [0.02, 0.98],
    "anneal": "linear",
    "background": "flat",
    "sparsity": 0.5,
    "sketch": 512.0,
    "picture_latents": 24,
    "steps": {"draft": 300, "standard": 1000, "fine": 3000},
    "refinement": {"guidance_scale": 25.0, "timesteps": [0.02, 0.5]},
}
SAMPLE: dict[str, Any] = {"steps": 16, "guidance_scale": 5.0}
EDIT: dict[str, Any] = {"steps": 12, "guidance_scale": 2.2, "image_guidance_scale": 1.15, "size": 64}


def vocabulary(task: str) -> dict[str, list[str]]:
    """The words that mean something to a model, by what they say; others are warned about."""
    if task == "instruct":
        spoken = instructions.spoken()
        known = {
            "colours": sorted(words.COLOURS),
            "materials": _unique(words.MATERIAL_ADJECTIVES, words.MATERIAL_NOUNS),
            "patterns": sorted(spoken & frozenset().union(*words.PATTERN_WORDS.values())),
        }
        named = {word for group in known.values() for word in group}
        return known | {"others": sorted({*spoken, *_SMALL.split()} - named)}
    return {
        "colours": sorted({*words.COLOURS, *(part for shade in words.SHADES for part in shade.split())}),
        "materials": _unique(words.MATERIAL_ADJECTIVES, words.MATERIAL_NOUNS),
        "patterns": sorted(frozenset().union(*words.PATTERN_WORDS.values())),
        "finish": sorted({*words.GLOSSY, *words.MATT}),
        "views": sorted({*sampling.VIEW_WORDS, "view"}),
        "others": sorted({*words.IDLE, *re.findall(r"\w+", " ".join((_SENTENCES, _SMALL, *words.OPENINGS)))}),
        "things": sorted({part for family in FAMILIES for noun in family.nouns for part in noun.split()}),
    }


def notes(task: str) -> dict[str, Any]:
    """`maquette.json`."""
    found: dict[str, Any] = {
        "notice": _NOTICE[task],
        "licence": {"name": "GPL-3.0-or-later", "commercial": "yes"},
    }
    if task == "text_to_image":
        found |= {"paint": _PAINT, "sculpt": _SCULPT, "sample": SAMPLE}
    else:
        found["edit"] = EDIT
    return found | {"vocabulary": vocabulary(task)}


_SENTENCES = "a an and of with on made out background"  # what the captions are put together with
_SMALL = "the in from for it is"  # mean nothing to the models, nor to whoever would be warned


def _unique(*tables: dict[str, tuple[str, ...]]) -> list[str]:
    return sorted(
        {word for table in tables for row in table.values() for said in row for word in said.split()}
    )


def text(task: str) -> str:
    """The model card."""
    known = vocabulary(task)
    what = {"text_to_image": "text to image", "instruct": "InstructPix2Pix"}[task]
    heading = {"text_to_image": "Pocket model", "instruct": "Pocket editor"}[task]
    lines = [
        f"# {heading}",
        "",
        f"A latent diffusion model of the {what} kind, 64 x 64 pixels (16 x 16 x 4 latents), v prediction,",
        "in diffusers format and half precision. Made for Maquette, so that it works without a network and",
        "without a GPU; a demonstration, no replacement for Stable Diffusion. Licence: GPL-3.0-or-later.",
        "",
        "## Training pictures",
        "Procedural only: primitives and unions of them, cast by Embree, with solid textures, one light,",
        "plain or invented backgrounds. No photograph and nobody's picture was used.",
        "`python -m maquette_server.pocket data`, then `train`, with the seed and recipe of `training.json`",
        "make one like it; `docs/pocket.md` says in what the course of this one's training differed.",
        "",
        "## What it knows",
        f"- Colours: {', '.join(words.COLOURS)}.",
        f"- Materials: {', '.join(words.MATERIALS)}, and the words {', '.join(known['materials'])}.",
    ]
    if task == "text_to_image":
        lines += [
            f"- Tones of the colours: {', '.join(words.SHADES)}.",
            "- Patterns in one or two colours: stripes, checks, dots.",
            f"- Things, roughly: {', '.join(known['things'])}.",
        ]
    else:
        lines += [
            f"- Whole pictures: {', '.join(grades.GRADES)}. One colour behind the thing.",
            "- Patterns, hardly: stripes, checks, dots.",
        ]
    lines += ["How often each comes out stands in `docs/pocket/check.md`, with all other figures."]
    lines += [
        "",
        "## What it does not know",
        "- Any other word. A noun that it has never seen is passed over, and colour and material still hold;",
        "  a sentence of another form gives mush.",
        "- Fine detail: a pattern is a few bands or squares wide, a photograph comes back soft.",
        "- Shapes from text are weak; paint or edit something that has a shape already.",
    ]
    return "\n".join(lines) + "\n"
