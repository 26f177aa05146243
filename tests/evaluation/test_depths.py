"""Shapes with random weights: what is measured is what the rows say, on the model that transformers runs."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from greencode_lsp.energy import EstimateMeter
from greencode_lsp.engine import EarlyExitModel, Request, Session, generate
from greencode_lsp.engine.cuda import CudaRunner
from greencode_lsp.engine.families import family_of
from greencode_lsp.evaluation.benchmark.depths import FixedDepth, measure_depths, random_network
from greencode_lsp.evaluation.benchmark.gauge import Gauge
from greencode_lsp.evaluation.benchmark.random_models import SHAPES, find_shape, random_model
from greencode_lsp.evaluation.benchmark.segments import measure_segments
from greencode_lsp.evaluation.benchmark.transformers_peers import TransformersPeer
from tests.cli.test_commands import greencode, json_of

HEAD = 512 * 64 * 4
LAYER = ((64 + 2 * 32) * 64 + 64 * 64 + 3 * 64 * 128) * 4  # the tiny shape in float32


def test_every_depth_has_a_row_beside_transformers():
    _, rows = measure_depths(SHAPES["tiny"], "cpu", "float32", EstimateMeter(), 8, 3, window_seconds=0.0)
    assert [(row.engine, row.depth, row.bytes) for row in rows] == [
        ("transformers", 4, 4 * LAYER + HEAD),
        ("exit", 1, LAYER + HEAD),
        ("exit", 2, 2 * LAYER + HEAD),
        ("full, with policy", 4, 4 * LAYER + HEAD),
        ("full, one segment", 4, 4 * LAYER + HEAD),
    ]
    for row in rows:
        assert row.source == "estimate" and (row.joules_per_token or 0) > 0
        assert row.gb_per_s == pytest.approx(row.bytes / row.ms_per_token / 1e6)
        assert row.times_transformers == pytest.approx(rows[0].ms_per_token / row.ms_per_token)


def test_both_engines_run_the_same_random_model():
    reference, plain = random_model(SHAPES["tiny"], "cpu", torch.float32)
    prompt = [5, 9, 200, 7]
    expected = TransformersPeer(reference, Gauge(None)).run(prompt, 12).tokens
    found = generate(Session(EarlyExitModel(CudaRunner(plain))), Request(prompt, 12)).tokens
    assert [token.id for token in found] == expected


def test_a_fixed_depth_is_kept_whatever_the_network_says():
    _, plain = random_model(SHAPES["tiny"], "cpu", torch.float32)
    model = EarlyExitModel(plain, (1, 2))
    for layer in (1, 2, 4):
        request = Request([5, 9], 4, FixedDepth(random_network((1, 2), 64), layer))
        assert {token.exit_layer for token in generate(Session(model), request).tokens} == {layer}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_is_a_model_that_greencode_runs_with_exits_inside_it(name):
    config = find_shape(name).config
    architecture = family_of(config).read_architecture(config)
    assert all(0 < depth < architecture.layers for depth in find_shape(name).exits)


def test_the_known_shapes_are_as_large_as_their_names_say():
    parameters = {}
    for name in ("llama-3.2-3b", "opt-2.7b"):
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**SHAPES[name].config))
        parameters[name] = model.num_parameters() / 1e9
    assert parameters == {"llama-3.2-3b": pytest.approx(3.213, abs=0.001), "opt-2.7b": pytest.approx(2.652, abs=0.001)}


def test_segments_are_measured_on_the_gpu_runner():
    _, plain = random_model(SHAPES["tiny"], "cpu", torch.float32)
    _, rows = measure_segments(EarlyExitModel(CudaRunner(plain), (1,)), EstimateMeter(), rows=(1, 32), window_seconds=0)
    assert [(row.segment, row.rows, row.bytes) for row in rows] == [
        (0, 1, LAYER), (0, 32, LAYER), (1, 1, 3 * LAYER), (1, 32, 3 * LAYER), ("head", 1, HEAD), ("head", 32, HEAD)
    ]  # fmt: skip


def test_the_command_prints_a_row_for_every_depth(tmp_path):
    arguments = ("bench", "shapes", "--shape", "tiny", "--device", "cpu", "--tokens", "2", "--prompt-tokens", "4")
    result = json_of(greencode(*arguments, "--json", data=tmp_path))
    assert [row["depth"] for row in result["rows"]] == [4, 1, 2, 4, 4]
    assert (result["shape"], result["format"]) == ("tiny", "float32")
    assert result["machine"]["processor"] and result["bandwidth"]["read_gb_per_s"] > 0


def test_an_unknown_shape_is_one_line(tmp_path):
    result = greencode("bench", "shapes", "--shape", "gpt-5", data=tmp_path)
    assert result.returncode == 1
    assert "unknown shape 'gpt-5'; there are: llama-3.2-3b, opt-2.7b, tiny" in result.stderr
    assert "Traceback" not in result.stderr
