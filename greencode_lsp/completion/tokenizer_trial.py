"""What runs in a process of its own to try a tokenizer: `python tokenizer_trial.py TOKENIZER_JSON`.

It imports nothing of greencode's, so that it runs as a file wherever greencode was imported from.
"""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

PROCESSOR_SECONDS = 10
"""What the trial may compute: an ordinary tokenizer takes a third of a second."""

MEMORY_BYTES = 4 << 30

RUN = 2000
"""Characters of one trial text. In one whose pieces multiply, so many are more than any limit."""

MOST_PATTERN_CHARACTERS = 1000
"""How much of a file's regular expressions goes into each of the trial texts."""

MOST_TOKENS_PER_CHARACTER = 16

ALPHABET = "aA0 \n\t\r.,_-+=*/\\'\"()[]{}<>#@ßéЖ中😀\u0301\u200b"
"""Characters of every kind that tokenizers tell apart."""

REFUSED = 3
"""The exit status of a trial that says why on stdout."""


def main(path: Path) -> int:
    """Split the trial texts; print why, in one line, and return `REFUSED` where the tokenizer must not be used."""
    limit_resources()
    try:
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        for text in trial_texts(path):
            tokens = len(tokenizer.encode(text).ids)
            if tokens > MOST_TOKENS_PER_CHARACTER * len(text):
                return refuse(f"it makes {tokens} tokens of {len(text)} characters")
    except BaseException as error:  # its panics are no Exception
        return refuse(f"the tokenizers library says: {' '.join(str(error).split())[:200]}")
    return 0


def refuse(why: str) -> int:
    """Say why, for the process that has started this one."""
    sys.stdout.buffer.write(why.encode("utf-8", "replace"))
    return REFUSED


def limit_resources() -> None:
    """Let the system end this process where it computes too long or takes too much memory."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError, OSError):  # some systems do not limit memory
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def trial_texts(path: Path) -> Iterator[str]:
    """Yield long runs of characters, pairs and words that break off: those of the file's own patterns first.

    A regular expression that backtracks without end does so where what it repeats goes on for long and then fails. It
    is not even tried where a character that it needs comes nowhere: so the whole patterns follow behind the break.
    """
    patterns = "\n".join(_patterns(json.loads(path.read_bytes())))[:MOST_PATTERN_CHARACTERS]
    own = "".join(dict.fromkeys(patterns))[:64]
    literal = [character for character in own if character.isalnum()][:12]
    units = [*own, *ALPHABET, *(first + second for first in literal for second in literal if first != second)]
    units += re.findall(r"[^\W_]{3,20}", patterns)[:50]
    for unit in dict.fromkeys(units):
        for end in ("", "\0", "!", "\0" + patterns, "!" + patterns):
            yield unit * (RUN // len(unit)) + end


def _patterns(described: Any) -> Iterator[str]:
    """Yield the regular expressions of what comes before the model, and of the decoder."""
    waiting = [described.get(part) for part in ("normalizer", "pre_tokenizer", "decoder", "post_processor")]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += part.values()
            if isinstance(pattern := part.get("Regex"), str):
                yield pattern
        elif isinstance(part, list):
            waiting += part


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
