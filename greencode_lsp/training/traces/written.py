"""Texts that a policy wrote, to learn from what it meets when it follows itself rather than people (DAgger's idea).

K/V of exited tokens are exact in this engine, so a policy's own states are those of one pass over the text it wrote:
only the tokens differ from real code.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from greencode_lsp.engine import EarlyExitModel, Request, Session, generate
from greencode_lsp.policy import Policy
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.progress import Report
from greencode_lsp.training.traces.texts import Window

SHORTEST_PROMPT = 16


def written_windows(
    model: EarlyExitModel,
    make_policy: Callable[[], Policy],
    windows: Sequence[Window],
    lead: Sequence[int],
    new_tokens: int,
    report: Report,
) -> list[Window]:
    """Continue each window by a policy; return what it wrote, with the window's tokens before it.

    A window that leaves no room in the model's context for `new_tokens` is shortened from the front. Raises
    `TrainingError` when nothing was written, or there is no room for it.
    """
    most = model.backbone.shape.context_length - len(lead) - new_tokens
    if most < SHORTEST_PROMPT:
        raise TrainingError(f"{new_tokens} new tokens leave no room for a text in the context; lower --new-tokens")
    written: list[Window] = []
    for index, window in enumerate(windows):
        report("writing texts", index, len(windows))
        prompt = window.ids[-most:]
        if len(prompt) < SHORTEST_PROMPT:
            continue
        request = Request([*lead, *map(int, prompt)], new_tokens, make_policy())
        tokens = [token.id for token in generate(Session(model), request).tokens]
        if tokens:
            ids = np.asarray([int(prompt[-1]), *tokens])
            start = window.start + len(window.ids) - 1
            written.append(replace(window, start=start, ids=ids, before=prompt[:-1]))
    if not written:
        raise TrainingError(f"the policy wrote nothing: no text has {SHORTEST_PROMPT} tokens to begin with")
    return written
