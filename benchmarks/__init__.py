"""Timed runs with recorded figures; `python -m benchmarks` runs them; `frame` says how."""
