"""Reads the event log of a web service and sums it up by route, hour and status."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

LINE = re.compile(
    r"(?P<when>\S+) (?P<method>GET|POST|PUT|DELETE) (?P<path>\S+) (?P<status>\d{3}) (?P<millis>\d+)ms"
    r"(?: user=(?P<user>\w+))?"
)


@dataclass(frozen=True)
class Event:
    """One answered request."""

    when: datetime
    method: str
    path: str
    status: int
    duration: timedelta
    user: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the service is to blame."""
        return self.status >= 500


@dataclass
class RouteSummary:
    """What happened on one route."""

    route: str
    requests: int = 0
    failures: int = 0
    durations: list[timedelta] = field(default_factory=list)
    users: set[str] = field(default_factory=set)

    def add(self, event: Event) -> None:
        """Count one event."""
        self.requests += 1
        self.durations.append(event.duration)
        if event.failed:
            self.failures += 1
        if event.user is not None:
            self.users.add(event.user)

    @property
    def failure_rate(self) -> float:
        """Share of requests that failed."""
        return self.failures / self.requests if self.requests else 0.0

    def percentile(self, share: float) -> timedelta:
        """Return the duration that this share of the requests does not exceed."""
        if not self.durations:
            return timedelta()
        ordered = sorted(self.durations)
        index = min(int(share * len(ordered)), len(ordered) - 1)
        return ordered[index]


def parse_line(line: str) -> Event | None:
    """Return the event of a line, None where the line is something else."""
    match = LINE.fullmatch(line.strip())
    if match is None:
        return None
    return Event(
        when=datetime.fromisoformat(match["when"]),
        method=match["method"],
        path=match["path"],
        status=int(match["status"]),
        duration=timedelta(milliseconds=int(match["millis"])),
        user=match["user"],
    )


def read_events(paths: Iterable[Path]) -> Iterator[Event]:
    """Read the events of several files, oldest file first."""
    for path in sorted(paths, key=lambda path: path.stat().st_mtime):
        with path.open(encoding="utf-8") as stream:
            for line in stream:
                event = parse_line(line)
                if event is not None:
                    yield event


def route_of(path: str) -> str:
    """Replace the numbers in a path, so that all articles are one route."""
    parts = path.split("?", 1)[0].split("/")
    return "/".join("{id}" if part.isdigit() else part for part in parts)


def summarize(events: Iterable[Event]) -> dict[str, RouteSummary]:
    """Sum up events by route."""
    summaries: dict[str, RouteSummary] = {}
    for event in events:
        route = f"{event.method} {route_of(event.path)}"
        if route not in summaries:
            summaries[route] = RouteSummary(route)
        summaries[route].add(event)
    return summaries


def busiest_hours(events: Iterable[Event], count: int = 3) -> list[tuple[int, int]]:
    """Return the hours of the day with the most requests, and how many."""
    hours = Counter(event.when.hour for event in events)
    return hours.most_common(count)


def statuses_by_day(events: Iterable[Event]) -> dict[str, Counter[int]]:
    """Count the statuses of each day."""
    days: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for event in events:
        days[event.when.date().isoformat()][event.status] += 1
    return dict(days)


def slowest_routes(summaries: dict[str, RouteSummary], limit: timedelta) -> list[RouteSummary]:
    """Return the routes whose 95th percentile exceeds a limit, slowest first."""
    slow = [summary for summary in summaries.values() if summary.percentile(0.95) > limit]
    return sorted(slow, key=lambda summary: summary.percentile(0.95), reverse=True)
