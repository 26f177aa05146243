import pytest

from greencode_lsp.energy import EstimateMeter
from greencode_lsp.engine import EarlyExitModel, load_backbone
from greencode_lsp.evaluation.benchmark.bandwidth import measure_bandwidth
from greencode_lsp.evaluation.benchmark.segments import measure_segments


@pytest.fixture(scope="module")
def model(default_bundle_folder) -> EarlyExitModel:
    return EarlyExitModel(load_backbone(default_bundle_folder), (10, 20))


def test_every_segment_and_the_head_have_a_row_for_each_row_count_in_order(model):
    bandwidth, rows = measure_segments(model, EstimateMeter(), rows=(4, 1), window_seconds=0.0)
    assert [(row.segment, row.rows) for row in rows] == [
        (0, 1), (0, 4), (1, 1), (1, 4), (2, 1), (2, 4), ("head", 1), ("head", 4)
    ]  # fmt: skip
    assert [row.layers for row in rows[::2]] == ["1-10", "11-20", "21-30", ""]
    assert all(row.ms > 0 and (row.joules or 0) > 0 and row.source == "estimate" for row in rows)
    for row in rows:
        assert row.gb_per_s == pytest.approx(row.bytes / row.ms / 1e6)
        assert row.bandwidth_share == pytest.approx(row.gb_per_s / bandwidth.read_gb_per_s)


def test_the_bytes_are_those_of_the_weights(model):
    _, rows = measure_segments(model, EstimateMeter(), rows=(1,), window_seconds=0.0)
    per_layer = (576 * (576 + 2 * 192) + 576 * 576 + 3 * 576 * 1536) * 4  # SmolLM2-135M's shape in float32
    assert [row.bytes for row in rows] == [10 * per_layer] * 3 + [49_152 * 576 * 4]


def test_bandwidths_are_positive():
    bandwidth = measure_bandwidth("cpu", tensor_bytes=2**20)
    assert bandwidth.copy_gb_per_s > 0
    assert bandwidth.read_gb_per_s > 0
