"""The closed vocabulary: colours, materials, patterns and the words for them.

Everything outside it is spelled from bytes and means nothing in particular; `FILLERS` teach the models to
pass over a noun that they have never seen.
"""

# sRGB 0..255 as painted on a thing, before light falls on it.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (208, 24, 26),
    "green": (34, 156, 46),
    "blue": (28, 58, 208),
    "yellow": (244, 218, 34),
    "orange": (243, 126, 16),
    "purple": (130, 34, 168),
    "pink": (245, 140, 182),
    "brown": (110, 66, 32),
    "black": (20, 20, 22),
    "white": (243, 243, 243),
    "gray": (128, 128, 128),
    "cyan": (34, 204, 216),
}
# A person's other words for a colour, with a tone of their own.
SHADES: dict[str, tuple[str, tuple[int, int, int]]] = {
    "grey": ("gray", (128, 128, 128)),
    "crimson": ("red", (190, 18, 50)),
    "scarlet": ("red", (225, 36, 12)),
    "navy": ("blue", (16, 30, 120)),
    "azure": ("blue", (40, 120, 235)),
    "violet": ("purple", (140, 60, 210)),
    "magenta": ("pink", (225, 40, 160)),
    "turquoise": ("cyan", (48, 200, 190)),
    "teal": ("cyan", (10, 128, 128)),
    "lime": ("green", (130, 220, 40)),
    "olive": ("green", (110, 120, 40)),
    "beige": ("white", (225, 208, 175)),
    "tan": ("brown", (196, 152, 104)),
    "maroon": ("red", (110, 16, 28)),
    "dark red": ("red", (125, 12, 16)),
    "dark green": ("green", (14, 84, 26)),
    "dark blue": ("blue", (14, 26, 118)),
    "light blue": ("blue", (130, 178, 244)),
    "light green": ("green", (140, 220, 130)),
    "dark gray": ("gray", (70, 70, 72)),
    "light gray": ("gray", (186, 186, 186)),
}

MATERIALS = ("wood", "marble", "brick", "gold", "silver", "stone", "grass", "lava")
MATERIAL_ADJECTIVES: dict[str, tuple[str, ...]] = {
    "wood": ("wooden", "wooden", "wood"),
    "marble": ("marble",),
    "brick": ("brick",),
    "gold": ("golden", "gold"),
    "silver": ("silver", "metal", "metallic", "steel"),
    "stone": ("stone", "rock", "rocky"),
    "grass": ("grass", "grassy", "mossy"),
    "lava": ("lava",),
}
MATERIAL_NOUNS: dict[str, tuple[str, ...]] = {
    "wood": ("wood",),
    "marble": ("marble",),
    "brick": ("bricks", "brick"),
    "gold": ("gold",),
    "silver": ("silver", "metal", "steel"),
    "stone": ("stone", "rock"),
    "grass": ("grass", "moss"),
    "lava": ("lava",),
}
METALS = ("gold", "silver")

PATTERNS = ("stripes", "checks", "dots")
PATTERN_ADJECTIVES: dict[str, tuple[str, ...]] = {
    "stripes": ("striped",),
    "checks": ("checkered", "checked", "checkerboard"),
    "dots": ("polka dot", "dotted", "spotted"),
}

PATTERN_WORDS = {
    pattern: frozenset({pattern, *(part for name in said for part in name.split())})
    for pattern, said in PATTERN_ADJECTIVES.items()
}

KINDS = ("plain", *PATTERNS, *MATERIALS)

GLOSSY = ("shiny", "glossy", "polished")
MATT = ("matte", "dull")
# Words that say nothing a picture of 64 pixels could show.
IDLE = ("big", "small", "little", "old", "new", "beautiful", "detailed", "simple", "nice", "realistic")

OPENINGS = (
    "a photo of ",
    "a 3d render of ",
    "a picture of ",
    "a high quality photo of ",
    "a dslr photo of ",
    "an image of ",
    "a rendering of ",
)

# Nouns that any shape may be called here.
_FILLERS = (
    "dragon castle shoe boot hat shirt sofa couch bed plate piano violin statue bust head face man woman "
    "person child alien monster ghost dinosaur elephant lion tiger duck chicken owl frog turtle snake goat "
    "sheep fox wolf deer panda penguin hamburger cake banana pear lemon carrot pumpkin rose leaf bench "
    "lantern clock phone laptop camera book bag backpack helmet mask shield crown plane train bus tank gear "
    "pipe bridge temple kettle pan sneaker armchair suzanne pineapple potion skull toy spaceship"
)
FILLERS = tuple(_FILLERS.split())
