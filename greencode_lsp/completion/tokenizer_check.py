"""Whether a stranger's tokenizer can be used: it is tried in a process of its own first.

A tokenizer.json holds regular expressions, replacements and paddings. Some take hours or all memory for a short text,
and the library lets no other thread run meanwhile, cannot be interrupted, and panics or aborts where it gives up.
"""

import hashlib
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from greencode_lsp.completion import tokenizer_trial
from greencode_lsp.completion.tokenizer_trial import MEMORY_BYTES, PROCESSOR_SECONDS, REFUSED
from greencode_lsp.paths import made_folder
from greencode_lsp.reading import UnreadableFileError, read_bytes

MOST_BYTES = 128 << 20
"""Of a tokenizer.json: Gemma's, one of the largest, has 33 MB."""

WAIT_SECONDS = 120
"""How long a trial is waited for, on a machine that does other things or cannot limit what a process computes."""


def check_tokenizer(path: Path) -> None:
    """Raise `UnreadableFileError` unless the tokenizer of a file has been found to work on texts of all kinds.

    What has passed once is remembered by its hash.
    """
    digest = hashlib.sha256(read_bytes(path, MOST_BYTES)).hexdigest()
    passed = made_folder("tokenizers") / f"passed-{digest[:32]}"
    if passed.exists():
        return
    # -P: the folder in which the editor was started may hold modules of a stranger's.
    command = [sys.executable, "-P", tokenizer_trial.__file__, str(path)]
    # LD_PRELOAD: an address sanitizer's library takes more address space than the trial may have.
    kept = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    environment = kept | {"RUST_BACKTRACE": "0", "TOKENIZERS_PARALLELISM": "false"}
    # The library writes about its panics itself: to stderr, which is the server's log.
    said, quiet = subprocess.PIPE, subprocess.DEVNULL
    try:
        trial = subprocess.run(
            command, stdin=quiet, stdout=said, stderr=quiet, timeout=WAIT_SECONDS, check=False, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadableFileError(f"it did not split short texts within {WAIT_SECONDS} s") from error
    if trial.returncode == REFUSED:
        raise UnreadableFileError(trial.stdout.decode("utf-8", "replace").strip())
    if trial.returncode:
        raise UnreadableFileError(
            f"splitting short texts took more than {PROCESSOR_SECONDS} s or {MEMORY_BYTES >> 30} GB, or broke the "
            f"library (status {trial.returncode})"
        )
    with suppress(OSError):  # then it is tried again at every start
        passed.parent.mkdir(parents=True, exist_ok=True)
        passed.touch()
