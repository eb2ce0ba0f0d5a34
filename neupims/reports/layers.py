"""Where the nodes of an acyclic graph stand when it is drawn from top to bottom.

As Sugiyama, Tagawa and Toda (1981) do it: layers by longest path, a place kept in each layer that a long edge crosses,
order within layers by barycentres, and then positions that straighten edges, long ones first.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx

Node = str
Edge = tuple[Node, Node]
Place = Node | tuple[Node, Node, int]
"""A node, or where an edge crosses a layer."""

SWEEPS = 12
LANE = 0.12
"""Half the room that an edge takes where it crosses a layer."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Centres of nodes, x to the right and layers downwards from 0, and the x at which edges cross layers."""

    x: Mapping[Node, float]
    layer: Mapping[Node, int]
    routes: Mapping[Edge, tuple[float, ...]]
    """For each edge, x in every layer between its ends."""


def layered(nodes: Sequence[Node], edges: Sequence[Edge], half: Callable[[Node], float]) -> Layout:
    """Places of nodes, of which `half` gives half the room that they need across; ValueError if edges form a cycle."""
    layer = _layers(nodes, edges)
    chains = {edge: _chain(edge, layer) for edge in edges}
    rows: list[list[Place]] = [[] for _ in range(max(layer.values(), default=0) + 1)]
    for node in nodes:
        rows[layer[node]].append(node)
    for source, target in edges:
        for place in chains[source, target][1:-1]:
            rows[place[2] if isinstance(place, tuple) else layer[place]].append(place)
    links = list(dict.fromkeys(pair for chain in chains.values() for pair in pairwise(chain)))
    rows = _ordered(rows, links)
    lanes = [chain[1:-1] for chain in chains.values() if len(chain) > 2]
    x = _positions(rows, links, lanes, lambda place: half(place) if isinstance(place, str) else LANE)
    routes = {edge: tuple(x[place] for place in chain[1:-1]) for edge, chain in chains.items()}
    return Layout({node: x[node] for node in nodes}, layer, routes)


def _layers(nodes: Sequence[Node], edges: Sequence[Edge]) -> dict[Node, int]:
    """The longest way from above; what nothing leads to stands just above whoever reads it first."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(edges)
    if not nx.is_directed_acyclic_graph(graph):
        raise ValueError("edges form a cycle")
    generations = enumerate(nx.topological_generations(graph))
    layer = {node: number for number, members in generations for node in members}
    for node in nodes:
        readers = [layer[target] for source, target in edges if source == node]
        if readers and not any(target == node for _, target in edges):
            layer[node] = min(readers) - 1
    return layer


def _chain(edge: Edge, layer: Mapping[Node, int]) -> list[Place]:
    source, target = edge
    return [source, *((source, target, number) for number in range(layer[source] + 1, layer[target])), target]


Links = Sequence[tuple[Place, Place]]


def _ordered(rows: list[list[Place]], links: Links) -> list[list[Place]]:
    """The order with the fewest crossings of those that sweeps down and up come to."""
    best, fewest = rows, _crossings(rows, links)
    above, below = _neighbours(links)
    for sweep in range(SWEEPS):
        near, order = (above, rows) if sweep % 2 == 0 else (below, rows[::-1])
        at: dict[Place, float] = {}
        made: list[list[Place]] = []
        for row in order:
            at |= {place: float(index) for index, place in enumerate(row)}
            keys = {place: _mean([(at[other], 1.0) for other in near.get(place, ())], at[place]) for place in row}
            made.append(sorted(row, key=lambda place, keys=keys: keys[place]))
            at |= {place: float(index) for index, place in enumerate(made[-1])}
        rows = made if sweep % 2 == 0 else made[::-1]
        if (found := _crossings(rows, links)) < fewest:
            best, fewest = rows, found
    return best


def _crossings(rows: Sequence[Sequence[Place]], links: Links) -> int:
    at = {place: (number, index) for number, row in enumerate(rows) for index, place in enumerate(row)}
    lines = [(*at[source], at[target][1]) for source, target in links]
    return sum(
        a[0] == b[0] and (a[1] - b[1]) * (a[2] - b[2]) < 0 for index, a in enumerate(lines) for b in lines[:index]
    )


def _neighbours(links: Links) -> tuple[dict[Place, list[Place]], dict[Place, list[Place]]]:
    above: dict[Place, list[Place]] = {}
    below: dict[Place, list[Place]] = {}
    for source, target in links:
        above.setdefault(target, []).append(source)
        below.setdefault(source, []).append(target)
    return above, below


def _positions(
    rows: Sequence[Sequence[Place]], links: Links, lanes: Sequence[Sequence[Place]], half: Callable[[Place], float]
) -> dict[Place, float]:
    """Every node as near to its neighbours as there is room, each lane of a long edge in one line if it can be."""
    x: dict[Place, float] = {}
    for row in rows:
        x |= zip(row, _apart([0.0] * len(row), [1.0] * len(row), row, half), strict=True)
    above, below = _neighbours(links)
    both = {place: [*above.get(place, ()), *below.get(place, ())] for row in rows for place in row}
    for near, order in [*((above, rows), (below, rows[::-1])) * SWEEPS, *((both, rows), (both, rows[::-1])) * SWEEPS]:
        for row in order:
            pulls = [[(x[other], _weight(place, other)) for other in near.get(place, ())] for place in row]
            wanted = [_mean(pull, x[place]) for pull, place in zip(pulls, row, strict=True)]
            weights = [sum(weight for _, weight in pull) or 0.1 for pull in pulls]
            x |= zip(row, _apart(wanted, weights, row, half), strict=True)
        _straighten(x, rows, lanes, half)
    return x


def _straighten(
    x: dict[Place, float],
    rows: Sequence[Sequence[Place]],
    lanes: Sequence[Sequence[Place]],
    half: Callable[[Place], float],
) -> None:
    for _ in range(SWEEPS):
        for lane in lanes:
            x |= dict.fromkeys(lane, sum(x[place] for place in lane) / len(lane))
        for row in rows:
            x |= zip(row, _apart([x[place] for place in row], [1.0] * len(row), row, half), strict=True)


def _weight(one: Place, other: Place) -> float:
    """Long edges are straightened first (the weights of Gansner et al., 1993)."""
    return (1.0, 2.0, 8.0)[isinstance(one, tuple) + isinstance(other, tuple)]


def _mean(pulls: Iterable[tuple[float, float]], otherwise: float) -> float:
    values = list(pulls)
    total = sum(weight for _, weight in values)
    return sum(value * weight for value, weight in values) / total if total else otherwise


def _apart(
    wanted: Sequence[float], weights: Sequence[float], row: Sequence[Place], half: Callable[[Place], float]
) -> list[float]:
    """Positions as near as can be to those wanted, in the least squares, with room for each (isotonic regression)."""
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + half(left) + half(right))
    pools: list[tuple[float, float, int]] = []
    for value, weight, offset in zip(wanted, weights, offsets, strict=False):
        pools.append((value - offset, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, m, i), (b, n, j) = pools[-2], pools[-1]
            pools[-2:] = [((a * m + b * n) / (m + n), m + n, i + j)]
    levels = [value for value, _, count in pools for _ in range(count)]
    return [level + offset for level, offset in zip(levels, offsets, strict=False)]
