"""Getting one pinned archive from its registry with the registry's ordinary client; no code of the package is run."""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from greencode_lsp.training.corpus.debian import DebianSources
from greencode_lsp.training.corpus.errors import CorpusError, RegistryError
from greencode_lsp.training.corpus.package_list import PinnedPackage

_TIMEOUT_S = 900
_NO_NETWORK = re.compile(
    r"connection broken by|NewConnectionError|NameResolutionError|timed out|ProxyError|SSLError|ENOTFOUND|ECONNREFUSED"
    r"|ETIMEDOUT|ECONNRESET|EAI_AGAIN|Could not resolve|Could not connect|network"
)


class Fetcher:
    """Fetches archives and checks them against their sha256. `folder` holds what clients need meanwhile."""

    def __init__(self, folder: Path) -> None:
        self._debian = DebianSources(folder / "apt", run)

    def fetch(self, package: PinnedPackage, folder: Path) -> Path:
        """Bring the archive of `package` into the empty `folder` and return its path.

        Raises `CorpusError` for this package, `RegistryError` when its whole registry cannot be used here.
        """
        if package.registry == "pypi":
            archive = _from_pypi(package, folder)
        elif package.registry == "npm":
            archive = _from_npm(package, folder)
        else:
            archive = self._debian.fetch(package.name, package.version, folder)
        with archive.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if package.sha256 and found != package.sha256:
            raise CorpusError(
                f"{archive.name} has the wrong sha256 (expected {package.sha256[:12]}..., found {found[:12]}...): "
                "it was damaged or replaced, pin the new one or run again"
            )
        return archive


def _from_pypi(package: PinnedPackage, folder: Path) -> Path:
    """Fetch the pure Python wheel: a wheel holds the source, and pip runs none of it."""
    if importlib.util.find_spec("pip") is None:
        raise RegistryError(f"pip is missing: run `{sys.executable} -m ensurepip`")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--platform=any"]
    command += ["--ignore-requires-python", "--no-input", "--disable-pip-version-check", "--progress-bar=off"]
    run([*command, "--dest", str(folder), f"{package.name}=={package.version}"], folder, {"TMPDIR": str(folder)})
    return _only(folder, "*.whl", package)


def _from_npm(package: PinnedPackage, folder: Path) -> Path:
    if shutil.which("npm") is None:
        raise RegistryError("npm is not on this machine: install node 20 or later")
    wanted = f"{package.name}@{package.version}"
    plain = ["--ignore-scripts", "--no-update-notifier", "--json"]
    run(["npm", "pack", wanted, *plain, "--pack-destination", str(folder)], folder)
    return _only(folder, "*.tgz", package)


def _only(folder: Path, pattern: str, package: PinnedPackage) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise CorpusError(
            f"{package.registry} gave {len(found)} archives for {package.name} {package.version}, not one"
        )
    return found[0]


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a client in `folder` and return what it printed; raise `CorpusError` with its last error as one line."""
    plain = {"NO_COLOR": "1", "PYTHONIOENCODING": "utf-8", "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **plain, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise CorpusError(f"{command[0]} did not end within {_TIMEOUT_S} s: check the network and run again") from error
    if done.returncode != 0:
        raise CorpusError(_failure(Path(command[0]).name, done.stdout + "\n" + done.stderr))
    return done.stdout


def _failure(client: str, said: str) -> str:
    """Put a client's failure into one line: the broken connection if there is one, else its last error."""
    client = "pip" if client.startswith("python") else client
    if summary := _npm_summary(said):
        said = summary
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if any("No space left on device" in line or "ENOSPC" in line for line in lines):
        return f"{client}: the disk is full, free some space and run again"
    broken = [line for line in lines if _NO_NETWORK.search(line)]
    errors = [line for line in lines if line.startswith(("ERROR:", "E:", "npm error"))]
    # apt-get tells the reason first, pip and npm tell it last.
    told = broken or (errors[:1] if client == "apt-get" else errors) or lines or ["said nothing"]
    last = re.sub(r"^(ERROR:|WARNING:|E:|npm error)\s*", "", told[-1])
    return f"{client}, no network: {last}" if broken else f"{client}: {last}"


def _npm_summary(said: str) -> str | None:
    """Return the summary out of the JSON in which npm tells of an error."""
    try:
        error = json.loads(said[said.index("{") : said.rindex("}") + 1])["error"]
        return f"npm error {error.get('code', '')} {error['summary']}".splitlines()[0]
    except (ValueError, KeyError, TypeError, IndexError):
        return None
