"""Packed weights on disk: what rotted is found and made anew, what nobody needs any more goes."""

import logging
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from greencode_lsp.engine.packed.backbone import PackedBackbone, load_packed
from greencode_lsp.engine.packed.store import DAMAGED, UNUSED_SECONDS, PackedStore, verify_packed
from tests.engine.test_validation import llama

__all__ = ["llama"]  # a fixture

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


def logits(backbone: PackedBackbone) -> Tensor:
    cache = backbone.new_cache(backbone.shape.layers)
    states = backbone.run_layers(range(backbone.shape.layers), backbone.embed([5, 6, 7], 0), 0, cache)
    return backbone.logits(states)


def packed_files(store: Path) -> list[Path]:
    return sorted(store.glob("packed-*"))


def flipped(seed: int) -> Callable[[Path], None]:
    def flip(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[random.Random(seed).randrange(len(content))] ^= 1 << seed % 8
        path.write_bytes(content)

    return flip


def edited_header(path: Path) -> None:
    content = path.read_bytes()
    assert b'"heads": 4' in content or b'\\"heads\\": 4' in content
    path.write_bytes(content.replace(b'heads\\": 4', b'heads\\": 2'))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "model.safetensors").write_bytes(b"")


DAMAGE: dict[str, Callable[[Path], object]] = {
    **{f"bit {seed} flipped": flipped(seed) for seed in range(12)},
    "a header edited": edited_header,
    "the end cut off": lambda path: os.truncate(path, path.stat().st_size - 100),
    "nothing left": lambda path: os.truncate(path, 0),
    "something added": lambda path: path.write_bytes(path.read_bytes() + b"more"),
    "a folder in its place": a_folder,
    "zeros from the middle on": lambda path: path.write_bytes(path.read_bytes()[:9000] + bytes(20_000)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_moved_aside_and_made_anew(
    llama: Path, store: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = logits(load_packed(llama, store))
    (path,) = packed_files(store)
    DAMAGE[damage](path)
    with caplog.at_level(logging.WARNING):
        assert torch.equal(logits(load_packed(llama, store)), before)
    (line,) = [record.getMessage() for record in caplog.records]
    assert str(path) in line and "made anew" in line and "\n" not in line
    assert packed_files(store) == [path]
    assert (store / DAMAGED).exists() is (damage != "a folder in its place")
    caplog.clear()
    assert torch.equal(logits(load_packed(llama, store)), before)
    assert not caplog.records


def test_everybody_may_look_for_damage(llama: Path, store: Path) -> None:
    load_packed(llama, store)
    assert verify_packed(store) == (1, [])
    (path,) = packed_files(store)
    flipped(3)(path)
    assert verify_packed(store) == (0, [path])
    assert verify_packed(store) == (0, [])
    assert (store / DAMAGED).exists()


def test_a_changed_model_leaves_one_file_and_others_stay(llama: Path, store: Path) -> None:
    other = llama.parent / "another"
    other.mkdir()
    for name in ("config.json", "model.safetensors"):
        (other / name).write_bytes((llama / name).read_bytes())
    load_packed(other, store)
    for changed in range(4):
        os.utime(llama / "model.safetensors", (changed, changed))
        load_packed(llama, store)
    assert set(packed_files(store)) == {PackedStore(store, llama).path, PackedStore(store, other).path}


def test_what_earlier_versions_left_and_nobody_used_for_a_month_goes(llama: Path, store: Path) -> None:
    day = 24 * 3600.0
    ages = {
        "packed-369efa9fb3803fbb.safetensors": 0.0,
        f"packed-{16 * 'a'}-{16 * 'b'}-{8 * '0'}.safetensors": UNUSED_SECONDS + day,
        f"packed-{16 * 'c'}-{16 * 'd'}-{8 * '0'}.safetensors": day,
        ".packed-x.12": day,
        ".packed-y.13": 0.0,
    }
    for name, age in ages.items():
        (store / name).write_bytes(b"")
        os.utime(store / name, (time.time() - age,) * 2)
    load_packed(llama, store)
    kept = PackedStore(store, llama).path
    assert kept is not None
    expected = {kept.name, f"packed-{16 * 'c'}-{16 * 'd'}-{8 * '0'}.safetensors", ".packed-y.13"}
    assert {path.name for path in store.iterdir()} == expected


def test_what_is_used_stays(llama: Path, store: Path) -> None:
    load_packed(llama, store)
    (path,) = packed_files(store)
    os.utime(path, (0, 0))
    load_packed(llama, store)
    assert path.stat().st_mtime > time.time() - 3600 * 24


def test_a_store_that_cannot_be_read_or_written_is_done_without(llama: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    first = logits(load_packed(llama, tmp_path / "file" / "store"))
    assert torch.equal(logits(load_packed(llama, tmp_path / "file" / "store")), first)
