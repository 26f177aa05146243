"""The registries' own clients, against registries on this machine."""

import base64
import functools
import hashlib
import http.server
import json
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from greencode_lsp.training.corpus import CorpusError
from greencode_lsp.training.corpus.debian import DebianSources, as_source_entries
from greencode_lsp.training.corpus.errors import RegistryError
from greencode_lsp.training.corpus.fetching import Fetcher, run
from tests.training.corpus.packages import java_class, module, pinned, sha256, write_tarball, write_wheel

needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
needs_apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt-get is not installed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fetched").mkdir()
    return tmp_path / "fetched"


def test_pip_brings_the_pinned_wheel(tmp_path: Path, index: Path, folder: Path) -> None:
    wheel = write_wheel(index, "alpha", {"alpha.py": module("alpha")})
    archive = Fetcher(tmp_path).fetch(pinned("alpha", sha256=sha256(wheel)), folder)
    assert archive.read_bytes() == wheel.read_bytes()


def test_an_archive_with_another_hash_is_refused(tmp_path: Path, index: Path, folder: Path) -> None:
    write_wheel(index, "alpha", {"alpha.py": module("alpha")})
    with pytest.raises(CorpusError, match=r"alpha-1\.0-py3-none-any\.whl has the wrong sha256"):
        Fetcher(tmp_path).fetch(pinned("alpha", sha256="0" * 64), folder)


def test_a_source_distribution_is_never_built(tmp_path: Path, index: Path, folder: Path) -> None:
    setup = "import pathlib; pathlib.Path(r'" + str(tmp_path / "ran") + "').touch()"
    write_tarball(index / "alpha-1.0.tar.gz", {"alpha-1.0/setup.py": setup, "alpha-1.0/PKG-INFO": "Name: alpha\n"})
    with pytest.raises(CorpusError, match=r"pip: No matching distribution found for alpha==1\.0"):
        Fetcher(tmp_path).fetch(pinned("alpha"), folder)
    assert not (tmp_path / "ran").exists()


def test_a_missing_network_is_told_as_such(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(CorpusError, match="pip, no network: ") as caught:
        Fetcher(tmp_path).fetch(pinned("alpha"), folder)
    assert "\n" not in str(caught.value)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def npm_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Serve a folder as a registry that has alpha 1.0.0, and point npm at it."""
    root = tmp_path / "registry"
    root.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(root)))
    address = f"http://127.0.0.1:{server.server_address[1]}"
    manifest = {"name": "alpha", "version": "1.0.0"}
    files = {"package/package.json": json.dumps(manifest), "package/lib/a.js": "let a = 1;\n"}
    tarball = write_tarball(root / "alpha.tgz", files)
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    release = {**manifest, "dist": {"tarball": f"{address}/alpha.tgz", "integrity": integrity}}
    document = {"name": "alpha", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": release}}
    (root / "alpha").write_text(json.dumps(document), encoding="utf-8")
    monkeypatch.setenv("npm_config_registry", address)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm-cache"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield root
    server.shutdown()
    server.server_close()


@needs_npm
def test_npm_brings_the_pinned_tarball(tmp_path: Path, npm_registry: Path, folder: Path) -> None:
    package = pinned("alpha", "npm", "javascript", sha256=sha256(npm_registry / "alpha.tgz"))
    archive = Fetcher(tmp_path).fetch(type(package)(**{**vars(package), "version": "1.0.0"}), folder)
    assert archive.read_bytes() == (npm_registry / "alpha.tgz").read_bytes()


@needs_npm
def test_npms_refusal_is_one_line(tmp_path: Path, npm_registry: Path, folder: Path) -> None:
    with pytest.raises(CorpusError, match=r"npm: .*beta") as caught:
        Fetcher(tmp_path).fetch(pinned("beta", "npm", "javascript"), folder)
    assert "\n" not in str(caught.value)


@pytest.fixture
def apt_folder(tmp_path: Path) -> Path:
    """Return a stand-in for /etc/apt whose one archive, on this disk, has the source package alpha in two versions."""
    archive = tmp_path / "archive"
    archive.mkdir()
    entries = [source_entry(archive, "1.0", "1:1.0-1"), source_entry(archive, "2.0", "1:2.0-3+deb1u1")]
    (archive / "Sources").write_text("\n".join(entries), encoding="utf-8")
    configured = tmp_path / "etc-apt"
    (configured / "sources.list.d").mkdir(parents=True)
    (configured / "sources.list").write_text(f"deb [trusted=yes] file:{archive} ./\n", encoding="utf-8")
    return configured


def source_entry(archive: Path, upstream: str, version: str) -> str:
    tarball = write_tarball(archive / f"alpha_{upstream}.orig.tar.gz", {"alpha/A.java": java_class(f"Alpha{upstream}")})
    description = archive / f"alpha_{version.partition(':')[2]}.dsc"
    description.write_text("Source: alpha\n", encoding="utf-8")
    files = [f" {sha256(path)} {path.stat().st_size} {path.name}\n" for path in (tarball, description)]
    fields = "Binary: alpha\nArchitecture: all\nFormat: 3.0 (quilt)\nDirectory: .\nChecksums-Sha256:\n"
    return f"Package: alpha\nVersion: {version}\n{fields}{''.join(files)}"


@needs_apt
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_apt_get_brings_upstreams_tarball_of_the_version(
    tmp_path: Path, apt_folder: Path, folder: Path, version: str
) -> None:
    archive = DebianSources(tmp_path / "apt", run, apt_folder).fetch("alpha", version, folder)
    assert archive.read_bytes() == (tmp_path / "archive" / f"alpha_{version}.orig.tar.gz").read_bytes()


@needs_apt
def test_a_version_that_debian_has_left_behind_is_told(tmp_path: Path, apt_folder: Path, folder: Path) -> None:
    with pytest.raises(CorpusError, match=r"the archive has alpha (1\.0, 2\.0|2\.0, 1\.0) now, not 0\.9"):
        DebianSources(tmp_path / "apt", run, apt_folder).fetch("alpha", "0.9", folder)


@needs_apt
def test_a_tarball_that_the_archive_has_lost_is_told(tmp_path: Path, apt_folder: Path, folder: Path) -> None:
    (tmp_path / "archive" / "alpha_1.0.orig.tar.gz").unlink()
    with pytest.raises(CorpusError, match=r"apt-get: Failed to fetch .*alpha_1\.0\.orig\.tar\.gz"):
        DebianSources(tmp_path / "apt", run, apt_folder).fetch("alpha", "1.0", folder)


@needs_apt
def test_a_package_that_debian_does_not_have_is_told(tmp_path: Path, apt_folder: Path, folder: Path) -> None:
    with pytest.raises(CorpusError, match="the archive has no source package beta"):
        DebianSources(tmp_path / "apt", run, apt_folder).fetch("beta", "1.0", folder)


def test_both_forms_of_apts_sources_become_sources_of_source_packages() -> None:
    lines = "# deb here\ndeb [signed-by=/k.gpg] http://host/debian bookworm main\ndeb-src http://host/debian sid main\n"
    assert as_source_entries(lines) == lines.replace("\ndeb [", "\ndeb-src [")
    stanza = "Types: deb\nURIs: http://host/debian\nSuites: bookworm\n\nTypes: deb deb-src\nURIs: http://other\n"
    assert as_source_entries(stanza).count("Types: deb-src\n") == 2


@pytest.mark.parametrize(
    ("package", "says"),
    [
        (pinned("alpha", "debian", "java"), "apt-get is not on this machine"),
        (pinned("alpha", "npm", "javascript"), "npm is not on this machine"),
    ],
    ids=["debian", "npm"],
)
def test_a_machine_without_a_client_is_told(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, package: object, says: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RegistryError, match=says):
        Fetcher(tmp_path).fetch(package, folder)  # type: ignore[arg-type]
