"""Where the boxes of a directed graph go: layer by layer downwards, folded into columns.

The method is Sugiyama's: ranks by the longest path, a place for every edge in every rank that it
passes, few crossings by barycentres, then positions near those of the neighbours.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from graphlib import TopologicalSorter
from itertools import accumulate
from typing import NamedTuple

_GAP, _LANE = 0.25, 0.12  # inches between boxes; the width an edge takes where it passes
_ROW_GAP, _COLUMN_GAP = 0.38, 0.5
_ONE_COLUMN = 11.0  # the height that needs no folding
_SHAPE = 1.2  # the wanted quotient of width and height, where there are several columns
_SWEEPS = 16

#: Node -> the nodes that it has links with, in the rank above or below.
_Neighbours = defaultdict[int, list[int]]


class Layout(NamedTuple):
    """Inches from the upper left corner, downwards.

    Attributes
    ----------
    width, height : float
        Of the whole.
    places : list of (float, float)
        The centre of each box.
    routes : dict
        (source, target) -> points from the lower side of one to the upper side of the other.
    """

    width: float
    height: float
    places: list[tuple[float, float]]
    routes: dict[tuple[int, int], list[tuple[float, float]]]


def arrange(sizes: list[tuple[float, float]], edges: list[tuple[int, int]]) -> Layout:
    """Lay out the boxes of a directed graph.

    Parameters
    ----------
    sizes : list of (width, height)
        Of the boxes, in inches.
    edges : list of (source, target)
        Places in `sizes`; without a cycle.
    """
    ranks = _ranks(len(sizes), edges)
    widths = [width for width, _ in sizes]
    links: list[tuple[int, int]] = []  # between neighbouring ranks
    chains: dict[tuple[int, int], list[int]] = {}  # the nodes of each edge
    for source, target in dict.fromkeys(edges):
        chain = [source]
        for rank in range(ranks[source] + 1, ranks[target]):
            chain.append(len(widths))
            widths.append(_LANE)
            ranks.append(rank)
        chain.append(target)
        chains[source, target] = chain
        links += zip(chain, chain[1:])
    rows = _ordered(ranks, links)
    heights = [max((sizes[n][1] for n in row if n < len(sizes)), default=0) for row in rows]
    columns = _columns(rows, widths, heights, [ranks[source] for source, _ in links])
    return _placed(rows, columns, sizes, widths, heights, links, chains)


def _ranks(count: int, edges: list[tuple[int, int]]) -> list[int]:
    """The longest path to each box; a box without a source is right above its first reader."""
    sources, targets = _neighbours(edges)
    ranks = [0] * count
    for node in TopologicalSorter(sources).static_order():
        ranks[node] = max((ranks[source] + 1 for source in sources[node]), default=0)
    for node in range(count):
        if targets[node] and not sources[node]:
            ranks[node] = min(ranks[target] for target in targets[node]) - 1
    return ranks


def _neighbours(links: list[tuple[int, int]]) -> tuple[_Neighbours, _Neighbours]:
    above: _Neighbours = defaultdict(list)
    below: _Neighbours = defaultdict(list)
    for source, target in links:
        above[target].append(source)
        below[source].append(target)
    return above, below


def _ordered(ranks: list[int], links: list[tuple[int, int]]) -> list[list[int]]:
    """Return the nodes of each rank, from left to right, with few crossings."""
    rows: list[list[int]] = [[] for _ in range(max(ranks, default=-1) + 1)]
    for node, rank in enumerate(ranks):
        rows[rank].append(node)
    above, below = _neighbours(links)
    orders = [[list(row) for row in rows]]
    for sweep in range(_SWEEPS):
        beside = (above, below)[sweep % 2]
        places = {node: float(place) for row in rows for place, node in enumerate(row)}
        for row in rows if beside is above else rows[::-1]:
            means = {node: _mean([places[n] for n in beside[node]], places[node]) for node in row}
            row.sort(key=means.__getitem__)
            places.update((node, float(place)) for place, node in enumerate(row))
        orders.append([list(row) for row in rows])
    return min(orders, key=lambda order: _crossings(order, below))


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _crossings(rows: list[list[int]], below: _Neighbours) -> int:
    count = 0
    for row, after in zip(rows, rows[1:]):
        places = {node: place for place, node in enumerate(after)}
        ends = [sorted(places[n] for n in below[node]) for node in row]
        flat = [place for each in ends for place in each]
        count += sum(a > b for i, a in enumerate(flat) for b in flat[i + 1 :])
    return count


def _columns(
    rows: list[list[int]],
    widths: list[float],
    heights: list[float],
    starts: list[int],
) -> list[range]:
    """Cut the ranks into columns of about equal height, where few links are cut.

    `starts` is the rank that each link starts from.
    """
    width = max((sum(widths[n] + _GAP for n in row) for row in rows), default=1.0) + _COLUMN_GAP
    height = sum(heights) + _ROW_GAP * len(heights)
    count = round((_SHAPE * height / width) ** 0.5) if height > _ONE_COLUMN else 1
    ends = list(accumulate(own + _ROW_GAP for own in heights))
    cut = Counter(starts)
    found, start = [], 0
    for number in range(1, max(count, 1)):
        wanted = height * number / count
        near = [
            rank
            for rank in range(start, len(rows) - 1)
            if abs(ends[rank] - wanted) <= max(0.15 * height / count, 1.0)
        ]
        if near:
            rank = min(near, key=lambda rank: (cut[rank], abs(ends[rank] - wanted)))
            found.append(range(start, rank + 1))
            start = rank + 1
    return [*found, range(start, len(rows))]


def _placed(
    rows: list[list[int]],
    columns: list[range],
    sizes: list[tuple[float, float]],
    widths: list[float],
    heights: list[float],
    links: list[tuple[int, int]],
    chains: dict[tuple[int, int], list[int]],
) -> Layout:
    xs = _across(rows, widths, links)
    ys: dict[int, float] = {}
    column_of: dict[int, int] = {}
    lefts: list[float] = []  # of each column
    right, bottom = -_COLUMN_GAP, 0.0
    rank_of = {node: rank for rank, row in enumerate(rows) for node in row}
    entering = Counter(rank_of[target] for _, target in links)  # links that enter each rank
    for number, column in enumerate(columns):
        # room for the edges that come over from the column before, and go to the next
        coming, going = _LANE * entering[column.start], _LANE * entering[column.stop]
        lefts.append(right + _COLUMN_GAP + coming)
        inside = [node for rank in column for node in rows[rank]]
        shift = lefts[-1] - min(xs[node] - widths[node] / 2 for node in inside)
        y = coming + (_ROW_GAP if coming else 0)
        for rank in column:
            ys.update(dict.fromkeys(rows[rank], y + heights[rank] / 2))
            y += heights[rank] + _ROW_GAP
        xs.update({node: xs[node] + shift for node in inside})
        column_of.update(dict.fromkeys(inside, number))
        right = max(xs[node] + widths[node] / 2 for node in inside)
        bottom = max(bottom, y + going if going else y - _ROW_GAP)
    routes: dict[tuple[int, int], list[tuple[float, float]]] = {}
    lanes: Counter[int] = Counter()
    for (source, target), chain in chains.items():
        points = [(xs[source], ys[source] + sizes[source][1] / 2)]
        for a, b in zip(chain, chain[1:]):
            if column_of[a] != column_of[b]:
                lane = _LANE * lanes[column_of[b]]
                lanes[column_of[b]] += 1
                over = lefts[column_of[b]] - _LANE - lane - _COLUMN_GAP / 3
                points += [(xs[a], bottom - lane), (over, bottom - lane), (over, lane)]
                points.append((xs[b], lane))
            half = (sizes[b][1] if b == target else heights[rank_of[b]]) / 2
            points.append((xs[b], ys[b] - half))
            if b != target:
                points.append((xs[b], ys[b] + half))
        routes[source, target] = points
    return Layout(right, bottom, [(xs[n], ys[n]) for n in range(len(sizes))], routes)


def _across(
    rows: list[list[int]], widths: list[float], links: list[tuple[int, int]]
) -> dict[int, float]:
    """Return the x of each node: in the order of its row, near the nodes it is linked with."""
    above, below = _neighbours(links)
    xs: dict[int, float] = {}
    for row in rows:
        xs.update(zip(row, _apart([0.0] * len(row), [widths[n] for n in row], [1.0] * len(row))))
    for sweep in range(2 * _SWEEPS):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            beside = [
                (above[n] or below[n]) if sweep % 2 == 0 else (below[n] or above[n]) for n in row
            ]
            if sweep >= 2 * _SWEEPS - 4:
                beside = [above[n] + below[n] for n in row]
            # boxes are in line with boxes, and edges bend around them
            beside = [[m for m in nodes if widths[m] != _LANE] or nodes for nodes in beside]
            wanted = [_mean([xs[m] for m in nodes], xs[n]) for n, nodes in zip(row, beside)]
            weights = [1.0 if widths[n] == _LANE else 8.0 for n in row]
            xs.update(zip(row, _apart(wanted, [widths[n] for n in row], weights)))
    return xs


def _apart(wanted: list[float], widths: list[float], weights: list[float]) -> list[float]:
    """Return positions in this order, far enough apart, of the least squared distance to `wanted`.

    Blocks of neighbours that touch are merged as long as they overlap (pool adjacent violators).
    """
    offsets = [0.0]
    for left, right in zip(widths, widths[1:]):
        offsets.append(offsets[-1] + (left + right) / 2 + _GAP)
    blocks: list[list[float]] = []  # mean, weight, count
    for place, weight, offset in zip(wanted, weights, offsets):
        blocks.append([place - offset, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, heavy, count = blocks.pop()
            total = blocks[-1][1] + heavy
            blocks[-1][0] = (blocks[-1][0] * blocks[-1][1] + mean * heavy) / total
            blocks[-1][1:] = [total, blocks[-1][2] + count]
    means = [mean for mean, _, count in blocks for _ in range(int(count))]
    return [mean + offset for mean, offset in zip(means, offsets)]
