"""Runs the benchmarks: `python -m benchmarks [--only NAME ...] [--quiet-only] [--into FOLDER] [--redraw]`.

A benchmark is a module of this folder with `TITLE` and `run()`, which returns `frame.Figure`s and
`frame.Series`.
"""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import benchmarks
from benchmarks import frame, page


def modules() -> dict[str, ModuleType]:
    """Every benchmark by name, in the order of their names."""
    found = {}
    for entry in sorted(pkgutil.iter_modules(benchmarks.__path__), key=lambda entry: entry.name):
        if entry.name == "__main__":
            continue
        module = importlib.import_module(f"benchmarks.{entry.name}")
        if hasattr(module, "run"):
            found[entry.name] = module
    return found


def drawn(results: Path, written: Path) -> bool:
    """Writes the page; False, with a sentence, where its plots cannot be drawn."""
    try:
        page.write(results, written)
    except ModuleNotFoundError as error:
        print(f"No page was written: {error.name} is not installed. --redraw does it later.", file=sys.stderr)
        return False
    return True


def main(words: Sequence[str] | None = None) -> int:
    """Runs what was asked for; 1 when a goal was missed, 2 when nothing could be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Timed runs with recorded figures."
    )
    parser.add_argument("--only", action="append", metavar="NAME", help="this benchmark; may be given again")
    parser.add_argument(
        "--quiet-only", action="store_true", help="refuse to measure while others use the machine"
    )
    parser.add_argument(
        "--redraw", action="store_true", help="write the page and its plots anew; measure nothing"
    )
    parser.add_argument(
        "--into", type=Path, metavar="FOLDER", help="results and page go there, not into the repository"
    )
    arguments = parser.parse_args(words)
    results, written = frame.RESULTS, page.PAGE
    if arguments.into is not None:
        results, written = arguments.into / "results", arguments.into / "benchmarks.md"
    if arguments.redraw:
        if not any(results.glob("*.json")):
            print(f"There is nothing to draw: {results} holds no results.", file=sys.stderr)
            return 2
        return 0 if drawn(results, written) else 2
    known = modules()
    if unknown := set(arguments.only or ()) - set(known):
        print(
            f"There is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(known)}.",
            file=sys.stderr,
        )
        return 2
    missed = measured = 0
    for name in arguments.only or known:
        print(known[name].TITLE, flush=True)
        try:
            record = frame.measure(
                name, known[name].TITLE, known[name].run, quiet_only=arguments.quiet_only, results=results
            )
        except frame.Lacking as error:
            print(f"Not measured: {error}.", file=sys.stderr)
            continue
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
        measured += len(record["figures"])
        print(f"  took {record['load']['seconds']:.0f} s", flush=True)
        if record["figures"] and record["load"]["busy"]:
            print("  others used the machine meanwhile; the figures are marked")
    if any(results.glob("*.json")):
        drawn(results, written)
    if not measured:
        print("Nothing could be measured on this machine.", file=sys.stderr)
        return 2
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
