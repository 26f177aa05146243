"""Profiles: what the user picks, and how the engine decodes for it."""

from collections.abc import Callable
from dataclasses import dataclass

from greencode_lsp.errors import UserError
from greencode_lsp.policy import FixedExit, NeverExit, Policy

PROFILES = ("full", "exact", "balanced", "eco", "auto")


class ProfileError(UserError):
    """A profile that does not exist, or that the bundle has no calibration for."""


@dataclass(frozen=True)
class Profile:
    """How to decode: by which policy, and whether exits only draft. `make_policy` makes one per completion."""

    name: str
    make_policy: Callable[[], Policy]
    verify: bool = False


def resolve_profile(name: str, exits: tuple[int, ...]) -> Profile:
    """Return the profile of that name for a bundle with these exits; raise `ProfileError` in one line.

    `auto` takes the best that the bundle offers. Without calibrated exits that is full depth.
    """
    match name:
        case "full" | "auto":
            return Profile("full", NeverExit)
        case "exact":
            return Profile("exact", (lambda: FixedExit(exits[-1])) if exits else NeverExit, verify=True)
        case "balanced" | "eco":
            raise ProfileError(
                f"profile {name!r} needs exits with a calibrated policy, which this bundle does not have yet; "
                "use full, exact or auto"
            )
        case _:
            raise ProfileError(f"unknown profile {name!r}; there are: {', '.join(PROFILES)}")
