import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import Starcoder2Config, Starcoder2ForCausalLM

from greencode_lsp.completion import metering
from greencode_lsp.completion.completer import Completer
from greencode_lsp.completion.infill import (
    FORMATS,
    NO_INFILL,
    InfillTemplate,
    around,
    find_template,
    fit_suffix,
    infill_prompt,
)
from greencode_lsp.completion.loading import load_completer
from greencode_lsp.completion.suggestion import CompletionRequest, LoadOptions
from greencode_lsp.completion.tokenizer import CodeTokenizer, TokenizerError

QWEN = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
STARCODER = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>")
DEEPSEEK = ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>")  # noqa: RUF001
CODELLAMA = ("▁<PRE>", "▁<SUF>", "▁<MID>")

SUFFIX = "".join(f"    value_{index} = {index}\n" for index in range(200))


def byte_level(*special: str, begin: str | None = None) -> CodeTokenizer:
    return CodeTokenizer(bytes_only(*special, begin=begin))


def bytes_only(*special: str, begin: str | None = None) -> Tokenizer:
    """A tokenizer with one token per byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    plain = Tokenizer(models.BPE({character: id for id, character in enumerate(alphabet)}, []))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    added = [*special, begin] if begin else special
    plain.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in added])
    if begin:
        opening = [(begin, plain.token_to_id(begin))]
        plain.post_processor = processors.TemplateProcessing(single=f"{begin} $A", special_tokens=opening)
    return plain


def sentence_piece(*special: str) -> CodeTokenizer:
    """A tokenizer with one token per character, which puts a space in front of every text, as Llama 2's does."""
    characters = ["<unk>", "▁", "☺", "\n", *"abcdefghijklmnopqrstuvwxyz():=_0123456789"]
    plain = Tokenizer(models.BPE({character: id for id, character in enumerate(characters)}, [], unk_token="<unk>"))
    plain.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    plain.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    plain.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in ("<s>", *special)])
    opening = [("<s>", plain.token_to_id("<s>"))]
    plain.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=opening)
    return CodeTokenizer(plain)


def written(tokenizer: CodeTokenizer, ids: list[int]) -> str:
    """A prompt as text, with its markers."""
    return b"".join(tokenizer.token_bytes[id] for id in ids).decode(errors="replace")


def template_of(tokenizer: CodeTokenizer, name: str | None = None) -> InfillTemplate:
    template = find_template(tokenizer, name)
    assert template is not None
    return template


def prompt_of(tokenizer: CodeTokenizer, prefix: str, suffix: str) -> list[int]:
    template = template_of(tokenizer)
    return infill_prompt(template, tokenizer.encode(prefix), fit_suffix(template, suffix, 400, tokenizer))


def test_qwen_reads_the_prefix_first():
    tokenizer = byte_level(*QWEN)
    prompt = written(tokenizer, prompt_of(tokenizer, "a = ", "\nb"))
    assert prompt == "<|fim_prefix|>a = <|fim_suffix|>\nb<|fim_middle|>"


def test_deepseek_has_its_hole_between_prefix_and_suffix_and_its_first_token_once():
    tokenizer = byte_level(*DEEPSEEK, begin="<bos>")
    prompt = written(tokenizer, prompt_of(tokenizer, "a = ", "\nb"))
    assert prompt == "<bos><｜fim▁begin｜>a = <｜fim▁hole｜>\nb<｜fim▁end｜>"  # noqa: RUF001


def test_starcoder_reads_the_suffix_first_so_that_typing_only_adds_at_the_end():
    tokenizer = byte_level(*STARCODER)
    before, after = prompt_of(tokenizer, "a = ", "\nb"), prompt_of(tokenizer, "a = f", "\nb")
    assert written(tokenizer, before) == "<fim_prefix><fim_suffix>\nb<fim_middle>a = "
    assert after[:-1] == before


def test_code_llama_gets_no_space_before_its_suffix():
    tokenizer = sentence_piece(*CODELLAMA)
    prompt = "".join(tokenizer.token_bytes[id].decode() for id in prompt_of(tokenizer, "a = ", "b\nc"))
    assert prompt == "<s>▁<PRE>▁<SUF>b\nc▁<MID> a = "


def test_code_llama_counts_its_suffix_without_the_guard():
    tokenizer = sentence_piece(*CODELLAMA)
    template = template_of(tokenizer)
    assert tokenizer.decode(fit_suffix(template, "ab\ncd\nef\n", 24, tokenizer)) == "ab\ncd\n"


@pytest.mark.parametrize("markers", [(), QWEN[:2], (*STARCODER[:2], QWEN[2])])
def test_a_tokenizer_without_all_three_markers_has_no_template(markers):
    assert find_template(byte_level(*markers)) is None


def test_a_bundle_may_say_that_its_model_was_not_trained_for_it():
    assert find_template(byte_level(*QWEN), NO_INFILL) is None


def test_a_bundle_may_name_the_format():
    tokenizer = byte_level(*QWEN, *STARCODER)
    assert template_of(tokenizer, "starcoder2").prefix == tokenizer.token_id("<fim_prefix>")
    with pytest.raises(TokenizerError, match="no tokens of the infill format 'codellama'"):
        find_template(tokenizer, "codellama")
    with pytest.raises(TokenizerError, match=r"unknown infill format 'gpt'; use one of: qwen2.5-coder, .*, none"):
        find_template(tokenizer, "gpt")


def test_the_middle_ends_with_any_marker_and_with_the_ends_that_the_tokenizer_has():
    tokenizer = byte_level(*STARCODER, "<file_sep>")
    ends = {tokenizer.token_id(token) for token in (*STARCODER, "<file_sep>")}
    assert template_of(tokenizer).ends == ends


@pytest.mark.parametrize("budget", [100, 200, 401, 1000])
def test_a_long_suffix_is_cut_at_a_line_end_within_a_quarter_of_the_prompt(budget):
    tokenizer = byte_level(*STARCODER)
    ids = fit_suffix(template_of(tokenizer), SUFFIX, budget, tokenizer)
    text = tokenizer.decode(ids)
    assert SUFFIX.startswith(text)
    assert text.endswith("\n")
    following = SUFFIX[len(text) :].split("\n")[0] + "\n"
    assert len(ids) <= budget // 4 < len(ids) + len(following)


def test_a_short_suffix_is_taken_whole():
    tokenizer = byte_level(*STARCODER, begin="<bos>")
    ids = fit_suffix(template_of(tokenizer), ")\nb", 100, tokenizer)
    assert written(tokenizer, ids) == ")\nb"


@pytest.mark.parametrize(("budget", "text"), [(40, "x" * 10), (3, ""), (0, "")])
def test_a_first_line_that_is_too_long_is_cut_where_the_budget_ends(budget, text):
    tokenizer = byte_level(*STARCODER)
    assert tokenizer.decode(fit_suffix(template_of(tokenizer), "x" * 5000, budget, tokenizer)) == text


def test_a_suffix_with_carriage_returns_is_cut_behind_both():
    tokenizer = byte_level(*STARCODER)
    assert tokenizer.decode(fit_suffix(template_of(tokenizer), "ab\r\ncdefgh\r\n", 24, tokenizer)) == "ab\r\n"


def test_every_format_has_markers_of_its_own():
    markers = [marker for format in FORMATS.values() for marker in (format.prefix, format.suffix, format.middle)]
    assert len(set(markers)) == len(markers)


@pytest.mark.parametrize(
    ("suffix", "budget"), [("", 400), ("  \n\n", 400), ("\nb", 4)], ids=["none", "blank", "no room"]
)
def test_a_prompt_without_a_suffix_has_no_markers(suffix, budget):
    tokenizer = byte_level(*STARCODER)
    rest = around(template_of(tokenizer), suffix, budget, tokenizer)
    assert (rest.tokens, rest.prompt([1, 2, 3])) == (0, [1, 2, 3])


def test_a_prompt_and_its_suffix_share_the_budget():
    tokenizer = byte_level(*STARCODER, begin="<bos>")
    rest = around(template_of(tokenizer), SUFFIX, 400, tokenizer)
    prefix = tokenizer.encode("a" * (400 - rest.tokens))
    assert 80 < rest.tokens <= 104
    assert len(rest.prompt(prefix)) == 400


def test_a_marker_that_its_tokenizer_takes_for_text_is_none():
    tokenizer = byte_level()
    ids = tokenizer.encode("a|b")
    assert tokenizer.with_markers(ids[1:2]).decode(ids) == "ab"
    assert tokenizer.with_markers(ids[1:2]).special_ids == {ids[1]}
    assert tokenizer.decode(ids) == "a|b"


@pytest.fixture(scope="module")
def filling(tmp_path_factory: pytest.TempPathFactory) -> Completer:
    """A completer on a small random StarCoder2, loaded from a folder as a user's would be."""
    folder = tmp_path_factory.mktemp("starcoder2")
    torch.manual_seed(0)
    config = Starcoder2Config(
        vocab_size=256 + len(STARCODER),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.3,
        bos_token_id=None,
        eos_token_id=None,
    )
    Starcoder2ForCausalLM(config).save_pretrained(folder / "model")
    bytes_only(*STARCODER).save(str(folder / "model" / "tokenizer.json"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GREENCODE_DATA", str(folder / "data"))
        patch.setenv("GREENCODE_CACHE", str(folder / "cache"))
        brief = dict.fromkeys(metering.WINDOW_SECONDS, 0.01)  # what it costs is not asked here
        patch.setattr(metering, "WINDOW_SECONDS", brief)
        return load_completer(LoadOptions(model=str(folder / "model")))


def test_a_model_that_fills_in_sees_what_stands_behind_the_cursor(filling):
    session = filling._sessions.get("a")
    for prefix in ("total = ", "total = (", "total = (3 "):
        assert filling.complete(CompletionRequest("a", prefix, "\nprint(total)\n", max_tokens=3)) is not None
        seen = written(filling.tokenizer, session.tokens)
        assert seen.startswith(f"<fim_prefix><fim_suffix>\nprint(total)\n<fim_middle>{prefix.rstrip()}")


def test_typing_on_keeps_the_suffix_in_the_session(filling):
    filling.complete(CompletionRequest("b", "total = ", "\nprint(total)\n", max_tokens=3))
    second = filling.complete(CompletionRequest("b", "total = f(x", "\nprint(total)\n", max_tokens=3))
    assert second is not None
    assert second.reused_tokens >= len("\nprint(total)\ntotal")
    assert second.prompt_tokens <= len("= f(x")


def test_at_the_end_of_a_file_there_is_nothing_to_fill_in(filling):
    filling.complete(CompletionRequest("c", "total = ", "\n", max_tokens=3))
    assert written(filling.tokenizer, filling._sessions.get("c").tokens).startswith("total =")
