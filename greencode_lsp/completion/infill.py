"""Fill-in-the-middle prompts: the text on both sides of the cursor, for the models that were trained on them.

A prompt in prefix-suffix-middle order (PSM) ends with the suffix, so every keystroke puts all of it behind a changed
prefix and it has to run again. In suffix-prefix-middle order (SPM) a keystroke only adds tokens at the end, and a warm
session keeps everything: SPM is used wherever the model was trained on it.

The idea and both orders: Bavarian et al. 2022, "Efficient Training of Language Models to Fill in the Middle"
(arXiv 2207.14255). Its second variant of SPM, `<prefix><suffix>SUFFIX<middle>PREFIX`, is the one models are trained on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from greencode_lsp.completion.lines import line_starts
from greencode_lsp.completion.prompt import CHARACTERS_PER_TOKEN
from greencode_lsp.completion.tokenizer import CodeTokenizer, TokenizerError

SUFFIX_SHARE = 4
"""The suffix gets at most this part of a prompt, a quarter: what stands before the cursor says more about it."""

GUARD = "☺"
"""What stands in front of a text while it is encoded without SentencePiece's leading space (Code Llama does it so)."""

NO_INFILL = "none"
"""The name by which a bundle says that its model was not trained to fill in, whatever its tokenizer has."""


@dataclass(frozen=True)
class InfillFormat:
    """A way to write such prompts: its three markers, their order, and what a model says when the middle is done.

    With `leading_space`, encoding a text puts a space in front of it that the suffix must not have.
    """

    prefix: str
    suffix: str
    middle: str
    suffix_first: bool
    ends: tuple[str, ...]
    leading_space: bool = False


FORMATS = {
    # Trained on PSM only: technical report, arXiv 2409.12186, section 3.2 (file-level and repo-level FIM).
    "qwen2.5-coder": InfillFormat(
        "<|fim_prefix|>",
        "<|fim_suffix|>",
        "<|fim_middle|>",
        suffix_first=False,
        ends=("<|endoftext|>", "<|fim_pad|>", "<|file_sep|>", "<|repo_name|>"),
    ),
    # Trained on both: StarCoder, arXiv 2305.06161, with `fim_spm_rate` in bigcode-project/Megatron-LM, gpt_dataset.py.
    # StarCoder2 "is the same as StarCoder", and <file_sep> ends it: its authors in bigcode-project/starcoder2#10.
    "starcoder2": InfillFormat(
        "<fim_prefix>", "<fim_suffix>", "<fim_middle>", suffix_first=True, ends=("<|endoftext|>", "<file_sep>")
    ),
    # Trained on both, half and half: arXiv 2308.12950, section 2.3; its appendix advises token healing with SPM, and
    # greencode heals. `infilling_prompt_tokens` in meta-llama/codellama, llama/generation.py, writes both orders.
    "codellama": InfillFormat("▁<PRE>", "▁<SUF>", "▁<MID>", suffix_first=True, ends=("▁<EOT>",), leading_space=True),
    # Trained on PSM only: arXiv 2401.14196, section 3.1.2. The hole stands between prefix and suffix.
    "deepseek-coder": InfillFormat(
        "<｜fim▁begin｜>",  # noqa: RUF001
        "<｜fim▁hole｜>",  # noqa: RUF001
        "<｜fim▁end｜>",  # noqa: RUF001
        suffix_first=False,
        ends=("<｜end▁of▁sentence｜>",),  # noqa: RUF001
    ),
}


@dataclass(frozen=True)
class InfillTemplate:
    """A format in the token ids of one tokenizer. `begin` opens every text, `ends` are ids that end the middle."""

    prefix: int
    suffix: int
    middle: int
    suffix_first: bool
    begin: tuple[int, ...]
    ends: frozenset[int]
    leading_space: bool


@dataclass(frozen=True)
class Surroundings:
    """What stands in a prompt beside the text before the cursor: a suffix and markers, or nothing at all."""

    template: InfillTemplate | None
    suffix_ids: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """How many tokens this takes."""
        return len(self.prompt([]))

    def prompt(self, prefix_ids: Sequence[int]) -> list[int]:
        """Return the whole prompt, given the ids of the text before the cursor."""
        return list(prefix_ids) if self.template is None else infill_prompt(self.template, prefix_ids, self.suffix_ids)


def find_template(tokenizer: CodeTokenizer, name: str | None = None) -> InfillTemplate | None:
    """Return the template whose three markers the tokenizer has, or None where it has none.

    Markers alone do not prove training (Qwen2 has those that Qwen2.5-Coder was trained with), so a bundle may say
    `name`: one of `FORMATS`, or `NO_INFILL`. Raises `TokenizerError` when that is unknown or its markers are missing.
    """
    if name == NO_INFILL:
        return None
    if name is None:
        found = (_in_ids(candidate, tokenizer) for candidate in FORMATS.values())
        return next((template for template in found if template is not None), None)
    if name not in FORMATS:
        raise TokenizerError(f"unknown infill format {name!r}; use one of: {', '.join((*FORMATS, NO_INFILL))}")
    template = _in_ids(FORMATS[name], tokenizer)
    if template is None:
        raise TokenizerError(f"this tokenizer has no tokens of the infill format {name!r}; use {NO_INFILL!r}")
    return template


def around(template: InfillTemplate | None, suffix: str, budget: int, tokenizer: CodeTokenizer) -> Surroundings:
    """Return what stands around the text before the cursor in a prompt of `budget` tokens.

    Nothing does where there is no template, where only blanks follow, and where there is no room for both.
    """
    if template is None or not suffix.strip():
        return Surroundings(None, ())
    behind = Surroundings(template, tuple(fit_suffix(template, suffix, budget, tokenizer)))
    return behind if behind.tokens <= budget // 2 else Surroundings(None, ())


def infill_prompt(template: InfillTemplate, prefix_ids: Sequence[int], suffix_ids: Sequence[int]) -> list[int]:
    """Return the prompt behind which the model writes what belongs between prefix and suffix.

    Both may start with the tokens that open a text. The prompt without a prefix says what is left of a budget for it.
    """
    prefix, suffix = _without(template.begin, prefix_ids), _without(template.begin, suffix_ids)
    if template.suffix_first:
        return [*template.begin, template.prefix, template.suffix, *suffix, template.middle, *prefix]
    return [*template.begin, template.prefix, *prefix, template.suffix, *suffix, template.middle]


def fit_suffix(template: InfillTemplate, suffix: str, budget: int, tokenizer: CodeTokenizer) -> list[int]:
    """Return the token ids of as much of the beginning of `suffix` as fits its share of a prompt of `budget` tokens.

    The cut falls on a line end, except in a first line that is too long.
    """
    share = budget // SUFFIX_SHARE
    text = suffix[: share * CHARACTERS_PER_TOKEN]
    ids, offsets = _encode_inside(template, text, tokenizer)
    if len(ids) <= share and len(text) == len(suffix):
        return ids
    reach = offsets[share] if len(ids) > share else len(text)
    cut = max(start for start in line_starts(text) if start <= reach)
    if cut:
        ids, _ = _encode_inside(template, text[:cut], tokenizer)
    return ids[:share]


def _in_ids(candidate: InfillFormat, tokenizer: CodeTokenizer) -> InfillTemplate | None:
    prefix, suffix, middle = (
        tokenizer.token_id(marker) for marker in (candidate.prefix, candidate.suffix, candidate.middle)
    )
    if prefix is None or suffix is None or middle is None:
        return None
    ends = {id for id in map(tokenizer.token_id, candidate.ends) if id is not None}
    return InfillTemplate(
        prefix=prefix,
        suffix=suffix,
        middle=middle,
        suffix_first=candidate.suffix_first,
        begin=tuple(tokenizer.encode("")),
        ends=frozenset(ends | {prefix, suffix, middle}),
        leading_space=candidate.leading_space,
    )


def _encode_inside(template: InfillTemplate, text: str, tokenizer: CodeTokenizer) -> tuple[list[int], list[int]]:
    """Return ids and offsets of a text as they are in the middle of another, where nothing opens it."""
    guard = GUARD if template.leading_space else ""
    ids, offsets = tokenizer.encode_with_offsets(guard + text)
    first = sum(offset < len(guard) for offset in offsets) if guard else len(ids) - len(_without(template.begin, ids))
    return ids[first:], [offset - len(guard) for offset in offsets[first:]]


def _without(begin: tuple[int, ...], ids: Sequence[int]) -> Sequence[int]:
    return ids[len(begin) :] if tuple(ids[: len(begin)]) == begin else ids
