"""Cost tables kept on disk, so that a machine is calibrated once."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from pathlib import Path

from greencode_lsp.energy.costs import CostTable
from greencode_lsp.reading import read_json

log = logging.getLogger(__name__)


class CostStore:
    """Keeps one JSON file per key in `folder`.

    A key names all a table depends on: machine, meter, model, precision, threads. A file that cannot be read counts as
    missing, a folder that cannot be written is logged: neither raises.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, key: str) -> CostTable | None:
        """Return the table saved under `key`, or None."""
        path = self._path(key)
        try:
            stored = read_json(path)
            if stored["key"] != key:
                raise ValueError("it belongs to another key")
            return CostTable.from_json(stored["table"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("cost table %s ignored: %s", path.name, error)
            return None

    def save(self, key: str, table: CostTable) -> None:
        """Keep `table` under `key`, replacing the one before in one step."""
        path = self._path(key)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self._folder, prefix=path.stem, suffix=".tmp")
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                    json.dump({"key": key, "table": table.to_json()}, stream)
                os.replace(temporary, path)
            except OSError:
                os.unlink(temporary)
                raise
        except OSError as error:
            log.warning("cost table not kept: %s", error)

    def _path(self, key: str) -> Path:
        return self._folder / f"costs-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"
