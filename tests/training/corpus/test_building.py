"""From a package list to a corpus, with the real pip and an index on this disk."""

import errno
import functools
import http.server
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from tokenizers import Tokenizer

from greencode_lsp.training.corpus import Corpus, CorpusError
from greencode_lsp.training.corpus.building import BuildOptions, build_corpus
from greencode_lsp.training.corpus.package_list import PinnedPackage
from tests.training.corpus.packages import SPECIAL, module, pinned, write_list, write_tokenizer, write_wheel
from tests.waiting import HANG_SECONDS

ALPHA, BETA, GAMMA = pinned("alpha"), pinned("beta", split="calibration"), pinned("gamma", split="heldout")


@dataclass
class Workshop:
    """A place to build in, and what the last build warned of."""

    folder: Path
    index: Path
    warnings: list[str]

    def build(self, *packages: PinnedPackage, tokens: int = 1_000_000, share: float = 1.0, **more: Any) -> Corpus:
        self.warnings.clear()
        listed = write_list(self.folder / "mine.toml", list(packages), tokens, share)
        options = BuildOptions(self.folder / "corpus", self.folder / "tokenizer.json", listed, **more)
        return build_corpus(options, warn=self.warnings.append)

    def texts(self, corpus: Corpus, split: str) -> set[str]:
        tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        return {tokenizer.decode(ids.tolist(), skip_special_tokens=False) for ids in corpus.files(split)}


@pytest.fixture
def workshop(tmp_path: Path, index: Path) -> Workshop:
    write_tokenizer(tmp_path / "tokenizer.json")
    for name in ("alpha", "beta", "gamma"):
        write_wheel(index, name, {f"{name}.py": module(name), f"{name}_more.py": module(f"{name}More")})
    return Workshop(tmp_path, index, [])


def test_every_file_comes_back_out_of_its_split_word_for_word(workshop: Workshop) -> None:
    corpus = workshop.build(ALPHA, BETA, GAMMA)
    for split, name in (("train", "alpha"), ("calibration", "beta"), ("heldout", "gamma")):
        assert workshop.texts(corpus, split) == {module(name), module(f"{name}More")}
        assert {corpus.packages[index].name for index in corpus.file_packages(split)} == {name}
    assert corpus.header["failed"] == []
    assert corpus.header["removed"] == {}
    assert workshop.warnings == []


def test_the_name_of_a_special_token_in_source_is_text(workshop: Workshop) -> None:
    text = module("alpha") + f"END = '{SPECIAL}'\n"
    write_wheel(workshop.index, "alpha", {"alpha.py": text})
    corpus = workshop.build(ALPHA)
    assert workshop.texts(corpus, "train") == {text}
    assert not np.any(next(corpus.files("train")) == 0)


def test_a_package_that_failed_is_listed_and_the_next_run_fetches_only_it(workshop: Workshop) -> None:
    wheel = workshop.index / "beta-1.0-py3-none-any.whl"
    aside = wheel.rename(workshop.folder / wheel.name)
    corpus = workshop.build(ALPHA, BETA)
    (failed,) = corpus.header["failed"]
    assert (failed["name"], failed["registry"]) == ("beta", "pypi")
    assert workshop.warnings == [f"beta 1.0: {failed['reason']}"]
    assert "No matching distribution found" in failed["reason"]
    assert [package.name for package in corpus.packages] == ["alpha"]
    aside.rename(wheel)
    (workshop.index / "alpha-1.0-py3-none-any.whl").unlink()
    assert [package.name for package in workshop.build(ALPHA, BETA).packages] == ["alpha", "beta"]


def test_what_was_kept_is_made_again_when_it_is_damaged_or_of_another_making(workshop: Workshop) -> None:
    workshop.build(ALPHA)
    (kept,) = (workshop.folder / "corpus" / "packages").glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:200])
    assert workshop.build(ALPHA).tokens("train") > 0
    rows = workshop.folder / "rows.jsonl"
    rows.write_text(json.dumps({"prompt": module("alpha"), "target_line": "x"}) + "\n", encoding="utf-8")
    corpus = workshop.build(ALPHA, decontaminate=(rows,))
    assert workshop.texts(corpus, "train") == {module("alphaMore")}
    assert corpus.header["removed"]["evaluation overlap"] == 1
    assert [each["name"] for each in corpus.header["evaluation_sets"]] == ["rows.jsonl"]


def test_a_project_of_the_evaluation_sets_is_left_out_whole(workshop: Workshop) -> None:
    rows = workshop.folder / "rows.jsonl"
    row = {"prompt": "a = 1\n", "target_line": "b = 2", "repo": "someone/Alpha"}
    rows.write_text(json.dumps(row) + "\n", encoding="utf-8")
    corpus = workshop.build(ALPHA, BETA, decontaminate=(rows,))
    assert [package.name for package in corpus.packages] == ["beta"]
    assert corpus.header["evaluation_projects"] == ["alpha"]


def test_a_file_that_is_held_out_leaves_the_training_tokens(workshop: Workshop) -> None:
    copied = module("gamma").replace("The module", "This module")
    write_wheel(workshop.index, "alpha", {"alpha.py": module("alpha"), "copy.py": copied, "same.py": module("beta")})
    corpus = workshop.build(ALPHA, BETA, GAMMA)
    assert workshop.texts(corpus, "train") == {module("alpha")}
    assert workshop.texts(corpus, "heldout") == {module("gamma"), module("gammaMore")}
    assert corpus.header["removed"]["near duplicate"] == 1
    assert corpus.header["removed"]["exact duplicate"] == 1


def test_no_package_takes_more_than_its_share(workshop: Workshop) -> None:
    letters = str.maketrans("0123456789", "abcdefghij")
    names = [f"{place:02d}".translate(letters) * 3 for place in range(30)]
    files = {f"{name}.py": module(name, 3) for name in names}
    write_wheel(workshop.index, "alpha", files)
    asked = len(module(names[0], 3).encode()) * 6 + 10
    corpus = workshop.build(ALPHA, replace(BETA, split="train"), tokens=4 * asked, share=0.25)
    by_name = {package.name: package for package in corpus.packages}
    assert by_name["alpha"].files == 6
    assert by_name["alpha"].tokens <= asked
    assert corpus.header["removed"]["more than the package's share"] >= 24 - 6
    smaller = workshop.build(ALPHA, tokens=4 * asked, share=0.25, max_tokens=2 * asked)
    assert smaller.packages[0].files == 3


def test_nothing_at_all_is_one_line(workshop: Workshop) -> None:
    with pytest.raises(CorpusError, match=r"no package could be had \(pip: No matching distribution found"):
        workshop.build(pinned("missing"))
    write_wheel(workshop.index, "alpha", {"alpha.py": "a = 1\n"})
    with pytest.raises(CorpusError, match="yields no file that may go in"):
        workshop.build(ALPHA)


def test_a_library_that_is_not_installed_is_one_line(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CorpusError, match=r"run: pip install '\.\[train\]'"):
        workshop.build(ALPHA)


def test_a_full_disk_costs_one_package_and_one_line(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    savez = np.savez
    full = [True]

    def once(*arguments: Any, **arrays: Any) -> None:
        if full.pop() if full else False:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        savez(*arguments, **arrays)

    monkeypatch.setattr(np, "savez", once)
    corpus = workshop.build(ALPHA, BETA)
    assert [package.name for package in corpus.packages] == ["beta"]
    (line,) = workshop.warnings
    assert "alpha 1.0: the disk of" in line
    assert "is full" in line
    assert {path.suffix for path in (workshop.folder / "corpus" / "packages").iterdir()} == {".npz"}


def test_a_registry_that_is_not_there_is_told_once(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(workshop.folder))
    java = [pinned(name, "debian", "java") for name in ("one", "two")]
    corpus = workshop.build(*java, ALPHA)
    assert [failed["name"] for failed in corpus.header["failed"]] == ["one", "two"]
    (line,) = workshop.warnings
    assert line.startswith("debian: apt-get is not on this machine")


@pytest.fixture
def hanging_index(workshop: Workshop) -> Iterator[tuple[str, threading.Event]]:
    """Serve the wheels, but never beta's; return the address and what is set when beta's is asked for."""
    asked_for_beta, closing = threading.Event(), threading.Event()

    class Index(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.endswith("beta-1.0-py3-none-any.whl"):
                asked_for_beta.set()
                closing.wait()
            else:
                super().do_GET()

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    served = functools.partial(Index, directory=str(workshop.index))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), served)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/", asked_for_beta
    closing.set()
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(os.name != "posix", reason="kills a group of processes")
def test_a_run_that_was_killed_goes_on(workshop: Workshop, hanging_index: tuple[str, threading.Event]) -> None:
    address, asked_for_beta = hanging_index
    listed = write_list(workshop.folder / "mine.toml", [ALPHA, BETA])
    code = (
        "import sys; from pathlib import Path; from greencode_lsp.training.corpus.building import *\n"
        "here = Path(sys.argv[1])\n"
        "build_corpus(BuildOptions(here / 'corpus', here / 'tokenizer.json', Path(sys.argv[2])))"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code, str(workshop.folder), str(listed)],
        env={**os.environ, "PIP_FIND_LINKS": address},
        start_new_session=True,
    )
    try:
        assert asked_for_beta.wait(HANG_SECONDS)
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    folder = workshop.folder / "corpus"
    assert not (folder / "corpus.json").exists()
    assert any(path.name.startswith("fetch-") for path in (folder / "packages").iterdir())
    (workshop.index / "alpha-1.0-py3-none-any.whl").unlink()
    corpus = workshop.build(ALPHA, BETA)
    assert workshop.texts(corpus, "calibration") == {module("beta"), module("betaMore")}
    assert [package.name for package in corpus.packages] == ["alpha", "beta"]
    assert {path.suffix for path in (folder / "packages").iterdir()} == {".npz"}


def test_an_interrupt_is_not_taken_for_a_failed_package(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: Any, **more: Any) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", interrupt)
    with pytest.raises(KeyboardInterrupt):
        workshop.build(ALPHA)
    assert list((workshop.folder / "corpus" / "packages").iterdir()) == []
