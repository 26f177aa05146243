"""From a package list to a corpus folder: fetch and prepare packages, drop duplicates, share out tokens, write."""

import hashlib
import importlib.util
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greencode_lsp.errors import installing
from greencode_lsp.training.corpus.decontamination import Decontaminator
from greencode_lsp.training.corpus.duplicates import Deduplicator
from greencode_lsp.training.corpus.errors import CorpusError, RegistryError
from greencode_lsp.training.corpus.evaluation_rows import EvaluationSet, read_evaluation_sets
from greencode_lsp.training.corpus.fetching import Fetcher
from greencode_lsp.training.corpus.package_list import SHIPPED, PackageList, PinnedPackage, read_package_list
from greencode_lsp.training.corpus.preparing import Prepared, key_of, load, prepare, save
from greencode_lsp.training.corpus.reader import Corpus, CorpusPackage, disk_error
from greencode_lsp.training.corpus.selection import level, take
from greencode_lsp.training.progress import Report, silent

SPARE = 1.3
"""Prepared tokens for each that may go in: duplicates are found only when all packages are there."""

_ORDER = ("heldout", "calibration", "train")  # a duplicate stays where it is held out, and leaves the training tokens
_UNFINISHED = "fetch-"


@dataclass(frozen=True)
class BuildOptions:
    """What to build. `tokenizer` is a Hugging Face tokenizer.json; `max_tokens` bounds the training tokens."""

    folder: Path
    tokenizer: Path
    packages: Path = SHIPPED
    decontaminate: tuple[Path, ...] = ()
    max_tokens: int | None = None


def build_corpus(
    options: BuildOptions, report: Report = silent, warn: Callable[[str], None] = lambda line: None
) -> Corpus:
    """Build the corpus and open it; packages that could not be had are in `header["failed"]` and told to `warn`.

    A run that was stopped goes on where it was: prepared packages are kept in `packages/` of the folder, which may be
    deleted afterwards. Raises `CorpusError` where nothing can be built at all.
    """
    if importlib.util.find_spec("datasketch") is None:
        raise CorpusError(f"near duplicates are found with datasketch; {installing('train')}")
    wanted = scaled(read_package_list(options.packages), options.max_tokens)
    report("reading rows", 0, 1)
    sets = read_evaluation_sets(options.decontaminate)
    rows = Decontaminator([row for each in sets for row in each.rows])
    try:
        build = _Build(options, wanted, sets, rows)
        prepared, failed = build.prepare_all(report, warn)
        return build.write(prepared, failed, report)
    except OSError as error:
        raise disk_error(error, options.folder) from error


class _Build:
    def __init__(
        self, options: BuildOptions, wanted: PackageList, sets: list[EvaluationSet], rows: Decontaminator
    ) -> None:
        self.folder = options.folder / "packages"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.options, self.wanted, self.sets, self.rows = options, wanted, sets, rows
        self.tokenizer, self.tokenizer_sha256 = load_tokenizer(options.tokenizer)

    def prepare_all(
        self, report: Report, warn: Callable[[str], None]
    ) -> tuple[dict[PinnedPackage, Prepared], dict[PinnedPackage, str]]:
        """Prepare every package of the list; return what was had, and why the rest was not."""
        for leftover in self.folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        prepared: dict[PinnedPackage, Prepared] = {}
        failed: dict[PinnedPackage, str] = {}
        closed: dict[str, str] = {}
        packages = [package for package in self.wanted.packages if not self.rows.is_evaluated(package.name)]
        with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=self.folder) as work:
            fetcher = Fetcher(Path(work))
            for done, package in enumerate(packages):
                report("packages", done, len(packages))
                try:
                    if package.registry in closed:
                        raise CorpusError(closed[package.registry])
                    prepared[package] = self.prepare_one(package, fetcher, Path(work))
                except RegistryError as error:
                    closed[package.registry] = failed[package] = str(error)
                    warn(f"{package.registry}: {error}; its packages are left out")
                except CorpusError as error:
                    failed[package] = str(error)
                    if package.registry not in closed:
                        warn(f"{package.name} {package.version}: {error}")
        report("packages", len(packages), len(packages))
        if not prepared:
            raise CorpusError(f"no package could be had ({next(iter(failed.values()), 'all are evaluation projects')})")
        return prepared, failed

    def prepare_one(self, package: PinnedPackage, fetcher: Fetcher, work: Path) -> Prepared:
        """Return the prepared package, from an earlier run where there is one."""
        most = self.wanted.tokens[package.split] * self.wanted.package_share[package.split]
        enough = round(most * SPARE)
        key = key_of(package, self.tokenizer_sha256, [each.sha256 for each in self.sets], enough)
        name = re.sub(r"[^\w.+-]", "_", f"{package.registry}-{package.name}-{package.version}")
        path = self.folder / f"{name}.npz"
        if (kept := load(path, key)) is not None:
            return kept
        try:
            with tempfile.TemporaryDirectory(dir=work) as folder:
                archive = fetcher.fetch(package, Path(folder))
                prepared = prepare(package, archive, self.tokenizer, self.rows, enough)
            save(prepared, key, path)
        except OSError as error:
            raise disk_error(error, self.folder) from error
        return prepared

    def write(
        self, prepared: dict[PinnedPackage, Prepared], failed: dict[PinnedPackage, str], report: Report
    ) -> Corpus:
        """Drop duplicates, choose what goes in, and write the folder."""
        removed: Counter[str] = Counter()
        for one in prepared.values():
            removed.update(one.dropped)
        report("duplicates", 0, 1)
        kept = without_duplicates(prepared, removed)
        chosen = choose(kept, self.wanted)
        removed["more than the package's share"] = sum(len(kept[one]) - len(chosen[one]) for one in kept)
        packages = [package for package in prepared if chosen[package]]
        if not packages:
            raise CorpusError(
                f"{self.options.packages} yields no file that may go in: add packages or raise its shares"
            )
        report("writing", 0, 1)
        return Corpus.write(
            self.options.folder,
            [
                CorpusPackage(one.name, one.version, one.registry, one.language, one.licence, one.split)
                for one in packages
            ],
            ((index, ids) for index, package in enumerate(packages) for ids in chosen[package]),
            vocabulary=self.tokenizer.get_vocab_size(with_added_tokens=True),
            tokenizer_sha256=self.tokenizer_sha256,
            more={
                "removed": {reason: count for reason, count in removed.most_common() if count},
                "evaluation_sets": [
                    {"name": one.name, "sha256": one.sha256, "rows": len(one.rows)} for one in self.sets
                ],
                "evaluation_projects": [
                    package.name for package in self.wanted.packages if self.rows.is_evaluated(package.name)
                ],
                "failed": [
                    {"name": package.name, "version": package.version, "registry": package.registry, "reason": reason}
                    for package, reason in failed.items()
                ],
            },
        )


def scaled(wanted: PackageList, max_tokens: int | None) -> PackageList:
    """Return the list for at most `max_tokens` training tokens; the other splits change in proportion."""
    if max_tokens is None:
        return wanted
    factor = max_tokens / wanted.tokens["train"]
    tokens = {split: max(1, round(count * factor)) for split, count in wanted.tokens.items()}
    return PackageList(wanted.packages, tokens, wanted.language_share, wanted.package_share)


def load_tokenizer(path: Path) -> tuple[Any, str]:
    """Load a tokenizer that takes the names of special tokens in source text for text; return it and its sha256."""
    from tokenizers import Tokenizer

    try:
        data = path.read_bytes()
        tokenizer = Tokenizer.from_str(data.decode("utf-8"))
    except FileNotFoundError as error:
        raise CorpusError(f"{path} does not exist; the model folder needs a fast tokenizer") from error
    except Exception as error:  # the library raises bare Exception
        raise CorpusError(f"{path} is not a readable tokenizer: {error}") from error
    tokenizer.encode_special_tokens = True
    return tokenizer, hashlib.sha256(data).hexdigest()


def without_duplicates(
    prepared: dict[PinnedPackage, Prepared], removed: Counter[str]
) -> dict[PinnedPackage, list[Any]]:
    """Return the ids of each package's files, without those that an earlier split or package has."""
    seen = Deduplicator()
    kept: dict[PinnedPackage, list[Any]] = {}
    for package in sorted(prepared, key=lambda package: _ORDER.index(package.split)):
        one = prepared[package]
        kept[package] = []
        for ids, digest, signature in zip(one.ids, one.digests, one.signatures, strict=True):
            kind = seen.duplicate(digest, signature)
            if kind is None:
                kept[package].append(ids)
            else:
                removed[kind] += 1
    return kept


def choose(kept: dict[PinnedPackage, list[Any]], wanted: PackageList) -> dict[PinnedPackage, list[Any]]:
    """Return the files that go in: each split and language within its share, and each package within its own."""
    chosen: dict[PinnedPackage, list[Any]] = {}
    for split, tokens in wanted.tokens.items():
        for language, share in wanted.language_share.items():
            group = [package for package in kept if package.split == split and package.language == language]
            lengths = {package: [len(ids) for ids in kept[package]] for package in group}
            available = [sum(lengths[package]) for package in group]
            allowed = level(available, round(tokens * share), round(tokens * wanted.package_share[split]))
            for package in group:
                chosen[package] = [kept[package][place] for place in take(lengths[package], allowed)]
    return chosen
