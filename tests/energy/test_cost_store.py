from __future__ import annotations

from pathlib import Path

import pytest

from greencode_lsp.energy import CostStore, CostTable

TABLE = CostTable(rows=(1, 4), layer_joules=(1.0, 2.5), head_joules=(8.0, 8.5), source="rapl")
OTHER = CostTable(rows=(1,), layer_joules=(3.0,), head_joules=(4.0,), source="estimate")


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_a_kept_table_comes_back_under_its_key_alone(tmp_path: Path) -> None:
    store = CostStore(tmp_path / "costs")
    assert store.load("cpu|rapl|smollm2") is None
    store.save("cpu|rapl|smollm2", TABLE)
    store.save("cpu|estimate|smollm2", OTHER)
    assert store.load("cpu|rapl|smollm2") == TABLE
    assert store.load("cpu|estimate|smollm2") == OTHER
    assert store.load("cuda|nvml|smollm2") is None


def test_saving_again_replaces_the_table_and_leaves_one_file(tmp_path: Path) -> None:
    store = CostStore(tmp_path / "costs")
    store.save("key", TABLE)
    store.save("key", OTHER)
    assert store.load("key") == OTHER
    assert only_file(tmp_path / "costs").suffix == ".json"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"key": "key"}', '{"key": "key", "table": "{}"}'])
def test_a_broken_file_counts_as_missing_and_is_replaced(tmp_path: Path, content: str) -> None:
    store = CostStore(tmp_path)
    store.save("key", TABLE)
    only_file(tmp_path).write_text(content)
    assert store.load("key") is None
    store.save("key", TABLE)
    assert store.load("key") == TABLE


def test_a_file_of_another_key_is_not_taken(tmp_path: Path) -> None:
    store = CostStore(tmp_path)
    store.save("key", TABLE)
    path = only_file(tmp_path)
    path.write_text(path.read_text().replace('"key": "key"', '"key": "another"'))
    assert store.load("key") is None


def test_a_folder_that_cannot_be_written_is_logged_not_raised(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "costs").write_text("a file where a folder is needed")
    store = CostStore(tmp_path / "costs")
    store.save("key", TABLE)
    assert store.load("key") is None
    assert "cost table not kept" in caplog.text


def test_a_write_that_fails_half_way_keeps_the_old_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = CostStore(tmp_path)
    store.save("key", TABLE)

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", no_space)
    store.save("key", OTHER)
    assert store.load("key") == TABLE
    assert only_file(tmp_path).suffix == ".json"
