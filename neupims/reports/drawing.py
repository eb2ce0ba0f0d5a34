"""A block of a graph drawn from top to bottom: operators as boxes, what they read of each other as lines."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (the keyword arguments of matplotlib have no types)

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Patch
from matplotlib.path import Path as Line

from neupims.reports.blocks import Drawing, Edge, Node, NodeClass
from neupims.reports.figure import COLOURS, INK, LEGEND, QUIET, SMALL
from neupims.reports.layers import Layout, layered

LAYER_IN, MARGIN_IN = 0.66, 0.3
"""From one layer to the next, and what is left free at the sides."""
LETTER_IN, DETAIL_IN, LINE_IN = 0.056, 0.046, 0.09
"""Width of a letter of a name and of a detail, and the height of a line of details."""
DETAIL = 5.5
APART_IN = 0.08
"""Half of what is between two boxes."""
LEAST_IN, NARROWEST_IN = 0.8, 3.5

FILLS: Mapping[NodeClass, tuple[str, str]] = {
    "product": ("#9ecae9", "matrix products"),
    "vector": ("#ffdd99", "vector work"),
    "move": ("#e3e3e3", "moves data"),
    "block": ("#ffffff", "a block"),
}
"""Light enough for black letters, and of different lightness, so that they differ in grey as well."""
RESIDUAL = COLOURS[5]
BEHIND: Mapping[str, Any] = {
    "zorder": 5,
    "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85},
}
"""Keeps what is written legible where a line passes."""
Point = tuple[float, float]


def drawing_figure(drawing: Drawing) -> Figure:
    """The picture, as large as its boxes need at a readable size. Shapes stand where lines arrive."""
    widths = {node.name: _width(node) for node in drawing.nodes}
    edges = [(edge.source, edge.target) for edge in drawing.edges]
    room = {name: max(width, _arrivals(drawing, name)) / 2 + APART_IN for name, width in widths.items()}
    layout = layered([node.name for node in drawing.nodes], edges, room.__getitem__)
    axes = _axes(drawing, layout, room)
    ends = _ends(drawing.edges, layout, widths)
    for number, edge in enumerate(drawing.edges):
        _draw_edge(axes, edge, layout, ends[number], drawing)
    for node in drawing.nodes:
        _draw_node(axes, node, (layout.x[node.name], layout.layer[node.name] * LAYER_IN), widths[node.name])
    _label_edges(axes, drawing, ends)
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    return figure


def _width(node: Node) -> float:
    details = max((len(line) for line in node.detail.split("\n")), default=0)
    return max(LEAST_IN, len(node.name) * LETTER_IN + 0.1, details * DETAIL_IN + 0.1)


def _height(node: Node) -> float:
    return 0.17 + LINE_IN * (len(node.detail.split("\n")) if node.detail else 0)


def _arrivals(drawing: Drawing, name: str) -> float:
    """Room for the shapes on all that arrives, side by side."""
    return sum(len(" ".join(edge.shapes)) * DETAIL_IN + 0.1 for edge in drawing.edges if edge.target == name)


def _axes(drawing: Drawing, layout: Layout, room: Mapping[str, float]) -> Axes:
    crossed = [x for route in layout.routes.values() for x in route]
    left = min([layout.x[name] - half for name, half in room.items()] + crossed) - MARGIN_IN
    right = max([layout.x[name] + half for name, half in room.items()] + crossed) + MARGIN_IN
    wider = max(0.0, NARROWEST_IN - (right - left)) / 2
    left, right = left - wider, right + wider
    top, bottom = -0.5, max(layout.layer.values(), default=0) * LAYER_IN + 0.65
    figure = Figure(figsize=(right - left, bottom - top), dpi=150, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_axis_off()
    axes.text((left + right) / 2, top + 0.15, drawing.title, fontsize=SMALL + 1, ha="center", va="center", color=QUIET)
    handles = list(_legend(drawing))
    axes.legend(handles=handles, loc="lower center", ncols=len(handles), **LEGEND)
    return axes


def _legend(drawing: Drawing) -> Iterator[Artist]:
    used = {node.kind for node in drawing.nodes}
    for kind, (fill, label) in FILLS.items():
        if kind in used:
            yield Patch(facecolor=fill, edgecolor=INK, linewidth=0.5, label=label)
    if any(edge.residual for edge in drawing.edges):
        yield Line2D([], [], color=RESIDUAL, linewidth=1.6, label="residual")


def _draw_node(axes: Axes, node: Node, centre: Point, width: float) -> None:
    x, y = centre
    height = _height(node)
    if node.kind == "port":
        axes.text(x, y, node.name, fontsize=SMALL, ha="center", va="center", color=QUIET, style="italic")
        return
    box = FancyBboxPatch(
        (x - width / 2, y - height / 2),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.04",
        facecolor=FILLS[node.kind][0],
        edgecolor=INK,
        linewidth=1.4 if node.kind == "block" else 0.6,
        zorder=3,
    )
    axes.add_patch(box)
    axes.text(x, y - height / 2 + 0.09, node.name, fontsize=SMALL, ha="center", va="center", color=INK, zorder=4)
    axes.text(x, y - height / 2 + 0.15, node.detail, fontsize=DETAIL, ha="center", va="top", color=INK, zorder=4)


Ends = tuple[Point, Point]


def _ends(edges: Sequence[Edge], layout: Layout, widths: Mapping[str, float]) -> list[Ends]:
    """Where each line leaves and arrives, spread over the sides of its boxes in the order in which they come."""
    starts, arrivals = dict[int, Point](), dict[int, Point]()
    for name in layout.x:
        leaving = [number for number, edge in enumerate(edges) if edge.source == name]
        coming = [number for number, edge in enumerate(edges) if edge.target == name]
        for numbers, ends, side in ((leaving, starts, 0), (coming, arrivals, -1)):
            numbers.sort(key=lambda number, side=side: _heading(edges[number], layout, side))
            for place, number in enumerate(numbers):
                shift = widths[name] * ((place + 1) / (len(numbers) + 1) - 0.5)
                ends[number] = layout.x[name] + shift, layout.layer[name] * LAYER_IN
    return [(starts[number], arrivals[number]) for number in range(len(edges))]


def _heading(edge: Edge, layout: Layout, side: int) -> float:
    """x of what a line meets first on its way from its source, or last on its way to its target."""
    route = layout.routes[edge.source, edge.target]
    return route[side] if route else layout.x[edge.target if side == 0 else edge.source]


def _draw_edge(axes: Axes, edge: Edge, layout: Layout, ends: Ends, drawing: Drawing) -> None:
    nodes = {node.name: node for node in drawing.nodes}
    (x0, y0), (x1, y1) = ends
    start, end = (x0, y0 + _height(nodes[edge.source]) / 2), (x1, y1 - _height(nodes[edge.target]) / 2)
    points = [start, *_bends(layout.routes[edge.source, edge.target], layout.layer[edge.source]), end]
    colour, width = (RESIDUAL, 1.6) if edge.residual else (QUIET, 0.8)
    line = FancyArrowPatch(
        path=_curve(points), arrowstyle="-|>,head_length=2.4,head_width=1.4", color=colour, linewidth=width, zorder=2
    )
    axes.add_patch(line)


def _bends(route: Sequence[float], layer: int) -> Iterator[Point]:
    """Straight down through each layer that is crossed."""
    for number, x in enumerate(route, layer + 1):
        yield x, (number - 0.3) * LAYER_IN
        yield x, (number + 0.3) * LAYER_IN


def _curve(points: Sequence[Point]) -> Line:
    """A line through points that leaves each of them straight down."""
    vertices, codes = [points[0]], [Line.MOVETO]
    for (x0, y0), (x1, y1) in pairwise(points):
        half = (y1 - y0) / 2
        vertices += [(x0, y0 + half), (x1, y1 - half), (x1, y1)]
        codes += [Line.CURVE4] * 3
    return Line(vertices, codes)


def _label_edges(axes: Axes, drawing: Drawing, ends: Sequence[Ends]) -> None:
    """Shapes above what reads them, side by side."""
    heights = {node.name: _height(node) for node in drawing.nodes}
    arrivals: dict[str, list[tuple[float, float, str]]] = {}
    for edge, (_, (x, y)) in zip(drawing.edges, ends, strict=True):
        arrivals.setdefault(edge.target, []).append((x, y - heights[edge.target] / 2 - 0.1, " ".join(edge.shapes)))
    for coming in arrivals.values():
        sizes = [len(shape) * DETAIL_IN + 0.1 for _, _, shape in coming]
        left = sum(x for x, _, _ in coming) / len(coming) - sum(sizes) / 2
        for (_, y, shape), size in sorted(zip(coming, sizes, strict=True)):
            axes.text(left + size / 2, y, shape, fontsize=DETAIL, ha="center", va="center", color=INK, **BEHIND)
            left += size
