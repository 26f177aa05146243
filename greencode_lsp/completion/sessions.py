"""The sessions of the documents a person works in, the least recently used dropped when memory runs out."""

from collections import OrderedDict

from greencode_lsp.engine import EarlyExitModel, Session

BUDGET_BYTES = 192 * 2**20


class SessionPool:
    """One session per document, at most `budget_bytes` of K/V in all, but always the one in use."""

    def __init__(self, model: EarlyExitModel, budget_bytes: int = BUDGET_BYTES) -> None:
        self._model, self._budget_bytes = model, budget_bytes
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def get(self, document: str) -> Session:
        """Return the document's session, now the most recently used, and drop others as memory demands."""
        session = self._sessions.pop(document, None) or Session(self._model)
        self._sessions[document] = session
        while len(self._sessions) > 1 and self.byte_count > self._budget_bytes:
            self._sessions.popitem(last=False)
        return session

    def drop(self, document: str) -> None:
        """Forget a document."""
        self._sessions.pop(document, None)

    @property
    def byte_count(self) -> int:
        """Bytes of K/V and waiting rows held."""
        return sum(session.byte_count for session in self._sessions.values())

    def __len__(self) -> int:
        """Count the sessions held."""
        return len(self._sessions)
