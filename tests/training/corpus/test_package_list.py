"""The list of packages that ships, and what a user's own list may say."""

from pathlib import Path

import pytest

from greencode_lsp.training.corpus import SPLITS, CorpusError
from greencode_lsp.training.corpus.package_list import read_package_list

PERMISSIVE = {"MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "0BSD", "PSF-2.0", "CC0-1.0", "Unlicense"}
PACKAGE = 'name = "a", version = "1.0", registry = "pypi", language = "python", licence = "MIT", split = "train"'
SHARES = """
[tokens]
train = 100
calibration = 10
heldout = 10
[language_share]
python = 1.0
[package_share]
train = 1.0
calibration = 1.0
heldout = 1.0
"""


def refuse(tmp_path: Path, package: str, says: str, shares: str = SHARES) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"format = 1\npackages = [{{ {package} }}]\n{shares}", encoding="utf-8")
    with pytest.raises(CorpusError, match=says) as caught:
        read_package_list(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_shipped_package_is_permissive_and_pinned_by_its_hash() -> None:
    listed = read_package_list()
    assert len(listed.packages) > 100
    for package in listed.packages:
        assert set(package.licence.split(" OR ")) & PERMISSIVE, package
        assert package.sha256, package
    assert len({package.sha256 for package in listed.packages}) == len(listed.packages)


def test_shipped_packages_can_fill_every_split_in_every_language() -> None:
    listed = read_package_list()
    assert sum(listed.language_share.values()) == pytest.approx(1)
    for split in SPLITS:
        for language, share in listed.language_share.items():
            of = [package for package in listed.packages if (package.split, package.language) == (split, language)]
            assert len(of) * listed.package_share[split] >= share, (split, language)


def test_a_package_without_a_licence_is_one_line(tmp_path: Path) -> None:
    refuse(tmp_path, PACKAGE.replace('licence = "MIT", ', ""), "a: licence: missing, every package needs one")
    refuse(tmp_path, PACKAGE.replace('"MIT"', '""'), "a: licence: must match")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"pypi"', '"cargo"', "a: registry: must match pypi|debian|npm"),
        ('"train"', '"test"', "a: split: must match"),
        ('"1.0"', '">=1.0"', "a: version: must match"),
        ('"1.0"', "1.0", "a: version: must match"),
        ('"a"', '"../a"', "name: must match"),
        ('"a"', '"--index-url"', "name: must match"),
        ("split =", 'sha256 = "12", split =', "a: sha256: must match"),
        ("split =", "url = 1, split =", "a: unknown key 'url'"),
        ("split =", "paths = 1, split =", "a: paths: must be a list of folders"),
    ],
)
def test_what_a_package_must_not_say_is_one_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in PACKAGE
    refuse(tmp_path, PACKAGE.replace(old, new), says)


def test_a_package_listed_twice_is_told(tmp_path: Path) -> None:
    refuse(tmp_path, f"{PACKAGE} }}, {{ {PACKAGE}", "a: listed twice")


def test_a_share_that_is_missing_or_too_large_is_told(tmp_path: Path) -> None:
    refuse(tmp_path, PACKAGE, r"language_share\.python: must be a number", SHARES.replace("python = 1.0", ""))
    refuse(tmp_path, PACKAGE, r"package_share\.train: must be", SHARES.replace("train = 1.0", "train = 1.1"))
    refuse(tmp_path, PACKAGE, "tokens: missing", "")


def test_a_list_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot be read"):
        read_package_list(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("packages = [", encoding="utf-8")
    with pytest.raises(CorpusError, match="not valid TOML"):
        read_package_list(tmp_path / "bad.toml")
    (tmp_path / "empty.toml").write_text("format = 1\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="at least one package"):
        read_package_list(tmp_path / "empty.toml")
