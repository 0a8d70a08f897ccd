"""What painting and sculpting share in the panel: quality, and numbers set instead of the model's."""

PRESETS = {
    "draft": ("Draft", "A first look"),
    "standard": ("Standard", "What most objects need"),
    "fine": ("Fine", "More steps, for the last version"),
    "parity": ("As Published", "The settings of the paper's released code"),
}
OWN = {"use_steps": "steps", "use_guidance_scale": "guidance_scale"}
"""switch -> number"""
