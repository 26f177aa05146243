"""Building a `tokenizers.Tokenizer` from the vocabulary inside a GGUF file."""

import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from tokenizers.pre_tokenizers import PreTokenizer

from greencode_lsp.models.gguf_fields import GgufFields

_NORMAL, _CONTROL, _UNUSED = 1, 3, 5  # llama.cpp's enum llama_token_type


def convert_tokenizer(fields: GgufFields, folder: Path) -> None:
    """Write `tokenizer.json` and `tokenizer_config.json` to `folder`.

    Raises `BundleError` when the tokenizer is not byte-level BPE or splits text in a way greencode does not know.
    """
    kind = fields.get("tokenizer.ggml.model", str)
    if kind != "gpt2":
        raise fields.unsupported(f"its tokenizer is {kind!r} and only 'gpt2' (byte-level BPE) works")
    tokens = fields.get_texts("tokenizer.ggml.tokens")
    merges = [halves(merge) for merge in fields.get_texts("tokenizer.ggml.merges")]
    types = fields.get("tokenizer.ggml.token_type", list)
    if len(types) != len(tokens):
        raise fields.unsupported(f"it has {len(tokens)} tokens and {len(types)} types of tokens")
    try:
        model = models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=merges)
    except Exception as error:  # the library raises bare Exception, and TypeError
        raise fields.unsupported(f"its merges are not of its tokens ({str(error).partition(chr(10))[0]})") from error
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = _pre_tokenizer(fields)
    tokenizer.decoder = decoders.ByteLevel()
    for token, token_type in zip(tokens, types, strict=True):
        if token_type == _CONTROL:
            tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False)])
        elif token_type not in (_NORMAL, _UNUSED):
            tokenizer.add_tokens([AddedToken(token, normalized=False)])
    special = _special_tokens(fields, tokens)
    if fields.get("tokenizer.ggml.add_bos_token", bool, False):
        first = special.get("bos_token")
        if first is None:
            raise fields.unsupported("it wants a first token without saying which")
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{first} $A", special_tokens=[(first, tokens.index(first))]
        )
    tokenizer.save(str(folder / "tokenizer.json"))
    # The class that takes tokenizer.json as it is; a model's own class would rebuild the pre-tokenizer.
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False, **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def halves(merge: str) -> tuple[str, str]:
    """Return the two tokens that a merge joins; no token holds a space."""
    left, _, right = merge.partition(" ")
    return left, right


def _pre_tokenizer(fields: GgufFields) -> PreTokenizer:
    """Return what splits text before BPE, by llama.cpp's name for it (`llama_vocab_pre_type`)."""
    name = fields.get("tokenizer.ggml.pre", str)
    if name != "smollm":
        raise fields.unsupported(f"its pre-tokenizer is {name!r} and only 'smollm' works")
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )


def _special_tokens(fields: GgufFields, tokens: list[str]) -> dict[str, str]:
    special = {}
    for role, key in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")):
        index = fields.get_index(f"tokenizer.ggml.{key}_token_id")
        if index is not None:
            special[f"{role}_token"] = tokens[index]
    return special
