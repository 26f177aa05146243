"""The packed runner: against the plain one, and to the bit against itself."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import LlamaConfig, LlamaForCausalLM, OPTConfig, OPTForCausalLM

from greencode_lsp.engine import (
    EarlyExitModel,
    EngineError,
    NumericalError,
    Request,
    Session,
    generate,
    load_backbone,
    load_runner,
)
from greencode_lsp.engine.architecture import Linear, Norm
from greencode_lsp.engine.backbone import Backbone
from greencode_lsp.engine.decoder import best_of
from greencode_lsp.engine.exits import ExitHead, Translator
from greencode_lsp.engine.packed import KernelUnavailableError, PackedBackbone, library, load_packed
from greencode_lsp.engine.packed.scorer import PackedPolicyNetwork
from greencode_lsp.policy.learned import PolicyFile, PolicyNetwork

try:
    library.load_library()
    REASON = ""
except KernelUnavailableError as error:
    REASON = str(error)

pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)


def small_llama() -> LlamaForCausalLM:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=330,
            hidden_size=96,
            intermediate_size=160,
            num_hidden_layers=4,
            num_attention_heads=6,
            num_key_value_heads=2,
            max_position_embeddings=600,
            initializer_range=0.05,
            eos_token_id=None,
        )
    )


def small_opt() -> OPTForCausalLM:
    return OPTForCausalLM(
        OPTConfig(
            vocab_size=330,
            hidden_size=96,
            word_embed_proj_dim=96,
            ffn_dim=160,
            num_hidden_layers=4,
            num_attention_heads=3,
            max_position_embeddings=600,
            init_std=0.05,
            eos_token_id=None,
        )
    )


@pytest.fixture(scope="module", params=[small_llama, small_opt], ids=["llama", "opt"])
def runners(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Backbone, PackedBackbone]:
    torch.manual_seed(3)
    model = request.param().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias") or "norm" in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    folder = tmp_path_factory.mktemp("model")
    model.save_pretrained(folder)
    store = tmp_path_factory.mktemp("store")
    load_packed(folder, store)  # packs and keeps; the next call loads what was kept
    return load_backbone(folder), load_packed(folder, store)


def final_states(runner: Backbone | PackedBackbone, tokens: list[int], chunk: int) -> torch.Tensor:
    cache, layers = runner.new_cache(runner.shape.layers), range(runner.shape.layers)
    with torch.inference_mode():
        outputs = [
            runner.run_layers(layers, runner.embed(tokens[at : at + chunk], at), at, cache)
            for at in range(0, len(tokens), chunk)
        ]
    return torch.cat(outputs)


def test_it_computes_what_the_plain_runner_computes_up_to_rounding(runners: tuple[Backbone, PackedBackbone]) -> None:
    plain, packed = runners
    tokens = torch.randint(0, 330, (300,), generator=torch.Generator().manual_seed(1)).tolist()
    torch.testing.assert_close(packed.embed(tokens, 0), plain.embed(tokens, 0), atol=2e-3, rtol=2e-2)
    expected, found = final_states(plain, tokens, 300), final_states(packed, tokens, 300)
    assert float((found - expected).norm() / expected.norm()) < 0.02
    expected_logits, found_logits = plain.logits(expected[-9:]), packed.logits(expected[-9:])
    assert found_logits.shape == (9, 330)
    assert float((found_logits - expected_logits).norm() / expected_logits.norm()) < 0.02


@pytest.mark.parametrize("chunk", [1, 2, 7, 8, 16, 33])
def test_a_row_is_the_same_to_the_bit_whatever_runs_beside_it(
    runners: tuple[Backbone, PackedBackbone], chunk: int
) -> None:
    _, packed = runners
    tokens = torch.randint(0, 330, (70,), generator=torch.Generator().manual_seed(2)).tolist()
    whole = final_states(packed, tokens, 70)
    assert torch.equal(final_states(packed, tokens, chunk), whole)
    torch.testing.assert_close(packed.logits(whole)[3:4], packed.logits(whole[3:4]), atol=0, rtol=0)


@pytest.mark.parametrize("read", [0, 1, 9])
def test_rows_that_nobody_reads_leave_the_same_keys_and_values_and_cost_less(
    runners: tuple[Backbone, PackedBackbone], read: int
) -> None:
    _, packed = runners
    tokens = torch.randint(0, 330, (48,), generator=torch.Generator().manual_seed(5)).tolist()  # three blocks
    layers = range(packed.shape.layers)
    whole, part = packed.new_cache(len(layers)), packed.new_cache(len(layers))
    with torch.inference_mode():
        expected = packed.run_layers(layers, packed.embed(tokens, 0), 0, whole)
        found = packed.run_layers(layers, packed.embed(tokens, 0), 0, part, read)
    assert torch.equal(found[48 - read :], expected[48 - read :])
    assert torch.equal(part.keys[:, :, :48], whole.keys[:, :, :48])
    assert torch.equal(part.values[:, :, :48], whole.values[:, :, :48])
    assert 0.1 < packed.unread_share < 0.5


@pytest.mark.parametrize("verify", [False, True])
def test_a_prompt_is_charged_for_what_its_rows_run(runners: tuple[Backbone, PackedBackbone], verify: bool) -> None:
    _, packed = runners
    model = EarlyExitModel(packed, exits=(2,))
    generation = generate(Session(model), Request([7] * 300, 1, verify=verify))
    share = packed.unread_share
    # The exit cuts the layers in two parts; of the upper one the last layer runs the last row alone.
    upper = packed.shape.layers - 2 - 1 + share
    assert generation.work.layer_runs == {(2, 256): 1, (2, 44): 1, (upper, 256): 1, (upper, 44): 1, (1 - share, 1): 1}


def test_the_number_of_threads_changes_nothing(runners: tuple[Backbone, PackedBackbone]) -> None:
    _, packed = runners
    tokens, threads = list(range(50)), torch.get_num_threads()
    results = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            results.append(final_states(packed, tokens, 50))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize(("part", "value"), [("values", torch.nan), ("keys", torch.nan), ("keys", torch.inf)])
def test_a_nan_is_not_rounded_away(runners: tuple[Backbone, PackedBackbone], part: str, value: float) -> None:
    _, packed = runners
    session = Session(EarlyExitModel(packed, (1, 2)))
    generate(session, Request(list(range(20)), 2))
    cache = session.segments[1].cache
    setattr(cache, part, getattr(cache, part).clone().fill_(value))
    with pytest.raises(NumericalError):
        generate(session, Request([*range(20), 9, 8, 7], 2))


def test_nothing_runs_beyond_the_context(runners: tuple[Backbone, PackedBackbone]) -> None:
    _, packed = runners
    room = packed.shape.context_length
    with pytest.raises(EngineError, match=f"{room + 1} tokens exceed the context of {room}"):
        packed.run_layers(range(1), torch.zeros(2, packed.shape.hidden_size), room - 1, packed.new_cache(1))


def test_without_a_compiler_the_plain_runner_does_the_work(
    runners: tuple[Backbone, PackedBackbone],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setenv("GREENCODE_CACHE", str(tmp_path))
    library.load_library.cache_clear()
    try:
        with pytest.raises(KernelUnavailableError, match="install gcc or clang"):
            library.load_library()
        model = small_llama()
        model.save_pretrained(tmp_path / "model")
        assert isinstance(load_runner(tmp_path / "model", "cpu", tmp_path), Backbone)
    finally:
        library.load_library.cache_clear()


def test_a_model_the_kernel_cannot_compute_gets_the_plain_runner(tmp_path: Path) -> None:
    config = LlamaConfig(
        vocab_size=64, hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=6
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path / "model")
    with pytest.raises(KernelUnavailableError, match="head size 8"):
        load_packed(tmp_path / "model", tmp_path)
    assert isinstance(load_runner(tmp_path / "model", "cpu", tmp_path), Backbone)


def test_the_most_likely_token_is_that_of_the_logits(runners: tuple[Backbone, PackedBackbone]) -> None:
    _, packed = runners
    hidden = torch.randn(40, 96, generator=torch.Generator().manual_seed(6))
    reader = packed.reader()
    chosen, probabilities = reader.likeliest(hidden)
    assert torch.equal(chosen, reader.logits(hidden).argmax(dim=1))
    assert [int(reader.likeliest(row[None])[0]) for row in hidden] == chosen.tolist()
    exact = reader.logits(hidden).softmax(dim=1).amax(dim=1)
    torch.testing.assert_close(probabilities, exact, atol=0.05, rtol=0.2)  # by a head in 4 bits


def test_no_token_is_likely_where_logits_are_nan(runners: tuple[Backbone, PackedBackbone]) -> None:
    _, packed = runners
    with pytest.raises(NumericalError):
        packed.reader().likeliest(torch.full((1, 96), torch.nan))


def test_an_exit_head_says_what_the_plain_runner_makes_of_it_up_to_rounding(
    runners: tuple[Backbone, PackedBackbone],
) -> None:
    plain, packed = runners
    random_numbers = torch.Generator().manual_seed(7)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random_numbers) * 0.1

    gated, biased = plain.shape.gated, plain.shape.norm == "layer"

    def norm() -> Norm:
        return Norm(1 + drawn(96), drawn(96) if biased else None)

    width = 64
    translator = Translator(
        norm(),
        Linear(drawn(2 * width if gated else width, 96), drawn(width) if biased else None),
        Linear(drawn(96, width), drawn(96) if biased else None),
    )
    head = ExitHead(norm(), translator)
    hidden = torch.randn(12, 96, generator=random_numbers)
    expected, found = plain.exit_logits(head, hidden), packed.reader(head).logits(hidden)
    assert float((found - expected).norm() / expected.norm()) < 0.06, "4-bit translators cost some precision"
    one_by_one = torch.cat([packed.reader(head).logits(row[None]) for row in hidden])
    assert torch.equal(one_by_one, found)
    assert torch.equal(packed.reader(head).likeliest(hidden)[0], found.argmax(dim=1))


@pytest.mark.parametrize("size", [32, 41])
def test_a_shortlist_is_the_best_of_some_logits(runners: tuple[Backbone, PackedBackbone], size: int) -> None:
    _, packed = runners
    numbers = torch.Generator().manual_seed(size)
    hidden = torch.randn(30, 96, generator=numbers)
    ids = torch.randperm(packed.shape.vocabulary_size, generator=numbers)[:size]
    reader = packed.reader(ExitHead(packed.weights.final_norm, None, ids))
    logits = reader.logits(hidden)
    assert torch.equal(logits, packed.logits(hidden)), "logits are those of the whole vocabulary"
    chosen, probabilities = reader.likeliest(hidden)
    assert torch.equal(chosen, ids[logits[:, ids].argmax(dim=1)])
    exact = logits[:, ids].softmax(dim=1).amax(dim=1)
    torch.testing.assert_close(probabilities, exact, atol=0.05, rtol=0.2)  # by a head in 4 bits
    one_by_one = torch.cat([reader.likeliest(row[None])[1] for row in hidden])
    assert torch.equal(one_by_one, probabilities)
    assert 0 < reader.shortlist_bytes < packed.head_bytes()


@pytest.mark.parametrize("size", [15, 32, 41])
def test_a_shortlist_is_read_with_the_words_of_a_text(runners: tuple[Backbone, PackedBackbone], size: int) -> None:
    _, packed = runners
    numbers = torch.Generator().manual_seed(size)
    hidden = torch.randn(30, 96, generator=numbers)
    order = torch.randperm(packed.shape.vocabulary_size, generator=numbers)
    ids, others = order[:size], order[size:]
    one, other = (packed.reader(ExitHead(packed.weights.final_norm, None, ids)) for _ in range(2))
    logits = one.logits(hidden)
    for count in (1, 5, 17, 40, 0, 7):
        read = torch.cat((ids, others[:count]))
        for reader in (one, other):  # they share the part of the head, and its words
            chosen, probabilities = reader.likeliest(hidden, tuple(others[:count].tolist()))
            assert torch.equal(chosen, read[logits[:, read].argmax(dim=1)])
            exact = logits[:, read].softmax(dim=1).amax(dim=1)
            torch.testing.assert_close(probabilities, exact, atol=0.05, rtol=0.2)  # by a head in 4 bits


class SharedWork(TorchDispatchMode):
    """Notes what PyTorch computes on more than a few numbers while it may use several threads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        views = any(isinstance(result, torch.Tensor) and result.data_ptr() == arg.data_ptr() for arg in tensors(args))
        made = result.numel() if isinstance(result, torch.Tensor) else 0
        if torch.get_num_threads() > 1 and made > 500 and not views and "empty" not in str(function):
            self.found.add(str(function))
        return result


def tensors(arguments: tuple[object, ...]) -> list[torch.Tensor]:
    return [each for each in arguments if isinstance(each, torch.Tensor)]


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_pytorch_keeps_no_processor_from_the_kernel(runners: tuple[Backbone, PackedBackbone]) -> None:
    """Its threads wait awake for milliseconds behind each job that they share."""
    _, packed = runners
    ids = torch.randperm(packed.shape.vocabulary_size)
    head = ExitHead(packed.weights.final_norm, None, ids[:40])
    session = Session(EarlyExitModel(packed, (2,), {2: head}))
    with SharedWork() as work:
        session.feed(ids[:64].tolist())
        hidden = session.run(0)
        session.run(1)
        session.model.likeliest(0, hidden, tuple(ids[50:80].tolist()))
        best_of(ids[:300], session.model.read(1, hidden)[0])
    assert not work.found
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("inputs", ["rms", "raw"])
@pytest.mark.parametrize("hidden", [64, 90])
@pytest.mark.parametrize("confirms", [False, True])
def test_a_policy_says_in_the_kernel_what_it_says_in_numpy(inputs: str, hidden: int, confirms: bool) -> None:
    random = np.random.default_rng(hidden)
    shapes = {
        "in.weight": (2, 40, hidden),
        "in.bias": (2, 40),
        "mid.weight": (2, 24, 40),
        "mid.bias": (2, 24),
        "out.weight": (2, 2, 24),
        "out.bias": (2, 2),
    }
    if confirms:
        shapes |= {
            "confirm.mid.weight": (2, 20, 41),
            "confirm.mid.bias": (2, 20),
            "confirm.out.weight": (2, 1, 21),
            "confirm.out.bias": (2, 1),
        }
    tensors = {name: random.normal(scale=0.3, size=shape).astype(np.float32) for name, shape in shapes.items()}
    plain = PolicyNetwork(PolicyFile((1, 2), hidden, "by hand", inputs, math.inf, np.zeros(1, np.float32), tensors))
    packed = PackedPolicyNetwork(plain)
    for state in torch.randn(20, hidden, generator=torch.Generator().manual_seed(1)):
        for index in (0, 1):
            assert packed.scores(index, state) == pytest.approx(plain.scores(index, state), abs=5e-3)
            for probability in (0.02, 0.6, 1.0) if confirms else ():
                sure = plain.confirmation(index, state, probability)
                assert packed.confirmation(index, state, probability) == pytest.approx(sure, abs=1e-2)
