import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from greencode_lsp.completion.profiles import Profile, ProfileError, loss_note, resolve_profile
from greencode_lsp.policy import BundlePolicy, FixedExit, NeverExit, PolicyError, Reading, Verdict, load_bundle_policy
from greencode_lsp.policy.calibration import ProvenMap, read_calibration
from greencode_lsp.policy.learned import LearnedPolicy, load_network
from tests.policy.files import HIDDEN, random_tensors, write_calibration_file, write_policy_file

EXITS = (6, 12, 18)


def reading(hidden, index=1, probability=None):
    return Reading(index, EXITS[index], hidden, probability)


def by_hand(tensors, index, hidden, inputs, probability=0.5):
    """Compute the scores with torch, from the formulas in the module's docstring; the last confirms."""
    part = {name: torch.from_numpy(tensor[index]).double() for name, tensor in tensors.items()}
    state = hidden.double()
    if inputs == "rms":
        state = state / (state.square().mean() + 1e-6).sqrt()
    first = torch.tanh(part["in.weight"] @ state + part["in.bias"])
    second = torch.tanh(part["mid.weight"] @ first + part["mid.bias"])
    scores = part["out.weight"] @ second + part["out.bias"]
    if "confirm.mid.weight" not in tensors:
        return scores.tolist()
    sure = torch.tensor([probability]).double().logit()
    third = torch.tanh(part["confirm.mid.weight"] @ torch.cat([first, sure]) + part["confirm.mid.bias"])
    confirm = part["confirm.out.weight"] @ torch.cat([third, sure]) + part["confirm.out.bias"]
    return [*scores.tolist(), float(confirm)]


@pytest.mark.parametrize("inputs", ["rms", "raw"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_exit_is_scored_by_its_own_network(tmp_path, inputs, dtype):
    network = load_network(write_policy_file(tmp_path, EXITS, inputs=inputs), EXITS, HIDDEN)
    states = (torch.randn(3, HIDDEN, generator=torch.Generator().manual_seed(1)) * 5).to(dtype)
    with torch.inference_mode():
        found = [network.scores(index, states[index].clone()) for index in range(3)]
    for index, scores in enumerate(found):
        assert scores == pytest.approx(by_hand(random_tensors(3), index, states[index], inputs), abs=1e-4)
    assert len({round(scores[0], 3) for scores in found}) == 3


def test_a_state_on_another_device_is_scored_there(tmp_path):
    network = load_network(write_policy_file(tmp_path, EXITS), EXITS, HIDDEN)
    state = torch.randn(HIDDEN, generator=torch.Generator().manual_seed(2))
    assert network.scores_on_device(2, state).tolist() == pytest.approx(network.scores(2, state), abs=1e-5)


def test_scores_leave_a_state_as_it_was(tmp_path):
    network = load_network(write_policy_file(tmp_path, EXITS), EXITS, HIDDEN)
    state = torch.ones(HIDDEN)
    network.scores(0, state)
    assert torch.equal(state, torch.ones(HIDDEN))


def test_the_threshold_decides_unless_the_policy_gives_up(tmp_path):
    network = load_network(write_policy_file(tmp_path, EXITS), EXITS, HIDDEN)
    state = torch.ones(HIDDEN)
    score, stop_score = network.scores(1, state)
    assert LearnedPolicy(network, score - 0.01).decide(reading(state)) is Verdict.EXIT
    assert LearnedPolicy(network, score + 0.01).decide(reading(state)) is Verdict.CONTINUE
    stops = write_policy_file(tmp_path / "stops", EXITS, stop_threshold=repr(stop_score - 0.01))
    assert LearnedPolicy(load_network(stops, EXITS, HIDDEN), score - 0.01).decide(reading(state)) is Verdict.STOP


@pytest.mark.parametrize("inputs", ["rms", "raw"])
def test_a_policy_that_confirms_decides_once_more_when_the_token_has_been_read(tmp_path, inputs):
    tensors = random_tensors(3, confirms=True)
    network = load_network(write_policy_file(tmp_path, EXITS, tensors, format="2", inputs=inputs), EXITS, HIDDEN)
    state = torch.randn(HIDDEN, generator=torch.Generator().manual_seed(3))
    for index, probability in ((0, 0.1), (1, 0.7), (2, 0.98)):
        *scores, confirm = by_hand(tensors, index, state, inputs, probability)
        assert network.scores(index, state) == pytest.approx(scores, abs=1e-4)
        assert network.confirmation(index, state, probability) == pytest.approx(confirm, abs=1e-4)
        asked, answered = reading(state, index), reading(state, index, probability)
        assert LearnedPolicy(network, scores[0] - 0.01).decide(asked) is Verdict.READ
        assert LearnedPolicy(network, scores[0] + 0.01).decide(asked) is Verdict.CONTINUE
        assert LearnedPolicy(network, confirm - 0.01).decide(answered) is Verdict.EXIT
        assert LearnedPolicy(network, confirm + 0.01).decide(answered) is Verdict.CONTINUE


def test_nobody_is_quite_sure(tmp_path):
    """Traces know probabilities in float16, where 0.9999 is 1: what is decided by must be the same."""
    network = load_network(
        write_policy_file(tmp_path, EXITS, random_tensors(3, confirms=True), format="2"), EXITS, HIDDEN
    )
    said = [network.confirmation(1, torch.ones(HIDDEN), probability) for probability in (0.9997, 0.9999, 1.0)]
    assert len(set(said)) == 1
    assert np.isfinite(network.confirmation(1, torch.ones(HIDDEN), 0.0))


def broken_tensors(name, value, confirms=False):
    tensors = random_tensors(3, confirms=confirms)
    return tensors | {name: value(tensors[name])}


@pytest.mark.parametrize(
    ("tensors", "facts", "message"),
    [
        (broken_tensors("in.weight", lambda t: t * float("nan")), {}, "NaN or infinite numbers in in.weight"),
        (
            broken_tensors("out.weight", lambda t: t[:, :1].copy()),
            {},
            r"out.weight has shape \[3, 1, 6\], wanted \[3, 2, 6\]",
        ),
        (
            broken_tensors("confirm.mid.weight", lambda t: t[:, :, :-1].copy(), True),
            {"format": "2"},
            r"confirm.mid.weight has shape .*, wanted ",
        ),
        (
            broken_tensors("confirm.out.bias", lambda t: t + np.inf, True),
            {"format": "2"},
            "NaN or infinite numbers in confirm.out",
        ),
        (None, {"format": "2"}, "damaged"),
        (None, {"format": "9"}, "format 9"),
        (None, {"exits": "six"}, "damaged"),
        (None, {"inputs": "guessed"}, "unknown metadata"),
        (None, {"exits": "[6, 12, 20]"}, r"is for exits \[6, 12, 20\], but the model has \[6, 12, 18\]"),
    ],
)
def test_an_unusable_policy_is_one_line_that_names_the_file(tmp_path, tensors, facts, message):
    path = write_policy_file(tmp_path, EXITS, tensors, **facts)
    with pytest.raises(PolicyError, match=message) as raised:
        load_network(path, EXITS, HIDDEN)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def threshold_of(profile: Profile) -> float:
    policy = profile.make_policy()
    assert isinstance(policy, LearnedPolicy)
    return policy.threshold


def test_profiles_take_the_thresholds_that_calibration_found(tmp_path):
    write_policy_file(tmp_path, EXITS)
    write_calibration_file(tmp_path, {0.005: 3.0, 0.01: 2.0, 0.02: 1.0, 0.05: -1.0})
    bundle = load_bundle_policy(tmp_path, EXITS, HIDDEN)
    thresholds = {name: threshold_of(resolve_profile(name, bundle)) for name in ("balanced", "eco", "auto", "exact")}
    assert thresholds == {"balanced": 2.0, "eco": -1.0, "auto": 2.0, "exact": 0.5}
    assert resolve_profile("auto", bundle).name == "balanced"
    assert resolve_profile("exact", bundle).verify
    drafting = {name: resolve_profile(name, bundle).guessing for name in ("full", "exact", "balanced", "eco")}
    assert drafting == {"full": False, "exact": True, "balanced": True, "eco": True}
    assert resolve_profile("full", bundle).make_policy is NeverExit


def test_profiles_fill_by_the_map_that_their_bound_left_room_for(tmp_path):
    write_policy_file(tmp_path, EXITS)
    path = write_calibration_file(tmp_path, {0.01: 2.0, 0.02: None, 0.05: -1.0})
    written, maps = read_calibration(path), (ProvenMap(18, "one", 0.02), ProvenMap(22, "another", 0.004))
    bounds = [replace(bound, fill=fill) for bound, fill in zip(written.bounds, (22, 18, 18), strict=True)]
    replace(written, bounds=tuple(bounds), maps=maps).write(path)
    assert read_calibration(path).maps == maps
    bundle = load_bundle_policy(tmp_path, EXITS, HIDDEN)
    assert [resolve_profile(name, bundle).fill for name in ("full", "exact", "balanced", "eco")] == [0, 0, 22, 18]
    assert resolve_profile("balanced", bundle, 0.02).fill == 0  # nothing exits there


@pytest.mark.parametrize(("loss", "threshold"), [(0.005, 3.0), (0.015, 2.0), (0.02, 1.0), (0.2, -1.0)])
def test_a_users_own_bound_takes_the_loosest_proven_one_within_it(tmp_path, loss, threshold):
    write_policy_file(tmp_path, EXITS)
    write_calibration_file(tmp_path, {0.005: 3.0, 0.01: 2.0, 0.02: 1.0, 0.05: -1.0})
    bundle = load_bundle_policy(tmp_path, EXITS, HIDDEN)
    assert threshold_of(resolve_profile("balanced", bundle, loss)) == threshold
    assert threshold_of(resolve_profile("eco", bundle, loss)) == -1.0


@pytest.mark.parametrize(
    ("name", "loss", "note"),
    [
        ("balanced", 0.01, ""),
        ("balanced", 5 / 100, ""),
        ("auto", 0.5 / 100, ""),
        ("eco", 0.03, ""),
        ("exact", 0.03, ""),
        ("full", 0.001, ""),
        (
            "balanced",
            0.03,
            "maxQualityLoss is 3 %, but the model is calibrated for 0.5 %, 1 %, 5 %: balanced keeps to 1 %",
        ),
        ("auto", 0.2, "maxQualityLoss is 20 %, but the model is calibrated for 0.5 %, 1 %, 5 %: auto keeps to 5 %"),
        (
            "balanced",
            0.002,
            "maxQualityLoss is 0.2 %, but the model is calibrated for 0.5 %, 1 %, 5 %: "
            "no token exits early, balanced runs all layers",
        ),
        (
            "auto",
            0.001,
            "maxQualityLoss is 0.1 %, but the model is calibrated for 0.5 %, 1 %, 5 %: "
            "no token exits early, auto is exact",
        ),
    ],
)
def test_a_bound_that_is_not_kept_as_asked_is_told_in_one_line(tmp_path, name, loss, note):
    write_policy_file(tmp_path, EXITS)
    write_calibration_file(tmp_path, {0.005: 3.0, 0.01: 2.0, 0.05: -1.0})
    assert loss_note(name, load_bundle_policy(tmp_path, EXITS, HIDDEN), loss) == note


def test_a_bound_without_a_proven_threshold_is_told(tmp_path):
    write_policy_file(tmp_path, EXITS)
    write_calibration_file(tmp_path, {0.01: None, 0.05: 0.0})
    bundle = load_bundle_policy(tmp_path, EXITS, HIDDEN)
    asked = "maxQualityLoss is 1 %, but the model is calibrated for 5 %: no token exits early, "
    assert loss_note("balanced", bundle, 0.01) == asked + "balanced runs all layers"
    assert loss_note("balanced", BundlePolicy(EXITS), 0.01) == ""


def test_where_no_threshold_was_proven_nothing_exits(tmp_path):
    write_policy_file(tmp_path, EXITS)
    write_calibration_file(tmp_path, {0.01: None, 0.05: 0.0}, drafting=None)
    bundle = load_bundle_policy(tmp_path, EXITS, HIDDEN)
    assert resolve_profile("balanced", bundle).make_policy is NeverExit
    assert resolve_profile("balanced", bundle, 0.001).make_policy is NeverExit
    assert resolve_profile("auto", bundle).name == "exact"
    assert threshold_of(resolve_profile("eco", bundle)) == 0.0
    drafts = resolve_profile("exact", bundle).make_policy()
    assert isinstance(drafts, FixedExit)
    assert drafts.layer == 18


def test_a_bundle_without_a_policy_works_as_before():
    bundle = BundlePolicy(EXITS)
    assert resolve_profile("auto", bundle).name == "exact"
    assert isinstance(resolve_profile("exact", bundle).make_policy(), FixedExit)
    with pytest.raises(ProfileError, match="calibrated policy"):
        resolve_profile("eco", bundle)


@pytest.mark.parametrize("broken", ["policy", "calibration", "another policy", "other exits"])
def test_full_depth_outlives_damaged_files_and_the_others_say_why(tmp_path, broken):
    policy = write_policy_file(tmp_path, EXITS)
    calibration = write_calibration_file(tmp_path, {0.01: 2.0})
    if broken == "policy":
        policy.write_bytes(policy.read_bytes()[:300])
    elif broken == "calibration":
        data = json.loads(calibration.read_text())
        calibration.write_text(json.dumps(data | {"bounds": [{"loss": 0.01}]}))
    elif broken == "another policy":
        write_policy_file(tmp_path, EXITS, random_tensors(3, seed=9))
    bundle = load_bundle_policy(tmp_path, EXITS, HIDDEN, "other" if broken == "other exits" else "mine")
    assert "\n" not in bundle.problem
    assert resolve_profile("full", bundle).make_policy is NeverExit
    assert resolve_profile("auto", bundle).name == "exact"
    with pytest.raises(ProfileError) as raised:
        resolve_profile("balanced", bundle)
    assert str(calibration if broken != "policy" else policy) in str(raised.value)
