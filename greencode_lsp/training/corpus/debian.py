"""Upstream's source tarballs out of Debian's archive, through apt-get, without touching the system's own state."""

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import unquote

from greencode_lsp.training.corpus.errors import CorpusError, RegistryError

CONFIGURED = Path("/etc/apt")

Run = Callable[[Sequence[str], Path], str]


class DebianSources:
    """The source packages of the archives that this machine's apt is configured for; read from a private copy."""

    def __init__(self, folder: Path, run: Run, configured: Path = CONFIGURED) -> None:
        self._folder, self._run, self._configured = folder, run, configured
        self._ready = False

    def fetch(self, name: str, version: str, folder: Path) -> Path:
        """Download the upstream tarball of `version` into `folder`; Debian's own revision does not matter."""
        if not self._ready:
            self._update()
        there = self._versions(name, folder)
        has = f"{name} {', '.join(there.values())} now" if there else f"no source package {name}"
        failure = CorpusError(f"the archive has {has}, not {version}")
        for revision in (revision for revision, upstream in there.items() if upstream == version):
            wanted = ["source", "--download-only", "--tar-only", "--only-source", f"{name}={revision}"]
            try:
                self._run(["apt-get", *self._options(), *wanted], folder)
            except CorpusError as error:  # another archive may have another revision of the same version
                failure = error
                continue
            for path in folder.iterdir():
                if re.fullmatch(re.escape(f"{name}_{version}.orig.tar.") + "(gz|bz2|xz)", unquote(path.name)):
                    return path
            failure = CorpusError(f"{name} {version} has no upstream tarball of its own")
        raise failure

    def _versions(self, name: str, folder: Path) -> dict[str, str]:
        """Return upstream's version of each Debian version of a source package that there is."""
        stanzas = self._run(["apt-cache", *self._options(), "showsrc", "--only-source", name], folder).split("\n\n")
        found: dict[str, str] = {}
        for stanza in stanzas:
            fields = dict(re.findall(r"^(Package|Version): (\S+)$", stanza, re.MULTILINE))
            if fields.get("Package") == name and "Version" in fields:
                found[fields["Version"]] = re.sub(r"^\d+:|-[^-]*$", "", fields["Version"])
        return found

    def _update(self) -> None:
        if shutil.which("apt-get") is None:
            raise RegistryError("apt-get is not on this machine: Debian's sources need Debian or Ubuntu")
        sources = self._folder / "sources.list.d"
        for folder in (sources, self._folder / "lists" / "partial", self._folder / "cache" / "archives" / "partial"):
            folder.mkdir(parents=True, exist_ok=True)
        for path in [self._configured / "sources.list", *sorted((self._configured / "sources.list.d").glob("*"))]:
            if path.suffix in (".list", ".sources") and path.is_file():
                text = as_source_entries(path.read_text(encoding="utf-8", errors="replace"))
                (sources / f"greencode-{path.name}").write_text(text, encoding="utf-8")
        if not any(sources.iterdir()):
            raise RegistryError(f"apt has no archives configured in {self._configured}")
        try:
            self._run(["apt-get", *self._options(), "update"], self._folder)
        except CorpusError as error:
            raise RegistryError(f"the lists of Debian's sources cannot be fetched ({error})") from error
        self._ready = True

    def _options(self) -> list[str]:
        settings = {
            "Dir::Etc::SourceList": "/dev/null",
            "Dir::Etc::SourceParts": self._folder / "sources.list.d",
            "Dir::State::Lists": self._folder / "lists",
            "Dir::Cache": self._folder / "cache",
            "Acquire::Retries": 3,
            "APT::Sandbox::User": "",
            "APT::Get::List-Cleanup": "false",
        }
        return ["-q", *(part for name, value in settings.items() for part in ("-o", f"{name}={value}"))]


def as_source_entries(text: str) -> str:
    """Turn the entries of an apt sources file, in either form, into entries for source packages."""
    text = re.sub(r"^deb(?=\s)", "deb-src", text, flags=re.MULTILINE)
    return re.sub(r"^Types:.*$", "Types: deb-src", text, flags=re.MULTILINE)
