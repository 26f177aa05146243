"""Describing and finding bundles."""

import json
from pathlib import Path
from typing import Any

import pytest

from greencode_lsp.models import (
    BundleError,
    FolderSource,
    HubSource,
    WheelSource,
    find_bundle,
    is_cached,
    list_bundles,
    load_folder,
    ownership,
    pull,
    verify,
)
from tests.models.tiny import write_bundle_toml

HASH = "0123456789abcdef" * 4
WHEEL: dict[str, Any] = {
    "kind": "wheel",
    "requirement": "tiny-model==1.0",
    "wheel_sha256": HASH,
    "file": "tiny_model/tiny.gguf",
    "file_sha256": HASH,
    "file_bytes": 10,
}
HUB: dict[str, Any] = {
    "kind": "hub",
    "repository": "owner/model",
    "revision": "main",
    "files": {"config.json": HASH, "tokenizer.json": HASH, "model.safetensors": HASH},
}


def plain_folder(folder: Path, **config: Any) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2", "n_layer": 12} | config), encoding="utf-8")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def without(source: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in source.items() if name != key}


def test_the_default_bundle_is_described_as_the_model_card_says() -> None:
    bundle = find_bundle("smollm2-135m")
    assert (bundle.name, bundle.family, bundle.licence) == ("smollm2-135m", "llama", "Apache-2.0")
    assert (bundle.layers, bundle.exits) == (30, (12, 18, 22, 24, 26, 28, 30))
    assert isinstance(bundle.source, WheelSource)
    assert bundle.source.file_bytes == 98_362_432
    assert bundle in list_bundles()


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"colour": "green"}, "colour"),
        ({"name": None}, "name"),
        ({"name": "../up"}, "name"),
        ({"family": 3}, "family"),
        ({"layers": "two"}, "layers"),
        ({"layers": True}, "layers"),
        ({"layers": 0}, "layers"),
        ({"exits": 1}, "exits"),
        ({"exits": ["1"]}, "exits"),
        ({"exits": [0]}, "exits"),
        ({"exits": [5]}, "exits"),
        ({"exits": [2, 1]}, "exits"),
        ({"exits": [1, 1]}, "exits"),
        ({"source": None}, "source"),
        ({"source": "wheel"}, "source"),
        ({"source": WHEEL | {"kind": "torrent"}}, "source.kind"),
        ({"source": WHEEL | {"mirror": "x"}}, "mirror"),
        ({"source": without(WHEEL, "file_bytes")}, "source.file_bytes"),
        ({"source": WHEEL | {"requirement": "tiny-model"}}, "source.requirement"),
        ({"source": WHEEL | {"requirement": "--index-url=x==1"}}, "source.requirement"),
        ({"source": WHEEL | {"wheel_sha256": HASH[:-1]}}, "source.wheel_sha256"),
        ({"source": WHEEL | {"file_sha256": "g" * 64}}, "source.file_sha256"),
        ({"source": WHEEL | {"file": "../tiny.gguf"}}, "source.file"),
        ({"source": WHEEL | {"file": "/etc/tiny.gguf"}}, "source.file"),
        ({"source": WHEEL | {"file": "tiny_model/tiny.pkl"}}, "source.file"),
        ({"source": HUB | {"repository": "model"}}, "source.repository"),
        ({"source": HUB | {"files": {**HUB["files"], "pytorch_model.bin": HASH}}}, "pytorch_model.bin"),
        ({"source": HUB | {"files": without(HUB["files"], "model.safetensors")}}, "safetensors"),
        ({"source": HUB | {"files": without(HUB["files"], "config.json")}}, "source.files.config.json"),
        ({"source": HUB | {"files": {**HUB["files"], "model.safetensors": "short"}}}, "source.files.model.safetensors"),
        ({"source": {"kind": "folder", "path": 3}}, "source.path"),
    ],
)
def test_a_malformed_description_is_refused_in_one_line_naming_file_and_key(
    tmp_path: Path, changes: dict[str, Any], key: str
) -> None:
    write_bundle_toml(tmp_path / "tiny", {"layers": 4, "source": WHEEL} | changes)
    with pytest.raises(BundleError) as caught:
        find_bundle(str(tmp_path / "tiny"))
    message = str(caught.value)
    assert str(tmp_path / "tiny" / "bundle.toml") in message
    assert key in message
    assert "\n" not in message


STRANGE = {
    "name": ["..", "a/b", "/a", "-a", "a b", "a\nb", "a..b", "A", "a" * 65, "é"],
    "description": ["two\nlines", "\x1b[2J", "x" * 501, "\u2028"],
    "family": ["llama\r", "\0"],
    "licence": ["\x07"],
    "infill": ["a\nb"],
}
STRANGE_WHEEL = {
    "requirement": [
        "--index-url=http://localhost/==1",
        "-r==1",
        "tiny",
        "tiny>=1",
        "tiny==1 --index-url x",
        "tiny==1\n--pre",
        "tiny==1;python_version>'3'",
        "tiny @ http://localhost/tiny.whl",
        "http://localhost/tiny.whl",
        "../tiny==1",
        "./tiny.whl",
        "tiny[extra]==1",
        "tiny==-1",
        "tïny==1",
    ],
    "file": [
        "../a.gguf",
        "a/../b.gguf",
        "/a.gguf",
        "a//b.gguf",
        "a\\b.gguf",
        "C:a.gguf",
        "-a.gguf",
        "a.gguf\n",
        ".gguf",
    ],
}
STRANGE_HUB = {
    "repository": [
        "a",
        "a/b/c",
        "../a",
        "a/..",
        "/a/b",
        "a/b/",
        "-a/b",
        "a/-b",
        "http://a/b",
        "a/b\n",
        "a b/c",
        "a/b..c",
    ],
    "revision": [
        "..",
        "a/../b",
        "../main",
        "/main",
        "main/",
        "a//b",
        "-main",
        "--upload",
        "a b",
        "a\nb",
        "http://a",
        "a?b",
        "ä",
    ],
}
STRANGE_FILES = [
    "../model.safetensors",
    "a/model.safetensors",
    "/model.safetensors",
    "-a.json",
    "..json",
    "*.json",
    "a.json\n",
    "C:a.json",
    "http://a.json",
    "model.pkl",
    "a.bin",
    "manifest.json",
    "Manifest.json",
]


@pytest.mark.parametrize(
    ("key", "value", "changes"),
    [
        *((key, value, {key: value}) for key, values in STRANGE.items() for value in values),
        *(
            (f"source.{key}", value, {"source": source | {key: value}})
            for source, strange in ((WHEEL, STRANGE_WHEEL), (HUB, STRANGE_HUB))
            for key, values in strange.items()
            for value in values
        ),
        *(("source.files.", name, {"source": HUB | {"files": {**HUB["files"], name: HASH}}}) for name in STRANGE_FILES),
    ],
)
def test_what_could_be_taken_for_another_path_address_or_option_is_refused_in_one_line(
    tmp_path: Path, key: str, value: str, changes: dict[str, Any]
) -> None:
    write_bundle_toml(tmp_path, {"source": WHEEL} | changes)
    with pytest.raises(BundleError) as caught:
        find_bundle(str(tmp_path))
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'bundle.toml'}: {key}")
    assert ascii(value)[:40] in message, "it says what was found"
    assert message.isprintable()


@pytest.mark.parametrize("revision", ["main", "v1.0", "refs/pr/1", "feature/x-2", "c" * 40])
def test_every_usual_revision_is_taken(tmp_path: Path, revision: str) -> None:
    write_bundle_toml(tmp_path, {"source": HUB | {"revision": revision}})
    assert find_bundle(str(tmp_path)).source == HubSource("owner/model", revision, HUB["files"])


def test_a_description_of_more_than_a_mebibyte_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "bundle.toml").write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(BundleError, match="more than the 1,048,576 bytes"):
        find_bundle(str(tmp_path))


def test_a_deeply_nested_description_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "bundle.toml").write_text("name = " + "[" * 100_000, encoding="utf-8")
    with pytest.raises(BundleError, match="nested deeper than the 64 levels"):
        find_bundle(str(tmp_path))


def test_a_description_that_is_not_toml_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "bundle.toml").write_text("name = \n", encoding="utf-8")
    with pytest.raises(BundleError, match=r"bundle\.toml: cannot be read.*not valid TOML.*line 1") as caught:
        find_bundle(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_hub_bundle_keeps_every_pinned_file(tmp_path: Path) -> None:
    write_bundle_toml(tmp_path, {"source": HUB})
    assert find_bundle(str(tmp_path)).source == HubSource("owner/model", "main", HUB["files"])


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(BundleError, match=r"no-such-model.*smollm2-135m"):
        find_bundle("no-such-model")


def test_a_users_bundle_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "user_data_dir", lambda name: str(tmp_path / name))
    write_bundle_toml(tmp_path / "greencode" / "models" / "tiny", {"source": WHEEL})
    assert find_bundle("tiny").folder == tmp_path / "greencode" / "models" / "tiny"
    assert {"tiny", "smollm2-135m"} <= {bundle.name for bundle in list_bundles()}


def test_a_users_bundle_cannot_go_by_another_name_than_its_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "user_data_dir", lambda name: str(tmp_path / name))
    write_bundle_toml(tmp_path / "greencode" / "models" / "other", {"source": WHEEL})
    with pytest.raises(BundleError, match=r"name: must be 'other'"):
        find_bundle("other")


def test_a_plain_hugging_face_folder_is_a_bundle_used_in_place(tmp_path: Path) -> None:
    folder = plain_folder(tmp_path / "gpt2")
    bundle = find_bundle(str(folder))
    assert (bundle.name, bundle.family, bundle.layers, bundle.exits) == ("gpt2", "gpt2", 12, ())
    assert bundle.source == FolderSource(folder)
    assert pull(bundle) == load_folder(bundle) == folder
    assert is_cached(bundle)
    assert verify(bundle) == []


def test_layers_are_read_from_the_usual_key_too(tmp_path: Path) -> None:
    assert find_bundle(str(plain_folder(tmp_path / "llama", n_layer=None, num_hidden_layers=7))).layers == 7


def test_a_folder_that_went_away_is_reported_and_not_cached(tmp_path: Path) -> None:
    folder = plain_folder(tmp_path / "gpt2")
    bundle = find_bundle(str(folder))
    (folder / "tokenizer.json").unlink()
    assert not is_cached(bundle)
    assert len(verify(bundle)) == 1
    with pytest.raises(BundleError, match=r"no tokenizer\.json"):
        load_folder(bundle)


@pytest.mark.parametrize("pickle", ["pytorch_model.bin", "model.pt", "model.pkl"])
def test_a_folder_of_pickles_is_refused(tmp_path: Path, pickle: str) -> None:
    folder = plain_folder(tmp_path / "gpt2")
    (folder / "model.safetensors").rename(folder / pickle)
    with pytest.raises(BundleError, match=f"{pickle} is refused because a pickle"):
        find_bundle(str(folder))


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "not valid JSON"), ("[]", "one JSON object"), ('{"model_type": "gpt2"}', "num_hidden_layers")],
)
def test_a_plain_folder_with_a_broken_config_is_refused(tmp_path: Path, text: str, says: str) -> None:
    folder = plain_folder(tmp_path / "gpt2")
    (folder / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(BundleError, match=says):
        find_bundle(str(folder))


def test_a_described_folder_is_taken_relative_to_its_description(tmp_path: Path) -> None:
    write_bundle_toml(tmp_path / "bundle", {"source": {"kind": "folder", "path": "weights"}})
    plain_folder(tmp_path / "bundle" / "weights")
    assert load_folder(find_bundle(str(tmp_path / "bundle"))) == tmp_path / "bundle" / "weights"
