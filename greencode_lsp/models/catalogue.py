"""Which bundles there are, and finding one by its name or its path."""

from pathlib import Path

from greencode_lsp.models.bundle import Bundle, BundleError, FolderSource, check_model_folder
from greencode_lsp.models.bundle_file import BUNDLE_FILE, read_bundle
from greencode_lsp.models.ownership import shipped_bundles, user_bundles
from greencode_lsp.reading import read_json


def find_bundle(name_or_path: str) -> Bundle:
    """Return the bundle of that name, of that `bundle.toml` folder, or of that plain Hugging Face folder.

    A bare word is a name and never a path: in whatever folder a command or a server was started, a folder there that
    goes by that word must not take a bundle's place. Raises `BundleError` when there is none, or when its description
    is malformed.
    """
    folder = _named_folders().get(name_or_path)
    if folder is not None:
        return _read_named(folder)
    if _is_bare(name_or_path):
        raise _unknown(name_or_path)
    try:
        path = Path(name_or_path).expanduser()
    except RuntimeError as error:  # "~somebody"
        raise _unknown(name_or_path) from error
    if (path / BUNDLE_FILE).is_file():
        return read_bundle(path.resolve())
    if path.is_dir():
        return _plain_folder(path.resolve())
    raise _unknown(name_or_path)


def list_bundles() -> list[Bundle]:
    """Return every bundle that has a name, in the order of names; raise `BundleError` on a malformed one."""
    return [_read_named(folder) for _, folder in sorted(_named_folders().items())]


def _is_bare(name_or_path: str) -> bool:
    return Path(name_or_path).name == name_or_path and not name_or_path.startswith(("~", ".."))


def _unknown(name_or_path: str) -> BundleError:
    known = ", ".join(sorted(_named_folders())) or "none"
    cure = f"use one of the known names ({known}) or the path of a model folder"
    here = f", ./{name_or_path} for the folder here" if _is_bare(name_or_path) and Path(name_or_path).is_dir() else ""
    return BundleError(f"no model {name_or_path!r}: {cure}{here}")


def _named_folders() -> dict[str, Path]:
    """Map each name to its folder; a bundle that ships with greencode wins over a user's of the same name."""
    return {
        file.parent.name: file.parent
        for root in (user_bundles(), shipped_bundles())
        for file in root.glob(f"*/{BUNDLE_FILE}")
    }


def _read_named(folder: Path) -> Bundle:
    bundle = read_bundle(folder)
    if bundle.name != folder.name:
        raise BundleError(f"{folder / BUNDLE_FILE}: name: must be {folder.name!r}, the name of its folder")
    return bundle


def _plain_folder(folder: Path) -> Bundle:
    check_model_folder(folder)
    config_file = folder / "config.json"
    try:
        config = read_json(config_file)
    except (OSError, ValueError) as error:
        raise BundleError(f"{config_file}: cannot be read, fetch the model again: {error}") from error
    if not isinstance(config, dict):
        raise BundleError(f"{config_file}: must hold one JSON object, fetch the model again")
    layers = config.get("num_hidden_layers", config.get("n_layer"))
    if type(layers) is not int or layers < 1:
        raise BundleError(f"{config_file}: num_hidden_layers: must be a whole number of at least 1")
    family = config.get("model_type")
    if not isinstance(family, str):
        raise BundleError(f"{config_file}: model_type: must be a string such as 'llama'")
    return Bundle(folder.name, f"the folder {folder}", family, "unknown", layers, (), FolderSource(folder), folder)
