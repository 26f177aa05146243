"""Thresholds for each allowed loss, from traces of a toy whose best policy is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from greencode_lsp.policy.bundle import POLICY_FILE, file_sha256
from greencode_lsp.policy.calibration import ProvenMap
from greencode_lsp.policy.learned import read_policy
from greencode_lsp.training.calibration.calibrate import Calibrated, calibrate
from greencode_lsp.training.calibration.drafting import drafting_speed, drafting_threshold
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.policy.controls import unasked
from greencode_lsp.training.policy.costs import Costs
from greencode_lsp.training.policy.export import write_policy
from greencode_lsp.training.policy.fitting import FitOptions
from greencode_lsp.training.policy.outcomes import tally
from greencode_lsp.training.policy.scoring import Scores, decide, score
from greencode_lsp.training.policy.table import policy_table
from greencode_lsp.training.policy.trace_set import TraceSet
from greencode_lsp.training.policy.train import TrainOptions, train
from greencode_lsp.training.progress import silent
from tests.training.policy.toy import COSTS, EXITS, LAYERS, toy_traces


def unseen_traces(**size: int) -> TraceSet:
    return replace(unsure_traces(**size), split="calibration", exits_sha256="e")


def unsure_traces(**size: int) -> TraceSet:
    """Make toy traces whose states tell less openly what exits are worth, and whose tokens do not tell it at all."""
    traces = toy_traces(**size)
    noise = np.random.default_rng(size.get("seed", 0) + 1).normal(scale=0.5, size=traces.hidden.shape)
    probability = np.full_like(traces.probability, 0.5)
    return replace(traces, hidden=(traces.hidden + noise).astype(np.float16), probability=probability)


def trained(traces: TraceSet, folder: Path) -> Path:
    options = TrainOptions("supervised", fit=FitOptions(width=16, second_width=16, epochs=15, batch=128))
    write_policy(folder / POLICY_FILE, train(traces, options, COSTS, silent).policy)
    return folder / POLICY_FILE


@pytest.fixture(scope="module")
def policy_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(unsure_traces(), tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="module")
def calibrated(policy_path: Path) -> Calibrated:
    return calibrate(unseen_traces(rows=20_000, packages=30, seed=8), policy_path, COSTS, silent, 0.95)


def test_every_bound_is_kept_with_its_confidence(calibrated: Calibrated, policy_path: Path) -> None:
    calibration = calibrated.calibration
    assert [bound.loss for bound in calibration.bounds] == [0.005, 0.01, 0.02, 0.05]
    assert all(bound.expected_loss <= bound.upper_loss <= bound.loss for bound in calibration.bounds)
    assert (calibration.unit, calibration.clusters, calibration.rows) == ("project", 30, 20_000)
    assert (calibration.policy_sha256, calibration.exits_sha256) == (file_sha256(policy_path), "e")


def test_a_map_of_keys_and_values_takes_its_part_of_every_bound(calibrated: Calibrated, policy_path: Path) -> None:
    traces = unseen_traces(rows=20_000, packages=30, seed=8)
    maps = (ProvenMap(18, "its hash", 0.009), ProvenMap(22, "another", 0.004))
    found = calibrate(traces, policy_path, COSTS, silent, 0.95, maps).calibration
    assert found.maps == maps
    assert [bound.fill for bound in found.bounds] == [0, 22, 18, 18]  # at most half a bound goes to a map
    taken = {0: 0.0, 18: 0.009, 22: 0.004}
    for bound, without in zip(found.bounds, calibrated.calibration.bounds, strict=True):
        assert bound.upper_loss <= bound.loss - taken[bound.fill]
        assert bound.threshold is None or (without.threshold is not None and bound.threshold >= without.threshold)
    assert found.bounds[2].threshold is not None


def test_a_looser_bound_saves_more(calibrated: Calibrated) -> None:
    bounds = calibrated.calibration.bounds
    thresholds = [bound.threshold for bound in bounds if bound.threshold is not None]
    assert len(thresholds) == 4
    assert thresholds == sorted(thresholds, reverse=True)
    assert bounds[-1].mean_depth < bounds[0].mean_depth < LAYERS
    assert bounds[-1].saved > bounds[0].saved > 0.2


@pytest.mark.slow
def test_of_proven_thresholds_the_one_that_saves_most_is_taken(tmp_path: Path) -> None:
    """Here tokens tell all: the lowest threshold loses next to nothing, but has every exit read in vain."""
    path = trained(toy_traces(), tmp_path)
    traces = replace(toy_traces(rows=20_000, packages=30, seed=8), split="calibration")
    bound = calibrate(traces, path, COSTS, silent, 0.95).calibration.bounds[-1]
    scores, grid = score(read_policy(path), traces), read_policy(path).grid
    saved = {float(one): tally(traces, decide(scores, one), COSTS).figures().saved for one in grid}
    lower = [share for threshold, share in saved.items() if threshold < (bound.threshold or 0.0)]
    assert bound.upper_loss < 0.01 and min(lower) < bound.saved - 0.1


def test_the_trade_off_names_every_control(calibrated: Calibrated) -> None:
    names = {row.name for row in calibrated.curve}
    assert names >= {"supervised", "oracle", "confidence", "random", "fixed", "full depth", "fixed exit 4"}
    at_depth = [row for row in calibrated.curve if row.target_depth == pytest.approx(0.6 * LAYERS)]
    kept = {row.name: row.figures.accuracy_kept for row in at_depth}
    assert kept["supervised"] > kept["random"] + 0.1
    assert kept["supervised"] > kept["fixed"] + 0.1


def test_a_policy_table_says_what_every_bound_does_elsewhere(calibrated: Calibrated, policy_path: Path) -> None:
    """The same rows as calibration has, so the same figures, but of all tokens and not the means over projects."""
    traces = unsure_traces(rows=20_000, packages=30, seed=8)
    calibration = calibrated.calibration
    rows = policy_table(traces, {"toy": read_policy(policy_path)}, COSTS, (), {"toy": calibration})
    found = [row for row in rows if row.name.startswith("toy, ")]
    assert [row.name for row in found] == [f"toy, {share} allowed" for share in ("0.5%", "1.0%", "2.0%", "5.0%")]
    for row, bound in zip(found, calibration.bounds, strict=True):
        assert row.threshold == bound.threshold
        assert (row.figures.mean_depth, row.figures.saved) == pytest.approx((bound.mean_depth, bound.saved))
        assert 1 - row.figures.accuracy_kept == pytest.approx(bound.expected_loss, abs=2e-3)


def test_a_policy_for_another_model_is_refused_in_one_line(policy_path: Path) -> None:
    traces = unseen_traces()
    exits, states = replace(traces, exits=(1, 2, 3)), replace(traces, hidden=np.tile(traces.hidden, 2))
    with pytest.raises(TrainingError, match=r"for exits \[2, 4, 6\] .* the traces have \[1, 2, 3\]"):
        calibrate(exits, policy_path, COSTS, silent, 0.95)
    with pytest.raises(TrainingError, match=r"states of (\d+) numbers, the traces have \[2, 4, 6\] and (?!\1)"):
        calibrate(states, policy_path, COSTS, silent, 0.95)


@pytest.mark.parametrize("split", ["train", "heldout", "calibration, written by eco"])
def test_nothing_is_proven_on_what_training_or_judging_has_seen(policy_path: Path, split: str) -> None:
    with pytest.raises(TrainingError, match=f"of {split}, and a bound is proven on what no training has seen"):
        calibrate(replace(unseen_traces(), split=split), policy_path, COSTS, silent, 0.95)


def test_too_few_projects_fall_back_on_files_and_too_few_files_are_refused(policy_path: Path) -> None:
    one_project = unseen_traces(files=24, packages=1)
    assert calibrate(one_project, policy_path, COSTS, silent, 0.95).calibration.unit == "file"
    with pytest.raises(TrainingError, match="at least 8 projects or 20 files"):
        calibrate(unseen_traces(files=4, packages=2), policy_path, COSTS, silent, 0.95)


def test_the_speed_of_drafting_is_what_a_hand_computes() -> None:
    """Eight drafts behind the first exit, all right: the shallow part and the head for each, then the rest for all."""
    costs = Costs(EXITS, LAYERS, head=2.0, row_cost=0.5)
    traces = toy_traces(rows=8, files=1, packages=1)
    right = replace(traces, predicted=np.full_like(traces.predicted, 5))
    spent = 8 * (2 + 2) + 6 * (1 + 0.5 * 7) + 2 * (1 + 0.5 * 7)
    assert drafting_speed(right, unasked(np.zeros(8, np.int64)), costs) == pytest.approx(8 * (8 + 2) / spent)


def test_drafts_that_are_never_right_do_not_pay() -> None:
    traces = toy_traces(rows=400)
    wrong = replace(traces, predicted=traces.predicted + np.arange(4, dtype=np.int32) * 100)
    scores = Scores(np.ones((400, 3)))
    assert drafting_threshold(wrong, scores, [0.5, 0.0], COSTS) is None
