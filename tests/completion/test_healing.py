import gc
import weakref

import pytest

from greencode_lsp.completion.healing import TokenHealer
from greencode_lsp.completion.tokenizer import CodeTokenizer


@pytest.fixture(scope="module")
def tokenizer(default_bundle_folder):
    return CodeTokenizer.load(default_bundle_folder)


@pytest.fixture(scope="module")
def healer(tokenizer):
    return TokenHealer(tokenizer)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("def f(x):\n    ", "\n    "),
        ("def f(x):\n", "\n"),
        ("x = 1\n    retur", " retur"),
        ("total = sum(", "("),
        ("a\n\n\n        ", "\n\n\n        "),
    ],
)
def test_blanks_and_begun_words_are_taken_back(tokenizer, healer, text, taken):
    healed = healer.heal(tokenizer.encode(text))
    assert healed.required.decode() == taken
    assert tokenizer.decode(healed.ids) + taken == text


def test_one_token_always_stays(tokenizer, healer):
    assert len(healer.heal(tokenizer.encode("x")).ids) == 1
    assert len(healer.heal(tokenizer.encode("\n\n")).ids) == 1


def test_allowed_tokens_are_exactly_those_that_fit_the_required_bytes(tokenizer, healer):
    required = b"\n    retu"
    allowed = set(healer.allowed(required, []).tolist())
    expected = {
        id
        for id, piece in enumerate(tokenizer.token_bytes)
        if id not in tokenizer.special_ids and piece and (piece.startswith(required) or required.startswith(piece))
    }
    assert allowed == expected


def test_the_requirement_shrinks_by_what_was_generated_and_ends(tokenizer, healer):
    (newline,) = tokenizer.encode("\n")
    after = healer.allowed(b"\n x", [newline])
    assert {tokenizer.token_bytes[id][:2] for id in after.tolist()} <= {b" ", b" x"}
    (word,) = tokenizer.encode(" x")
    assert healer.allowed(b"\n x", [newline, word]) is None
    assert healer.allowed(b"", []) is None


def test_a_healer_is_let_go_with_its_model(tokenizer):
    healer = TokenHealer(tokenizer)
    assert healer.allowed(b" retur", []) is not None
    seen = weakref.ref(healer)
    gc.disable()  # which may take minutes to look for cycles
    try:
        del healer
        assert seen() is None
    finally:
        gc.enable()
