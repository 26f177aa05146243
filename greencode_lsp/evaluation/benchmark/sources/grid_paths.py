"""Shortest paths on a grid of terrain, and the maps they are drawn on."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

Heuristic = Callable[["Cell", "Cell"], float]

COSTS = {".": 1.0, "~": 4.0, "^": 9.0}
WALL = "#"


class NoPathError(Exception):
    """There is no way from the start to the goal."""


@dataclass(frozen=True, order=True)
class Cell:
    """A place on the grid, counted from the upper left corner."""

    row: int
    column: int

    def moved(self, rows: int, columns: int) -> Cell:
        """Return the cell that lies so far away."""
        return Cell(self.row + rows, self.column + columns)


class Grid:
    """A rectangle of terrain."""

    def __init__(self, lines: list[str]) -> None:
        if not lines or any(len(line) != len(lines[0]) for line in lines):
            raise ValueError("all lines of a grid must have the same length")
        self._lines = lines

    @classmethod
    def parse(cls, text: str) -> Grid:
        """Read a grid from a drawing."""
        return cls([line.strip() for line in text.splitlines() if line.strip()])

    @property
    def height(self) -> int:
        """Number of rows."""
        return len(self._lines)

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self._lines[0])

    def __contains__(self, cell: Cell) -> bool:
        return 0 <= cell.row < self.height and 0 <= cell.column < self.width

    def terrain(self, cell: Cell) -> str:
        """Return the kind of terrain at a cell."""
        return self._lines[cell.row][cell.column]

    def is_open(self, cell: Cell) -> bool:
        """Say whether one can walk there."""
        return cell in self and self.terrain(cell) != WALL

    def neighbours(self, cell: Cell) -> Iterator[tuple[Cell, float]]:
        """Yield the open cells around a cell with the cost of stepping there."""
        for rows, columns in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            neighbour = cell.moved(rows, columns)
            if self.is_open(neighbour):
                yield neighbour, COSTS[self.terrain(neighbour)]


def manhattan(start: Cell, goal: Cell) -> float:
    """Return the number of steps between two cells where nothing is in the way."""
    return abs(start.row - goal.row) + abs(start.column - goal.column)


def euclidean(start: Cell, goal: Cell) -> float:
    """Return the length of the straight line between two cells."""
    return math.hypot(start.row - goal.row, start.column - goal.column)


@dataclass(frozen=True)
class Path:
    """A way through a grid, and what it costs."""

    cells: tuple[Cell, ...]
    cost: float

    def __len__(self) -> int:
        return len(self.cells) - 1

    def turns(self) -> int:
        """Count how often the direction changes."""
        steps = [(after.row - before.row, after.column - before.column) for before, after in pairwise(self.cells)]
        return sum(first != second for first, second in pairwise(steps))


def shortest_path(grid: Grid, start: Cell, goal: Cell, heuristic: Heuristic = manhattan) -> Path:
    """Find the cheapest way with A*; raise NoPathError where there is none."""
    costs = {start: 0.0}
    came_from: dict[Cell, Cell] = {}
    queue = [(heuristic(start, goal), start)]
    done: set[Cell] = set()
    while queue:
        _, cell = heapq.heappop(queue)
        if cell == goal:
            return Path(tuple(walk_back(came_from, goal)), costs[goal])
        if cell in done:
            continue
        done.add(cell)
        for neighbour, step in grid.neighbours(cell):
            cost = costs[cell] + step
            if cost < costs.get(neighbour, math.inf):
                costs[neighbour] = cost
                came_from[neighbour] = cell
                heapq.heappush(queue, (cost + heuristic(neighbour, goal), neighbour))
    raise NoPathError(f"no way from {start} to {goal}")


def walk_back(came_from: dict[Cell, Cell], goal: Cell) -> list[Cell]:
    """Return the cells from the start to the goal."""
    cells = [goal]
    while cells[-1] in came_from:
        cells.append(came_from[cells[-1]])
    cells.reverse()
    return cells


def draw(grid: Grid, path: Path) -> str:
    """Draw a path on its grid."""
    rows = [[grid.terrain(Cell(row, column)) for column in range(grid.width)] for row in range(grid.height)]
    for cell in path.cells:
        rows[cell.row][cell.column] = "*"
    return "\n".join("".join(row) for row in rows)
