"""Settings: what a client may send, checked one by one, so that a bad one costs only itself."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from greencode_lsp.completion.profiles import PROFILES
from greencode_lsp.energy import grid_factor
from greencode_lsp.server.secret_files import SECRET_FILES


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The section `greencode` of a client's settings."""

    model: str = "smollm2-135m"
    profile: str = "auto"
    max_quality_loss: float = 1.0
    max_tokens: int = 48
    certainty: float = 10.0
    debounce_ms: int | str = "auto"
    automatic: bool = True
    multiline: str = "auto"
    languages: tuple[str, ...] = ()
    exclude: tuple[str, ...] = SECRET_FILES
    other_files: bool = False
    alternatives: int = 3
    device: str = "auto"
    threads: int = 0
    grid_factor: str | float = "world"
    ledger_days: int = 365
    pause_on_battery: bool = False
    completion_menu: bool = False


@dataclass(frozen=True)
class Reading:
    """Settings, and one line for each value that could not be used."""

    settings: Settings
    complaints: list[str] = field(default_factory=list)


NOT_OURS = {"enabled", "path", "interpreter", "trace"}
"""Keys of the same section that only editors use."""


def read_settings(section: Any, base: Settings | None = None) -> Reading:
    """Read a settings section over `base`; a bad or unknown value is reported and left as `base` has it."""
    base = base or Settings()
    if section is None:
        return Reading(base)
    if not isinstance(section, Mapping):
        return Reading(base, [f"greencode settings must be an object, not {type(section).__name__}; using defaults"])
    values = {known.name: getattr(base, known.name) for known in fields(Settings)}
    complaints = []
    for key, value in section.items():
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", str(key)).lower()
        if name not in CHECKS:
            if key not in NOT_OURS:
                complaints.append(f"greencode.{key} is not a setting; there are: {', '.join(map(camel, CHECKS))}")
            continue
        try:
            values[name] = CHECKS[name](value)
        except (TypeError, ValueError) as error:
            complaints.append(f"greencode.{key}: {error}; using {getattr(base, name)!r}")
    return Reading(Settings(**values), complaints)


def camel(name: str) -> str:
    """Return a field's name as clients write it."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def text(value: Any) -> str:
    """Accept a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"expected a name, got {value!r}")
    return value


def model(value: Any) -> str:
    """Accept a bundle's name, or the path of a folder on this machine that is the same wherever the server started.

    Editors start it in the workspace: a relative path would name what lies there. `//host/share` is another machine's.
    """
    name = text(value)
    path = Path(name)
    fixed = path.is_absolute() or name.startswith("~") or (path.name == name and name != "..")
    if not fixed or name.startswith(("//", "\\\\")):
        raise ValueError(f"expected a bundle's name or the absolute path of a folder on this machine, got {name!r}")
    return name


def truth(value: Any) -> bool:
    """Accept true or false."""
    if not isinstance(value, bool):
        raise TypeError(f"expected true or false, got {value!r}")
    return value


def number(low: float, high: float) -> Callable[[Any], float]:
    """Accept a number in a range."""

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise ValueError(f"expected a number from {low:g} to {high:g}, got {value!r}")
        return value

    return check


def whole(low: int, high: int) -> Callable[[Any], int]:
    """Accept a whole number in a range."""

    def check(value: Any) -> int:
        checked = number(low, high)(value)
        if checked != int(checked):
            raise ValueError(f"expected a whole number, got {value!r}")
        return int(checked)

    return check


def either(word: str, check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Accept a word, or what another check accepts."""
    return lambda value: word if value == word else check(value)


def one_of(*choices: str) -> Callable[[Any], str]:
    """Accept one of some words."""

    def check(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}, got {value!r}")
        return str(value)

    return check


def names(of: str) -> Callable[[Any], tuple[str, ...]]:
    """Accept a list of texts, called `of` where it is none."""

    def check(value: Any) -> tuple[str, ...]:
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
            raise TypeError(f"expected a list of {of}, got {value!r}")
        return tuple(value)

    return check


def factor(value: Any) -> str | float:
    """Accept the name of a grid or its grams of CO2e per kWh."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise TypeError(f"expected a grid's name or a number, got {value!r}")
    grid_factor(value)
    return value


CHECKS: dict[str, Callable[[Any], Any]] = {
    "model": model,
    "profile": one_of(*PROFILES),
    "max_quality_loss": number(0.1, 20),
    "max_tokens": whole(1, 256),
    "certainty": number(0, 90),
    "debounce_ms": either("auto", whole(0, 5000)),
    "automatic": truth,
    "multiline": one_of("auto", "always", "never"),
    "languages": names("language ids"),
    "exclude": names("patterns"),
    "other_files": truth,
    "alternatives": whole(1, 5),
    "device": one_of("auto", "cpu", "cuda"),
    "threads": whole(0, 512),
    "grid_factor": factor,
    "ledger_days": whole(0, 36_500),
    "pause_on_battery": truth,
    "completion_menu": truth,
}
