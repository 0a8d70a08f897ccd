"""Measures the pocket models by means of its own: nothing here is shared with their training but the renders.

prompts -> sampling -> judging (colours by CIELAB, patterns by spectrum, materials by a classifier of its own)
-> cases -> figures with bars -> tables. Every judge is measured on true renders beside what it judges.
"""
