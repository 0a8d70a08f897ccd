"""Runs the benchmarks: `python -m benchmarks [--only NAME ...] [--quiet-only]`.

A benchmark is a module of this folder with `TITLE` and `run() -> list[Figure]`.
"""

import argparse
import importlib
import pkgutil
import sys
from types import ModuleType

import benchmarks
from benchmarks import frame


def modules() -> dict[str, ModuleType]:
    """Every benchmark by name, in the order of their names."""
    found = {}
    for entry in sorted(pkgutil.iter_modules(benchmarks.__path__), key=lambda entry: entry.name):
        if entry.name in ("__main__", "frame"):
            continue
        module = importlib.import_module(f"benchmarks.{entry.name}")
        if hasattr(module, "run"):
            found[entry.name] = module
    return found


def main() -> int:
    """Runs what was asked for; 1 when a goal was missed, 2 when nothing could be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Timed runs with recorded figures."
    )
    parser.add_argument("--only", action="append", metavar="NAME", help="this benchmark; may be given again")
    parser.add_argument(
        "--quiet-only", action="store_true", help="refuse to measure while others use the machine"
    )
    arguments = parser.parse_args()
    known = modules()
    if unknown := set(arguments.only or ()) - set(known):
        print(
            f"There is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(known)}.",
            file=sys.stderr,
        )
        return 2
    missed = 0
    for name in arguments.only or known:
        print(known[name].TITLE, flush=True)
        try:
            record = frame.measure(name, known[name].TITLE, known[name].run, quiet_only=arguments.quiet_only)
        except frame.Busy as error:
            print(f"Not measured: {error}.", file=sys.stderr)
            return 2
        for row in record["figures"]:
            figure = frame.Figure(**row)
            goal = (
                "" if figure.goal is None else f" (goal {figure.goal:g}: {'met' if figure.met else 'MISSED'})"
            )
            print(f"  {figure.name}: {figure.value:.3g} {figure.unit}{goal}", flush=True)
            missed += figure.met is False
        if record["figures"] and record["load"]["busy"]:
            print("  others used the machine meanwhile; the figures are marked")
    if any(frame.RESULTS.glob("*.json")):
        frame.write_table()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
