"""Keys and values that are mapped from a shallow state: where the map is exact, nothing changes but what it costs."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from greencode_lsp.completion.loading import load_maps
from greencode_lsp.engine import EarlyExitModel, EngineError, NumericalError, Request, Runner, Session, generate
from greencode_lsp.engine import kv_map as limits
from greencode_lsp.engine.architecture import Linear
from greencode_lsp.engine.backbone import Backbone
from greencode_lsp.engine.identity import weights_identity
from greencode_lsp.engine.kv_map import KvMap, as_kept, facts_of, kv_map_file, load_kv_map, save_kv_map
from greencode_lsp.engine.packed import KernelUnavailableError, load_packed
from greencode_lsp.models import Bundle, FolderSource
from greencode_lsp.policy import Calibration, FixedExit, NeverExit
from greencode_lsp.policy.bundle import file_sha256
from greencode_lsp.policy.calibration import ProvenMap
from tests.engine.conftest import Twins

pytestmark = pytest.mark.usefixtures("one_thread")

NEAR = 32

PROMPT = [int(token) for token in torch.randint(3, 300, (150,), generator=torch.Generator().manual_seed(3))]


@pytest.fixture(autouse=True)
def shorter_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FEWEST_ROWS", 32)


def exact_map(backbone: Backbone) -> KvMap:
    """Return the map of the last layer, whose keys and values depend on one state alone."""
    shape, layer = backbone.shape, backbone.weights.layers[-1]
    if layer.key_norm is not None:
        pytest.skip("its keys are normalised, which no linear map does")
    rows = slice(shape.heads * shape.head_size, None)
    weight, norm = layer.qkv.weight[rows].float(), layer.attention_norm
    bias = torch.zeros(len(weight)) if layer.qkv.bias is None else layer.qkv.bias[rows].float()
    if norm.bias is not None:
        bias = bias + weight @ norm.bias.float()
    return KvMap(shape.layers - 1, Linear(weight * norm.weight.float(), bias), near=NEAR)


def wrong_map(backbone: Runner, depth: int, near: int = NEAR) -> KvMap:
    shape = backbone.shape
    outputs = (shape.layers - depth) * 2 * shape.kv_heads * shape.head_size
    return KvMap(depth, Linear(torch.zeros(outputs, shape.hidden_size), torch.zeros(outputs)), near=near)


def test_an_exact_map_changes_no_token_and_no_key_or_value(twins: Twins) -> None:
    backbone = twins.backbone
    deepest = backbone.shape.layers - 1
    model = EarlyExitModel(backbone, (2, deepest), kv_maps=[exact_map(backbone)])
    session = Session(model)
    filled = generate(session, Request(PROMPT, 12, NeverExit(), fill=deepest))
    assert [token.id for token in filled.tokens] == twins.greedy(PROMPT, 12)
    assert session.filled == 112  # 16 rows run, of 134 others 32 are near and 96 are whole blocks
    whole = Session(model)
    generate(whole, Request(PROMPT, 1))
    for one, other in zip(session.segments, whole.segments, strict=True):
        torch.testing.assert_close(one.cache.keys[:, :, :150], other.cache.keys[:, :, :150], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(one.cache.values[:, :, :150], other.cache.values[:, :, :150], atol=1e-4, rtol=1e-4)


def test_the_kernel_finds_mapped_keys_and_values_where_it_reads_them(twins: Twins, tmp_path: Path) -> None:
    try:
        packed = load_packed(twins.folder, tmp_path)
    except KernelUnavailableError as error:
        pytest.skip(str(error))
    deepest = packed.shape.layers - 1
    model = EarlyExitModel(packed, (deepest,), kv_maps=[exact_map(twins.backbone)])
    filled, whole = Session(model), Session(model)
    for session in (filled, whole):
        session.feed(PROMPT)
        session.run(0)
    assert filled.fill(deepest) == 96
    outputs = [session.run(1)[-12:] for session in (filled, whole)]
    states = [session.segments[1].cache for session in (filled, whole)]
    for found, expected in (
        outputs,
        [one.keys[:, :, :144] for one in states],
        [one.values[:, :, :144] for one in states],
    ):
        assert float((found - expected).float().norm() / expected.float().norm()) < 0.03


def test_filled_rows_cost_their_map_and_nothing_deeper(twins: Twins) -> None:
    model = EarlyExitModel(twins.backbone, (2, 4), kv_maps=[wrong_map(twins.backbone, 4)])
    runs = generate(Session(model), Request(PROMPT, 1, NeverExit(), fill=4)).work.layer_runs
    assert (layers := model.fillings[4].layers) > 0
    assert runs == {(2, 150): 2, (2, 16): 1, (layers, 96): 1, (2, 38): 1}


def test_a_map_says_how_many_rows_above_the_last_are_near(twins: Twins) -> None:
    for near, filled in ((0, 144), (48, 96), (64, 80), (112, 0)):
        session = Session(EarlyExitModel(twins.backbone, (2, 4), kv_maps=[wrong_map(twins.backbone, 4, near)]))
        generate(session, Request(PROMPT, 1, NeverExit(), fill=4))
        assert session.filled == filled


def test_tokens_that_leave_above_the_map_fill_nothing(twins: Twins) -> None:
    model = EarlyExitModel(twins.backbone, (2, 4), kv_maps=[wrong_map(twins.backbone, 4)])
    session = Session(model)
    generate(session, Request(PROMPT, 3, FixedExit(2), fill=4))
    assert session.filled == 0


def test_short_prompts_and_requests_that_do_not_ask_are_run_as_ever(twins: Twins) -> None:
    model = EarlyExitModel(twins.backbone, (2, 4), kv_maps=[wrong_map(twins.backbone, 4)])
    for prompt, fill in ((PROMPT[:79], 4), (PROMPT, 0)):
        session = Session(model)
        found = generate(session, Request(prompt, 8, NeverExit(), fill=fill))
        assert [token.id for token in found.tokens] == twins.greedy(prompt, 8)
        assert session.filled == 0


def test_what_must_be_exact_reads_nothing_that_was_filled(twins: Twins) -> None:
    model = EarlyExitModel(twins.backbone, (2, 4), kv_maps=[wrong_map(twins.backbone, 4)])
    session = Session(model)
    generate(session, Request(PROMPT, 4, NeverExit(), fill=4))
    assert session.filled
    again = generate(session, Request(PROMPT, 8, NeverExit()))
    assert [token.id for token in again.tokens] == twins.greedy(PROMPT, 8)
    assert (again.reused_rows, session.filled) == (0, 0)


def test_a_session_goes_on_behind_filled_rows_and_fills_more_of_a_long_insertion(twins: Twins) -> None:
    model = EarlyExitModel(twins.backbone, (2, 4), kv_maps=[wrong_map(twins.backbone, 4)])
    session = Session(model)
    generate(session, Request(PROMPT, 1, NeverExit(), fill=4))
    typed = generate(session, Request([*PROMPT, 7, 8, 9], 1, NeverExit(), fill=4))
    assert (typed.reused_rows, session.filled) == (150, 112)
    pasted = generate(session, Request([*PROMPT, 7, 8, 9, *PROMPT[:100]], 1, NeverExit(), fill=4))
    assert pasted.reused_rows == 153
    assert session.filled == 160 + 48  # 7 rows up to a whole block run, 32 of the rest are near
    session.rewind(limits.FIRST_ROWS)
    assert session.filled == 0
    assert [segment.length for segment in session.segments] == [16, 16, 16]


def test_near_rows_run_where_the_cursor_moved_up_among_filled_ones(twins: Twins) -> None:
    model = EarlyExitModel(twins.backbone, (2, 4), kv_maps=[wrong_map(twins.backbone, 4)])
    session = Session(model)
    for rows, reused, filled in ((150, 0, 112), (140, 139, 112), (128, 127, 112), (127, 95, 95), (60, 28, 28)):
        ran = generate(session, Request(PROMPT[:rows], 1, NeverExit(), fill=4))
        assert (ran.reused_rows, session.filled) == (reused, filled)
    again = generate(session, Request(PROMPT[:20], 1, NeverExit(), fill=4))
    assert (again.reused_rows, session.filled) == (0, 0)
    assert [token.id for token in again.tokens] == twins.greedy(PROMPT[:20], 1)


def test_a_session_serves_requests_that_fill_from_no_deeper_than_it_was(twins: Twins) -> None:
    maps = [wrong_map(twins.backbone, depth) for depth in (2, 4)]
    model = EarlyExitModel(twins.backbone, (2, 4), kv_maps=maps)
    session = Session(model)
    for fill, reused, filled_from in ((4, 0, 4), (2, 149, 4), (4, 149, 4)):
        ran = generate(session, Request(PROMPT, 1, NeverExit(), fill=fill))
        assert (ran.reused_rows, session.filled, session.filled_from) == (reused, 112, filled_from)
    session.rewind(0)
    generate(session, Request(PROMPT, 1, NeverExit(), fill=2))
    deeper = generate(session, Request(PROMPT, 1, NeverExit(), fill=4))
    assert (deeper.reused_rows, session.filled_from) == (0, 4)
    alone = generate(Session(model), Request(PROMPT, 1, NeverExit(), fill=4))
    assert deeper.tokens[0].probability == pytest.approx(alone.tokens[0].probability)


def test_a_map_that_stands_behind_no_exit_is_refused(twins: Twins) -> None:
    with pytest.raises(EngineError, match=r"mapped behind layer 3, where no exit stands: \(2, 4\)"):
        EarlyExitModel(twins.backbone, (2, 4), kv_maps=[wrong_map(twins.backbone, 3)])


def test_keys_and_values_that_are_no_numbers_do_not_pass(twins: Twins) -> None:
    broken = wrong_map(twins.backbone, 4)
    broken.linear.weight.fill_(float("nan"))
    model = EarlyExitModel(twins.backbone, (2, 4), kv_maps=[broken])
    with pytest.raises(NumericalError, match="mapped from layer 4"):
        generate(Session(model), Request(PROMPT, 1, NeverExit(), fill=4))


def test_a_bundles_map_is_used_only_where_its_calibration_left_room_for_it(
    twins: Twins, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shape = twins.backbone.shape
    bundle = Bundle(
        "tiny", "for tests", shape.family, "none", shape.layers, (2, 4), FolderSource(twins.folder), tmp_path
    )
    without = Calibration(0.95, "calibration", 1, "project", 9, "", ())
    assert load_maps(bundle, twins.folder, twins.backbone, without) == []
    path = tmp_path / kv_map_file(4)
    save_kv_map(path, wrong_map(twins.backbone, 4), shape, weights_identity(twins.folder))
    for calibration in (None, without, replace(without, maps=(ProvenMap(4, "another", 0.0),))):
        caplog.clear()
        assert load_maps(bundle, twins.folder, twins.backbone, calibration) == []
        assert "is not used: the bundle was calibrated without it" in caplog.text
    proven = replace(without, maps=(ProvenMap(4, file_sha256(path), 0.001),))
    assert [found.depth for found in load_maps(bundle, twins.folder, twins.backbone, proven)] == [4]
    path.write_bytes(b"no map")
    unreadable = replace(without, maps=(ProvenMap(4, file_sha256(path), 0.001),))
    assert load_maps(bundle, twins.folder, twins.backbone, unreadable) == []
    assert "is not a readable map of keys and values" in caplog.text


def test_a_map_survives_its_file(twins: Twins, tmp_path: Path) -> None:
    path, shape = tmp_path / kv_map_file(4), twins.backbone.shape
    made = wrong_map(twins.backbone, 4)
    found = KvMap(4, Linear(torch.randn_like(made.linear.weight), torch.randn(len(made.linear.weight))), 48, 0.002)
    save_kv_map(path, found, shape, "these weights")
    loaded = load_kv_map(path, shape, "these weights")
    assert (loaded.depth, loaded.upper_loss, loaded.near, facts_of(path)) == (4, 0.002, 48, (4, 0.002))
    assert torch.equal(loaded.linear.weight, as_kept(found).linear.weight)
    assert float((loaded.linear.weight - found.linear.weight).norm() / found.linear.weight.norm()) < 0.1
    torch.testing.assert_close(loaded.linear.bias, found.linear.bias)
    with pytest.raises(EngineError, match="was fitted to other weights"):
        load_kv_map(path, shape, "others")


def test_a_file_that_is_no_map_of_this_model_is_one_line(twins: Twins, tmp_path: Path) -> None:
    path, shape = tmp_path / kv_map_file(4), twins.backbone.shape
    with pytest.raises(EngineError, match="is not a readable map of keys and values"):
        load_kv_map(path, shape)
    path.write_bytes(b"no tensors")
    with pytest.raises(EngineError, match="is not a readable map of keys and values"):
        facts_of(path)
    save_kv_map(path, KvMap(4, Linear(torch.zeros(8, 8), torch.zeros(8)), NEAR), shape, "")
    with pytest.raises(EngineError, match=r"tensor 'weight' has shape .*, wanted "):
        load_kv_map(path, shape)
    save_kv_map(path, KvMap(shape.layers, wrong_map(twins.backbone, 4).linear, NEAR), shape, "")
    with pytest.raises(EngineError, match=rf"is for depth {shape.layers} of {shape.layers} layers"):
        load_kv_map(path, shape)
