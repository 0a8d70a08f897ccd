"""A table on stdout: aligned columns, never cut, so that it can be read by eye and by `awk`."""

from collections.abc import Sequence

import typer


def show(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A line of headings, then the rows."""
    lines = [list(columns), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns))]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
