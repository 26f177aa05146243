"""What the description of a model may start: the user's own a download, a stranger's nothing."""

import ast
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

import greencode_lsp
from greencode_lsp.cli.main import app
from greencode_lsp.models import BundleError, FolderSource, find_bundle, is_cached, load_folder, ownership, ready_folder
from tests.models.test_bundle import HUB, plain_folder
from tests.models.tiny import TinyBundle, write_bundle_toml


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point the user's data folder at an empty one, and return where bundles in it get a name."""
    monkeypatch.setattr(ownership, "user_data_dir", lambda name: str(tmp_path / "data" / name))
    return tmp_path / "data" / "greencode" / "models"


def test_a_strangers_wheel_is_not_fetched_unasked(tiny: TinyBundle, cache: Path) -> None:
    bundle = find_bundle(str(tiny.folder))
    with pytest.raises(BundleError) as caught:
        ready_folder(bundle)
    message = str(caught.value)
    assert message.startswith(f"{tiny.folder} names a model to download (tiny-model==1.0)")
    assert f"greencode models pull {tiny.folder}" in message
    assert "\n" not in message
    assert not cache.exists()


def test_a_strangers_repository_is_not_fetched_unasked(tmp_path: Path, cache: Path) -> None:
    write_bundle_toml(tmp_path / "a bundle", {"source": HUB})
    with pytest.raises(BundleError, match=r"owner/model at main.*models pull '.*/a bundle'"):
        ready_folder(find_bundle(str(tmp_path / "a bundle")))


def test_the_command_pull_is_consent_that_the_cache_remembers(tiny: TinyBundle, cache: Path) -> None:
    result = CliRunner().invoke(app, ["models", "pull", str(tiny.folder)], catch_exceptions=False)
    assert result.exit_code == 0
    bundle = find_bundle(str(tiny.folder))
    assert ready_folder(bundle) == load_folder(bundle)
    tiny.describe(requirement="tiny-model==2.0")  # what was agreed to was another download
    with pytest.raises(BundleError, match=r"tiny-model==2\.0"):
        ready_folder(find_bundle(str(tiny.folder)))


def test_the_users_own_bundle_is_fetched_unasked(tiny: TinyBundle, own_folder: Path) -> None:
    own_folder.mkdir(parents=True)
    tiny.folder.rename(own_folder / "tiny")
    bundle = find_bundle("tiny")
    assert ready_folder(bundle) == load_folder(bundle)
    assert is_cached(bundle)


def test_a_link_in_a_workspace_to_the_users_own_bundle_is_the_users_own(tiny: TinyBundle, own_folder: Path) -> None:
    own_folder.mkdir(parents=True)
    tiny.folder.rename(own_folder / "tiny")
    tiny.folder.symlink_to(own_folder / "tiny")
    assert ready_folder(find_bundle(str(tiny.folder))).is_dir()


def test_a_bundle_whose_folder_only_begins_like_the_users_own_is_a_strangers(
    tiny: TinyBundle, own_folder: Path, cache: Path
) -> None:
    beside = own_folder.parent.with_name("greencode-evil")
    beside.parent.mkdir(parents=True)
    tiny.folder.rename(beside)
    with pytest.raises(BundleError, match="downloads nothing unasked"):
        ready_folder(find_bundle(str(beside)))


def escape_by_dots(folder: Path, outside: Path) -> str:
    return f"../{outside.name}"


def escape_by_an_absolute_path(folder: Path, outside: Path) -> str:
    return str(outside)


def escape_by_a_link(folder: Path, outside: Path) -> str:
    (folder / "weights").symlink_to(outside)
    return "weights"


def escape_home(folder: Path, outside: Path) -> str:
    return "~/weights"


def escape_to_another_machine(folder: Path, outside: Path) -> str:
    return "//somewhere/share"


@pytest.mark.parametrize(
    "escape",
    [escape_by_dots, escape_by_an_absolute_path, escape_by_a_link, escape_home, escape_to_another_machine],
)
def test_weights_outside_a_strangers_folder_are_refused(tmp_path: Path, escape: Callable[[Path, Path], str]) -> None:
    outside, folder = plain_folder(tmp_path / "outside"), tmp_path / "bundle"
    folder.mkdir()
    path = escape(folder, outside)
    write_bundle_toml(folder, {"source": {"kind": "folder", "path": path}})
    with pytest.raises(BundleError) as caught:
        find_bundle(str(folder))
    assert f"source.path: must be a folder inside {folder}" in str(caught.value)
    assert f"not {path!r}"[:60] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_users_own_bundle_may_name_weights_anywhere(tmp_path: Path, own_folder: Path) -> None:
    weights = plain_folder(tmp_path / "weights")
    write_bundle_toml(own_folder / "tiny", {"source": {"kind": "folder", "path": str(weights)}})
    assert find_bundle("tiny").source == FolderSource(weights)


def test_a_bare_word_never_names_a_folder_of_the_place_where_greencode_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_folder(tmp_path / "coder")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match=r"no model 'coder'.*\./coder for the folder here"):
        find_bundle("coder")
    assert find_bundle(f".{os.sep}coder").name == "coder"


def test_only_the_command_pull_calls_what_fetches_without_looking_at_the_owner() -> None:
    package = Path(greencode_lsp.__file__).parent
    callers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and any(alias.name == "pull" for alias in node.names)
    }
    assert callers == {"cli/models.py", "models/__init__.py", "models/loading.py"}
