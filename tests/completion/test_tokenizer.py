import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer

from greencode_lsp.completion.tokenizer import CodeTokenizer, TokenizerError, unfinished_tail, well_formed

CODE = 'def f(x):\n    """Größe 🙂 in km²."""\n\treturn x["a\\n"] + 12345\r\n'


@pytest.fixture(scope="module")
def tokenizer(default_bundle_folder):
    return CodeTokenizer.load(default_bundle_folder)


def test_ids_are_those_of_transformers(tokenizer, default_bundle_folder):
    reference = AutoTokenizer.from_pretrained(default_bundle_folder)
    assert tokenizer.encode(CODE) == reference(CODE)["input_ids"]


def test_bytes_of_tokens_make_up_the_text(tokenizer):
    assert b"".join(tokenizer.token_bytes[id] for id in tokenizer.encode(CODE)).decode() == CODE


def test_offsets_point_at_the_text_of_each_token(tokenizer):
    ids, offsets = tokenizer.encode_with_offsets("alpha = beta\n    gamma()")
    assert offsets == sorted(offsets)
    texts = [tokenizer.decode([id]) for id in ids]
    assert all(
        "alpha = beta\n    gamma()"[offset:].startswith(text) for offset, text in zip(offsets, texts, strict=False)
    )


def test_a_character_that_has_only_half_arrived_waits(tokenizer):
    ids = tokenizer.encode("🙂🙂")
    seen = [tokenizer.decode(ids[:count]) for count in range(len(ids) + 1)]
    assert seen[-1] == "🙂🙂"
    assert all(text in ("", "🙂", "🙂🙂") for text in seen)


def test_special_tokens_have_no_text(tokenizer):
    assert tokenizer.special_ids
    assert tokenizer.decode(sorted(tokenizer.special_ids)) == ""


def test_lone_surrogates_do_not_break_encoding(tokenizer):
    assert tokenizer.decode(tokenizer.encode("a\ud83d b")) == "a\ufffd b"
    assert well_formed("\ud83d\ude42") == "🙂"


def test_sentence_piece_tokens_have_their_bytes():
    vocabulary = {"<unk>": 0, "▁def": 1, "<0xF0>": 2, "<0x9F>": 3, "<0x99>": 4, "<0x82>": 5, "▁▁": 6}
    plain = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    plain.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    plain.pre_tokenizer = pre_tokenizers.Metaspace()
    assert CodeTokenizer(plain).decode([6, 1, 2, 3, 4, 5]) == "   def🙂"


@pytest.mark.parametrize(
    ("data", "tail"), [("é".encode()[:1], 1), ("🙂".encode()[:3], 3), (b"ab", 0), ("é".encode(), 0), (b"", 0)]
)
def test_the_tail_of_an_unfinished_character_is_counted(data, tail):
    assert unfinished_tail(data) == tail


def test_a_missing_or_broken_tokenizer_gets_one_line(tmp_path):
    with pytest.raises(TokenizerError, match="does not exist"):
        CodeTokenizer.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(TokenizerError, match="cannot be used"):
        CodeTokenizer.load(tmp_path)
