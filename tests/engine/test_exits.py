"""Exit heads on small random models of every family, against transformers and formulas written out here."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from greencode_lsp.completion.loading import load_heads
from greencode_lsp.engine import EarlyExitModel, EngineError, Request, Session, generate, load_backbone
from greencode_lsp.engine.architecture import Architecture, Linear, Norm
from greencode_lsp.engine.exits import (
    ExitHead,
    Translator,
    exits_metadata,
    exits_tensors,
    load_exits,
    with_codes,
    with_matrices,
)
from greencode_lsp.engine.identity import weights_identity
from greencode_lsp.models import Bundle, FolderSource
from greencode_lsp.policy import FixedExit, RandomExit
from tests.engine.conftest import VOCABULARY, Twins, save_exits

pytestmark = pytest.mark.usefixtures("one_thread")

EXITS = (2, 3, 5)


def random_head(shape: Architecture, width: int, seed: int) -> ExitHead:
    """With numbers large enough that a forgotten part changes the text; half the exits of a test have no translator."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(*sizes: int) -> Tensor:
        return torch.randn(*sizes, generator=generator)

    def norm() -> Norm:
        bias = 0.3 * drawn(shape.hidden_size) if shape.norm == "layer" else None
        return Norm(1 + 0.3 * drawn(shape.hidden_size), bias)

    if not width:
        return ExitHead(norm())
    rows = 2 * width if shape.gated else width
    biases = (0.2 * drawn(rows), 0.2 * drawn(shape.hidden_size)) if shape.norm == "layer" else (None, None)
    translator = Translator(
        norm(),
        Linear(0.4 * drawn(rows, shape.hidden_size), biases[0]),
        Linear(drawn(shape.hidden_size, width), biases[1]),
    )
    return ExitHead(norm(), translator)


def random_heads(shape: Architecture) -> dict[int, ExitHead]:
    return {depth: random_head(shape, width, depth) for depth, width in zip(EXITS, (24, 0, 40), strict=True)}


def reference_logits(twins: Twins, head: ExitHead, depth: int, ids: list[int]) -> Tensor:
    """Read transformers' own hidden state after `depth` layers through the head, by the formula of the contract."""
    shape = twins.backbone.shape
    states = twins.reference(torch.tensor([ids]), output_hidden_states=True).hidden_states
    hidden = states[depth][0, -1]

    def normalised(values: Tensor, norm: Norm) -> Tensor:
        if shape.norm == "layer":
            centred = values - values.mean()
            assert norm.bias is not None
            return centred / (centred.square().mean() + shape.norm_epsilon).sqrt() * norm.weight + norm.bias
        return values / (values.square().mean() + shape.norm_epsilon).sqrt() * norm.weight

    def affine(values: Tensor, linear: Linear) -> Tensor:
        product = linear.weight @ values
        return product if linear.bias is None else product + linear.bias

    if head.translator is not None:
        inner = affine(normalised(hidden, head.translator.mlp_norm), head.translator.mlp_in)
        activations: dict[str, Callable[[Tensor], Tensor]] = {
            "silu": functional.silu,
            "relu": functional.relu,
            "gelu": functional.gelu,
            "gelu_tanh": lambda values: functional.gelu(values, approximate="tanh"),
        }
        act = activations[shape.activation]
        width = head.translator.mlp_out.weight.shape[1]
        inner = act(inner[:width]) * inner[width:] if shape.gated else act(inner)
        hidden = hidden + affine(inner, head.translator.mlp_out)
    return affine(normalised(hidden, head.norm), Linear(twins.reference.get_output_embeddings().weight))


@pytest.mark.parametrize("depth", EXITS)
@torch.inference_mode()
def test_exiting_at_one_depth_is_the_truncated_model_with_that_exits_head(
    twins: Twins, prompt: list[int], depth: int
) -> None:
    heads = random_heads(twins.backbone.shape)
    model = EarlyExitModel(twins.backbone, EXITS, heads)
    session = Session(model)
    generation = generate(session, Request(prompt, 12, FixedExit(depth)))
    ids = list(prompt)
    for token in generation.tokens:
        expected = reference_logits(twins, heads[depth], depth, ids)
        assert (token.id, token.exit_layer) == (int(expected.argmax()), depth)
        ids.append(token.id)
    assert len(set(ids[len(prompt) :])) >= 3  # one token for ever would prove little
    assert [segment.length > 0 for segment in session.segments] == [layers.stop <= depth for layers in model.segments]


def test_verified_drafts_of_exits_with_heads_say_what_full_depth_says(twins: Twins, prompt: list[int]) -> None:
    model = EarlyExitModel(twins.backbone, EXITS, random_heads(twins.backbone.shape))
    request = Request(prompt, 24, RandomExit(0.5, seed=1), verify=True)
    assert [token.id for token in generate(Session(model), request).tokens] == twins.greedy(prompt, 24)


def test_heads_survive_their_file(twins: Twins, tmp_path: Path) -> None:
    shape, heads = twins.backbone.shape, random_heads(twins.backbone.shape)
    save_exits(tmp_path / "exits.safetensors", heads, shape, "some weights")
    loaded = load_exits(tmp_path / "exits.safetensors", shape, "some weights")
    assert list(loaded) == list(EXITS)
    expected, found = exits_tensors(heads), exits_tensors(loaded)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_matrices_are_kept_in_four_bits_where_they_have_whole_groups() -> None:
    tensors = {"exit.1.mlp_in.weight": torch.randn(8, 64), "exit.1.mlp_out.weight": torch.randn(64, 8)}
    tensors["exit.1.norm.weight"] = torch.randn(64)
    kept = with_codes(tensors)
    parts = {f"exit.1.mlp_in.{kind}" for kind in ("codes", "scales", "minima")}
    assert kept.keys() == parts | {"exit.1.mlp_out.weight", "exit.1.norm.weight"}
    found = with_matrices(kept)
    assert found.keys() == tensors.keys()
    assert torch.equal(found["exit.1.norm.weight"], tensors["exit.1.norm.weight"])
    torch.testing.assert_close(
        found["exit.1.mlp_out.weight"].float(), tensors["exit.1.mlp_out.weight"], atol=2e-3, rtol=0
    )
    torch.testing.assert_close(found["exit.1.mlp_in.weight"], tensors["exit.1.mlp_in.weight"], atol=0.25, rtol=0)


@pytest.fixture
def file(twins: Twins, tmp_path: Path) -> Path:
    path = tmp_path / "exits.safetensors"
    save_exits(path, random_heads(twins.backbone.shape), twins.backbone.shape, "these weights")
    return path


def rewrite(path: Path, shape: Architecture, changes: dict[str, str], drop: str = "") -> None:
    tensors = load_file(path)
    tensors.pop(drop, None)
    heads = {depth: random_head(shape, 0, 0) for depth in EXITS}
    save_file(tensors, path, metadata={**exits_metadata(heads, shape, "these weights"), **changes})


@pytest.mark.parametrize(
    ("changes", "drop", "message"),
    [
        ({"exits": json.dumps([2, 3, 6])}, "", r"exits \[2, 3, 6\]; they must lie between 1 and 5"),
        ({"exits": "[]"}, "", "they must lie between 1 and 5"),
        ({"layers": "30"}, "", "for a model with layers 30, this one has 6"),
        ({"hidden_size": "576"}, "", "for a model with hidden_size 576"),
        ({"format": "7"}, "", "format '7'"),
        ({}, "exit.3.norm.weight", "no tensor 'exit.3.norm.weight'"),
        ({}, "exit.2.mlp_out.weight", "no tensor 'exit.2.mlp_out.weight'"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(
    twins: Twins, file: Path, changes: dict[str, str], drop: str, message: str
) -> None:
    rewrite(file, twins.backbone.shape, changes, drop)
    with pytest.raises(EngineError, match=message) as caught:
        load_exits(file, twins.backbone.shape)
    assert "\n" not in str(caught.value)


def test_a_tensor_of_a_wrong_shape_is_refused(twins: Twins, file: Path) -> None:
    tensors = load_file(file)
    tensors["exit.5.mlp_out.weight"] = tensors["exit.5.mlp_out.weight"][:, :-1].contiguous()
    save_file(tensors, file, metadata=exits_metadata(random_heads(twins.backbone.shape), twins.backbone.shape))
    with pytest.raises(EngineError, match=r"'exit.5.mlp_out.weight' has shape .*, wanted "):
        load_exits(file, twins.backbone.shape)


def test_heads_of_another_models_weights_are_refused(twins: Twins, file: Path) -> None:
    load_exits(file, twins.backbone.shape)  # whoever does not know the weights' identity is believed
    with pytest.raises(EngineError, match="trained on other weights"):
        load_exits(file, twins.backbone.shape, "other weights")


def test_a_file_that_is_none_or_not_there_is_one_line(twins: Twins, tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"no tensors at all")
    with pytest.raises(EngineError, match="not a readable safetensors file"):
        load_exits(tmp_path / "broken", twins.backbone.shape)
    with pytest.raises(EngineError, match="does not exist"):
        load_exits(tmp_path / "missing", twins.backbone.shape)


def test_heads_for_exits_that_a_model_does_not_have_are_refused(twins: Twins) -> None:
    with pytest.raises(EngineError, match=r"heads for exits \[5\]"):
        EarlyExitModel(twins.backbone, (2, 3), random_heads(twins.backbone.shape))


def test_a_bundle_is_read_with_the_heads_beside_it(twins: Twins, tmp_path: Path) -> None:
    shape = twins.backbone.shape
    source = FolderSource(twins.folder)
    bundle = Bundle("tiny", "for tests", shape.family, "none", shape.layers, EXITS, source, tmp_path)
    assert load_heads(bundle, twins.folder, twins.backbone) == {}
    path = tmp_path / "exits.safetensors"
    save_exits(path, random_heads(shape), shape, weights_identity(twins.folder))
    assert list(load_heads(bundle, twins.folder, twins.backbone)) == list(EXITS)
    assert list(load_heads(replace(bundle, exits=(3,)), twins.folder, twins.backbone)) == [3]
    with pytest.raises(EngineError, match=r"no head for exits \[4\]"):
        load_heads(replace(bundle, exits=(3, 4)), twins.folder, twins.backbone)


def test_weights_are_the_same_in_one_file_or_two_and_others_once_a_matrix_changes(twins: Twins, tmp_path: Path) -> None:
    (tensors,) = [load_file(path) for path in twins.folder.glob("*.safetensors")]
    names = sorted(tensors)

    def save_in_two() -> str:
        for part, chosen in enumerate((names[::2], names[1::2])):
            save_file({name: tensors[name] for name in chosen}, tmp_path / f"model-{part}.safetensors")
        return weights_identity(tmp_path)

    assert save_in_two() == weights_identity(twins.folder)
    for trained in ("exits", "adapters", "policy", "kv_map-2"):
        save_file({"weight": torch.zeros(2, 2)}, tmp_path / f"{trained}.safetensors")
    assert weights_identity(tmp_path) == weights_identity(twins.folder)
    changed = next(name for name in names if tensors[name].dim() == 2)
    tensors[changed] = tensors[changed] * 1.001
    assert save_in_two() != weights_identity(twins.folder)


def test_half_precision_heads_read_in_half_precision(twins: Twins, file: Path, prompt: list[int]) -> None:
    backbone = load_backbone(twins.folder, dtype=torch.bfloat16)
    heads = load_exits(file, backbone.shape, dtype=torch.bfloat16)
    session = Session(EarlyExitModel(backbone, EXITS, heads))
    assert len(generate(session, Request(prompt, 5, FixedExit(2))).tokens) == 5
    assert backbone.shape.vocabulary_size == VOCABULARY
