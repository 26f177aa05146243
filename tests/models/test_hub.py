"""Pulling from the Hugging Face hub, against a hub of a few lines on this machine."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest

from greencode_lsp.models import BundleError, find_bundle, load_folder, pull, verify
from tests.models.tiny import sha256, write_bundle_toml
from tests.waiting import HANG_SECONDS

REPOSITORY = Path(__file__).parents[2]
COMMIT = "c" * 40
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "tokenizer.json": b"{}",
    "model.safetensors": bytes(range(256)) * 40,
    "pytorch_model.bin": b"a pickle",
    "training_args.json": b"{}",
}
PINNED = ("config.json", "tokenizer.json", "model.safetensors")


@dataclass
class Hub:
    """A hub with the one repository `owner/model`; `asked` collects the files it was asked for."""

    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    asked: set[str] = field(default_factory=set)


@pytest.fixture
def hub(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, *, with_body: bool) -> None:
            name = self.path.rpartition("/")[2]
            if self.path.startswith("/api/models/owner/model/tree/"):
                sizes = {name: len(content) for name, content in hub.files.items()}
                tree = [{"type": "file", "path": name, "size": size, "oid": "0"} for name, size in sizes.items()]
                body = json.dumps(tree).encode()
            elif name in hub.files:
                hub.asked.add(name)
                body = hub.files[name]
            else:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{sha256(body)}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub-home"))
    yield hub
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def described(tmp_path: Path) -> str:
    """Return the path of a bundle that pins the files of `owner/model`."""
    files = {name: sha256(FILES[name]) for name in PINNED}
    source = {"kind": "hub", "repository": "owner/model", "revision": COMMIT, "files": files}
    write_bundle_toml(tmp_path / "tiny", {"source": source})
    return str(tmp_path / "tiny")


PULL = """
import json, sys
from greencode_lsp.models import BundleError, find_bundle, pull

seen = []
try:
    pull(find_bundle(sys.argv[1]), seen.append)
    error = None
except BundleError as caught:
    error = str(caught)
fetched = [(progress.done, progress.total) for progress in seen if progress.stage == "fetching"]
print(json.dumps({"error": error, "fetched": fetched}))
"""


def pull_in_a_process(described: str) -> dict[str, Any]:
    """Pull where huggingface_hub has not been imported yet: it reads the hub's address once, when it is."""
    command = [sys.executable, "-c", PULL, described]
    process = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=HANG_SECONDS, check=False)
    assert process.returncode == 0, process.stderr
    result: dict[str, Any] = json.loads(process.stdout)
    return result


def test_a_pull_fetches_the_pinned_files_and_never_a_pickle(hub: Hub, described: str) -> None:
    result = pull_in_a_process(described)
    assert result["error"] is None
    bundle = find_bundle(described)
    assert {path.name for path in load_folder(bundle).iterdir()} == {*PINNED, "manifest.json"}
    assert verify(bundle) == []
    assert hub.asked == set(PINNED)
    whole = sum(len(FILES[name]) for name in PINNED)
    assert result["fetched"][-1] == [whole, whole]


def test_a_file_with_another_hash_is_refused(hub: Hub, described: str, cache: Path) -> None:
    hub.files["model.safetensors"] = bytes(10)
    assert "owner/model: model.safetensors has the wrong sha256" in pull_in_a_process(described)["error"]
    assert list(cache.iterdir()) == []


def test_a_repository_without_safetensors_is_refused(hub: Hub, described: str, cache: Path) -> None:
    del hub.files["model.safetensors"]
    assert "has no model.safetensors" in pull_in_a_process(described)["error"]
    assert "pytorch_model.bin" not in hub.asked
    assert list(cache.iterdir()) == []


def test_a_hub_that_cannot_be_reached_is_told_in_one_line(
    described: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # huggingface_hub waits between its retries
    with pytest.raises(BundleError, match=r"cannot fetch owner/model .*check its name, your access") as caught:
        pull(find_bundle(described))
    assert "\n" not in str(caught.value)
    assert list(cache.iterdir()) == []
