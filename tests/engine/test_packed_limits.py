"""The packed runner where its buffers end: blocks of 256 rows, one row more, and contexts filled to the last token."""

import pytest
import torch

from greencode_lsp.engine import EarlyExitModel, EngineError, Request, Session, generate, load_backbone
from greencode_lsp.engine.backbone import Backbone
from greencode_lsp.engine.packed import PackedBackbone, load_packed
from greencode_lsp.engine.session import CHUNK_ROWS
from tests.engine.test_packed import REASON, final_states, small_llama, small_opt

pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)

CONTEXT = 600


@pytest.fixture(scope="module", params=[small_llama, small_opt], ids=["llama", "opt"])
def runners(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Backbone, PackedBackbone]:
    folder = tmp_path_factory.mktemp("limits")
    torch.manual_seed(8)
    request.param().eval().save_pretrained(folder)
    return load_backbone(folder), load_packed(folder, folder / "store")


def drawn(count: int) -> list[int]:
    tokens: list[int] = torch.randint(0, 330, (count,), generator=torch.Generator().manual_seed(9)).tolist()
    return [329, 0, *tokens[2:]] if count > 1 else tokens  # the first and the last of the vocabulary, too


@pytest.mark.parametrize("rows", [CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 1, 2 * CHUNK_ROWS, CONTEXT])
def test_many_rows_at_once_are_what_the_plain_runner_computes(
    runners: tuple[Backbone, PackedBackbone], rows: int
) -> None:
    plain, packed = runners
    tokens = drawn(rows)
    expected, found = final_states(plain, tokens, rows), final_states(packed, tokens, rows)
    assert float((found - expected).norm() / expected.norm()) < 0.02
    assert torch.equal(final_states(packed, tokens, 100), found)


@pytest.mark.parametrize("prompt", [CONTEXT - 1, CONTEXT - 16, CONTEXT - CHUNK_ROWS])
@pytest.mark.parametrize("verify", [False, True])
def test_a_text_ends_with_the_context(runners: tuple[Backbone, PackedBackbone], prompt: int, verify: bool) -> None:
    _, packed = runners
    session = Session(EarlyExitModel(packed, exits=(2,)))
    generation = generate(session, Request(drawn(prompt), CONTEXT, verify=verify, guessing=verify))
    # The token behind the last place is still said; there is no place to read on from.
    assert len(generation.tokens) in (CONTEXT - prompt, CONTEXT - prompt + 1)
    assert len(session.tokens) <= CONTEXT


def test_no_row_is_taken_beyond_the_context(runners: tuple[Backbone, PackedBackbone]) -> None:
    _, packed = runners
    with pytest.raises(EngineError, match=rf"{CONTEXT + 1} tokens exceed the context of {CONTEXT}"):
        generate(Session(EarlyExitModel(packed, exits=(2,))), Request(drawn(CONTEXT + 1), 1))
