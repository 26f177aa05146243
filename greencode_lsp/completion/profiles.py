"""Profiles: what the user picks, and how the engine decodes for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from greencode_lsp.errors import UserError
from greencode_lsp.policy import Bound, BundlePolicy, FixedExit, NeverExit, Policy

SAME_LOSS = 1e-6
"""Losses nearer to each other than that are the same: one of them has been a percentage."""

PROFILES = ("full", "exact", "balanced", "eco", "auto")


class ProfileError(UserError):
    """A profile that does not exist, or that the bundle has no calibration for."""


@dataclass(frozen=True)
class Profile:
    """How to decode: by which policy, whether exits only draft, and whether what costs no layer to guess drafts, too.

    Rows far above the cursor may be filled by the model's map of keys and values after `fill` layers; 0 for none.

    `make_policy` makes one policy per completion.
    """

    name: str
    make_policy: Callable[[], Policy]
    verify: bool = False
    guessing: bool = False
    fill: int = 0


def resolve_profile(name: str, bundle: BundlePolicy, max_loss: float | None = None) -> Profile:
    """Return the profile of that name for what the bundle offers; raise `ProfileError` in one line.

    `max_loss` is the share of full depth's right tokens that `balanced` may lose, where the user has set it. `auto` is
    `balanced` where that exits at all, and `exact` otherwise.
    """
    match name:
        case "full":
            return Profile("full", NeverExit)
        case "exact":
            return Profile("exact", drafting_policy(bundle), verify=True, guessing=True)
        case "balanced" | "eco":
            return calibrated_profile(name, bundle, max_loss)
        case "auto":
            try:
                balanced = calibrated_profile("balanced", bundle, max_loss)
            except ProfileError:
                return resolve_profile("exact", bundle)
            return resolve_profile("exact", bundle) if balanced.make_policy is NeverExit else balanced
        case _:
            raise ProfileError(f"unknown profile {name!r}; there are: {', '.join(PROFILES)}")


def calibrated_profile(name: str, bundle: BundlePolicy, max_loss: float | None) -> Profile:
    """Exit by the bundle's policy, at the threshold that was proven to keep the profile's bound on the loss."""
    network, calibration = bundle.network, bundle.calibration
    if network is None or calibration is None:
        why = bundle.problem or "it needs exits with a calibrated policy, which this bundle does not have yet"
        raise ProfileError(f"profile {name!r} cannot be used: {why}; use full, exact or auto")
    loss = max_loss if name == "balanced" and max_loss is not None else calibration.profiles.get(name)
    bound: Bound | None = None if loss is None else calibration.bound(loss)
    if bound is None or bound.threshold is None:
        return Profile(name, NeverExit, guessing=True)
    return learned(name, bundle, bound.threshold, bound.fill)


def loss_note(name: str, bundle: BundlePolicy, max_loss: float) -> str:
    """Return in one line what a profile keeps to instead of `max_loss`, a share; "" where it keeps to just that.

    Only `balanced`, and so `auto`, go by `max_loss`. A bundle without a calibration has no bounds to speak of.
    """
    calibration = bundle.calibration
    if name not in ("balanced", "auto") or bundle.network is None or calibration is None:
        return ""
    bound, proven = calibration.bound(max_loss), calibration.proven_losses
    asked, choice = f"maxQualityLoss is {percent(max_loss)}", f"the model is calibrated for {percents(proven)}"
    if bound is None or bound.threshold is None:
        instead = "auto is exact" if name == "auto" else "balanced runs all layers"
        return f"{asked}, but {choice}: no token exits early, {instead}"
    if max_loss - bound.loss > SAME_LOSS:
        return f"{asked}, but {choice}: {name} keeps to {percent(bound.loss)}"
    return ""


def percents(losses: Sequence[float]) -> str:
    """Return shares as a list of percentages, `0.5 %, 1 %`."""
    return ", ".join(map(percent, losses)) or "no loss at all"


def percent(share: float) -> str:
    """Return a share in percent, with four digits at most."""
    return f"{100 * share:.4g} %"


def drafting_policy(bundle: BundlePolicy) -> Callable[[], Policy]:
    """Draft where the bundle's policy is sure enough for that to pay; without one, at the last exit."""
    calibration = bundle.calibration
    if bundle.network is not None and calibration is not None and calibration.drafting_threshold is not None:
        return learned("exact", bundle, calibration.drafting_threshold).make_policy
    if not bundle.exits:
        return NeverExit
    deepest = bundle.exits[-1]
    return lambda: FixedExit(deepest)


def learned(name: str, bundle: BundlePolicy, threshold: float, fill: int = 0) -> Profile:
    """Return a profile that exits by the bundle's policy at a threshold."""
    from greencode_lsp.policy.learned import LearnedPolicy

    network = bundle.network
    assert network is not None
    return Profile(name, lambda: LearnedPolicy(network, threshold), guessing=True, fill=fill)
