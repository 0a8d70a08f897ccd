"""The embedded models, and the program that draws their training pictures, trains and checks them.

Nothing is borrowed: every picture is drawn here from primitives, solid textures and random numbers.
"""
