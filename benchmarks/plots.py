"""Recorded series as small pictures, all in one style: log axes, floors dashed, quartiles as bands."""

from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks import frame

_PALETTE = 64  # colours of a plot: a quarter of its size
_SIZE = (6.4, 3.7)  # inches
_DPI = 110
# Okabe and Ito's colours, told apart by colour-blind readers too; floors are grey
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_FLOORS = ("#555555", "#999999", "#bbbbbb")
_MARKS = "osD^vP"
_PREFIXES = {0: "", 1: "k", 2: "M", 3: "G"}


def draw(series: frame.Series, picture: Path) -> None:
    """Draws a series as a PNG; its folder is made if need be."""
    # no window system, and nothing is kept: a figure of its own instead of pyplot's global state
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    whole = [line for line in series.lines if not line.floor]
    for number, line in enumerate(whole):
        _line(
            axes, line, _COLOURS[number % len(_COLOURS)], marker=_MARKS[number % len(_MARKS)], linestyle="-"
        )
    for number, line in enumerate(line for line in series.lines if line.floor):
        _line(axes, line, _FLOORS[number % len(_FLOORS)], marker="", linestyle=("--", ":", "-.")[number % 3])
    _axes(axes, series)
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, metadata={"Software": None})  # the same bytes whichever version drew them
    with Image.open(picture) as drawn:
        few = drawn.convert("RGB").quantize(_PALETTE, dither=Image.Dither.NONE)
    few.save(picture, optimize=True)


def _line(axes: Any, line: frame.Line, colour: str, **style: Any) -> None:
    points = sorted(line.points, key=lambda point: point.x)
    x = [point.x for point in points]
    axes.plot(
        x,
        [point.value for point in points],
        color=colour,
        label=line.name,
        markersize=4,
        linewidth=1.5,
        **style,
    )
    axes.fill_between(
        x, [p.low for p in points], [p.high for p in points], color=colour, alpha=0.18, linewidth=0
    )


def _axes(axes: Any, series: frame.Series) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

    points = [point for line in series.lines for point in line.points]
    axes.set(xscale="log", yscale="log", title=series.name, xlabel=series.x)
    axes.set_ylabel(f"{series.y} [{series.unit}]" if series.unit else series.y)
    axes.title.set_fontsize(11)
    sizes = _apart(sorted({point.x for point in points}))
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    if max(point.value for point in points) < 100 * min(point.value for point in points):
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))  # less than two decades: not only powers
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(True, which="major", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(which="both", labelsize=9)
    if len(series.lines) > 1:
        axes.legend(frameon=False, fontsize=9)


def _apart(sizes: list[float]) -> list[float]:
    """Those of the measured sizes that can be labelled side by side on a log axis."""
    kept = [sizes[-1]]
    room = (sizes[-1] / sizes[0]) ** (1 / 10)
    for size in reversed(sizes[:-1]):
        if size * room < kept[-1]:
            kept.append(size)
    return kept


def short(value: float) -> str:
    """A size as one reads it: 49280 as 49.3k, 2^20 as 1.05M, powers of two below 10,000 as they are."""
    if value < 10_000:
        return f"{value:g}" if float(value).is_integer() else f"{value:.3g}"
    power = 0
    while value >= 1000 and power < max(_PREFIXES):
        value, power = value / 1000, power + 1
    return f"{value:.3g}{_PREFIXES[power]}"
