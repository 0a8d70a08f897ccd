"""Scenes of our own that Blender renders for the benchmarks; every file here runs in Blender's own Python."""
