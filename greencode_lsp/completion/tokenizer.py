"""Text to token ids and back, with the exact bytes of every token."""

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from tokenizers import Encoding, Tokenizer

from greencode_lsp.completion.tokenizer_check import check_tokenizer
from greencode_lsp.errors import UserError


class TokenizerError(UserError):
    """A tokenizer that cannot be loaded or whose tokens have no known byte form."""


class CodeTokenizer:
    """A Hugging Face tokenizer that never loses a byte: also half a character can be told from its token."""

    def __init__(self, tokenizer: Tokenizer, markers: Iterable[int] = (), vocabulary_size: int | None = None) -> None:
        self._tokenizer, self._vocabulary_size = tokenizer, vocabulary_size
        special = {id for id, token in tokenizer.get_added_tokens_decoder().items() if token.special}
        self._special = frozenset(special.union(markers))

    @classmethod
    def load(cls, folder: Path) -> "CodeTokenizer":
        """Load `tokenizer.json` of a model folder; raise `TokenizerError` when it is missing or broken."""
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise TokenizerError(f"{path} does not exist; the model folder needs a fast tokenizer")
        try:
            check_tokenizer(path)
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise TokenizerError(
                f"{path} cannot be used: {' '.join(str(error).split())}; fetch the model again, or use another one"
            ) from error
        # What some files say for training: a text is to be split whole, and without anything behind it.
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return cls(tokenizer)

    def with_markers(self, ids: Iterable[int]) -> "CodeTokenizer":
        """Return this tokenizer with more ids that stand for no text: not every one says it of all that do."""
        return CodeTokenizer(self._tokenizer, self._special.union(ids), self._vocabulary_size)

    def within(self, vocabulary_size: int) -> "CodeTokenizer":
        """Return this tokenizer for a model of so many tokens, of which some may lack those that were added later."""
        return CodeTokenizer(self._tokenizer, self._special, vocabulary_size)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, with the beginning-of-text token where the model wants one."""
        ids: list[int] = self._encoded(text).ids
        return ids

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[int]]:
        """Return the ids of a text, and for each the offset of its first character, rising."""
        encoding = self._encoded(text)
        return encoding.ids, [start for start, _ in encoding.offsets]

    def _encoded(self, text: str) -> Encoding:
        """Split a text; raise `TokenizerError` where the library gives up, or for a token that the model lacks."""
        try:
            encoding = self._tokenizer.encode(well_formed(text))
        except BaseException as error:
            # The library panics where a regular expression backtracks too long: that is a BaseException.
            if isinstance(error, Exception) or type(error).__name__ == "PanicException":
                why = " ".join(str(error).split())
                raise TokenizerError(f"the model's tokenizer cannot split this text: {why}; use another one") from None
            raise
        highest, size = max(encoding.ids, default=0), self._vocabulary_size
        if size is not None and highest >= size:
            token = self._tokenizer.id_to_token(highest)
            raise TokenizerError(
                f"the model's tokenizer makes the token {token!r:.80} ({highest}), and the model has {size} tokens; "
                "fetch the model again, or use another one"
            )
        return encoding

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids without special tokens, and without a character that has only half arrived."""
        # Many models have more ids than their tokenizer, to make the matrices even: those stand for nothing.
        known = self.token_bytes
        data = b"".join(known[id] for id in ids if id not in self._special and id < len(known))
        return (data[: len(data) - unfinished_tail(data)]).decode("utf-8", errors="replace")

    @cached_property
    def token_bytes(self) -> list[bytes]:
        """The bytes of every token, by id."""
        size = self._tokenizer.get_vocab_size(with_added_tokens=True)
        size = size if self._vocabulary_size is None else min(size, self._vocabulary_size)
        added = self._tokenizer.get_added_tokens_decoder()
        read = byte_level if "ByteLevel" in str(self._tokenizer.decoder) else sentence_piece
        return [
            added[id].content.encode() if id in added else read(self._tokenizer.id_to_token(id) or "")
            for id in range(size)
        ]

    def token_id(self, token: str) -> int | None:
        """Return the id of a token by the name it has in the vocabulary, or None where there is none."""
        return self._tokenizer.token_to_id(token)

    @property
    def special_ids(self) -> frozenset[int]:
        """Ids that stand for no text."""
        return self._special


def well_formed(text: str) -> str:
    """Join surrogate pairs and replace lone surrogates, which JSON can carry and UTF-8 cannot."""
    return text.encode("utf-16-le", errors="surrogatepass").decode("utf-16-le", errors="replace")


def unfinished_tail(data: bytes) -> int:
    """Return how many bytes at the end begin a UTF-8 character that is not all there."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0b1100_0000 == 0b1100_0000:
            wanted = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if back < wanted else 0
        if byte < 0x80:
            return 0
    return 0


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's printable stand-in for each byte (`bytes_to_unicode` in openai/gpt-2)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + index): byte for index, byte in enumerate(others)}


BYTE_OF = _byte_alphabet()


def byte_level(token: str) -> bytes:
    """Return the bytes of a byte-level BPE token (GPT-2, Llama 3, SmolLM2, OPT)."""
    return bytes(BYTE_OF[character] for character in token if character in BYTE_OF)


def sentence_piece(token: str) -> bytes:
    """Return the bytes of a SentencePiece token with byte fallback (Llama 2, Code Llama, Mistral)."""
    if match := re.fullmatch(r"<0x([0-9A-F]{2})>", token):
        return bytes.fromhex(match.group(1))
    return token.replace("▁", " ").encode()
