"""What of an archive is source of the project's own."""

import tarfile
from pathlib import Path

import pytest

from greencode_lsp.training.corpus import CorpusError
from greencode_lsp.training.corpus.archives import MOST_BYTES, source_files
from tests.training.corpus.packages import pinned, write_tarball, write_wheel


def test_a_wheel_gives_its_own_modules(tmp_path: Path) -> None:
    wanted = {"alpha/a.py": "a", "alpha/build/b.py": "b", "alpha.py": "c"}
    other = {"alpha/_vendor/c.py": "", "alpha/data.json": "", "alpha/third_party/x/d.py": "", "alpha/e.pyi": ""}
    wheel = write_wheel(tmp_path, "alpha", wanted | other)
    files = source_files(wheel, pinned("alpha"))
    assert {file.name: file.data for file in files} == {name: text.encode() for name, text in wanted.items()}


def test_a_tarball_gives_source_below_the_named_folders(tmp_path: Path) -> None:
    wanted = {"package/src/a.ts": "a", "package/src/deep/b.tsx": "b"}
    other = ["src/c.d.ts", "src/d.js", "dist/e.ts", "src/dist/f.ts", "srcs/g.ts", "src/h.min.ts", "node_modules/i.ts"]
    archive = write_tarball(tmp_path / "a.tgz", wanted | {f"package/{name}": "" for name in other})
    files = source_files(archive, pinned("alpha", "npm", "typescript", paths=("src",)))
    assert {file.name for file in files} == set(wanted)


def test_the_folder_that_all_of_a_tarball_lies_in_has_no_meaning(tmp_path: Path) -> None:
    archive = write_tarball(tmp_path / "a.tar.gz", {"vendor/a/A.java": "a", "vendor/vendor/B.java": "b"})
    assert [file.name for file in source_files(archive, pinned("a", "debian", "java"))] == ["vendor/a/A.java"]


def test_the_order_is_the_same_whatever_the_archives_order(tmp_path: Path) -> None:
    names = [f"a/{place}.java" for place in range(20)]
    first = write_tarball(tmp_path / "1.tgz", dict.fromkeys(names, ""))
    second = write_tarball(tmp_path / "2.tgz", dict.fromkeys(reversed(names), ""))
    package = pinned("a", "debian", "java")
    orders = [[file.name for file in source_files(path, package)] for path in (first, second)]
    assert orders[0] == orders[1]
    assert orders[0] not in (names, sorted(names))


def test_a_huge_file_is_listed_and_not_read(tmp_path: Path) -> None:
    huge = "a" * (MOST_BYTES + 1)
    wheel = write_wheel(tmp_path, "alpha", {"a.py": huge})
    assert [file.data for file in source_files(wheel, pinned("alpha"))] == [None]
    archive = write_tarball(tmp_path / "a.tgz", {"a/a.java": huge})
    assert [file.data for file in source_files(archive, pinned("a", "debian", "java"))] == [None]


def test_links_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.tgz"
    with tarfile.open(path, "w:gz") as tarball:
        link = tarfile.TarInfo("a/passwords.java")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tarball.addfile(link)
    assert source_files(path, pinned("a", "debian", "java")) == []


@pytest.mark.parametrize("name", ["alpha-1.0-py3-none-any.whl", "a.tar.gz", "a.tar.xz"])
def test_a_damaged_archive_is_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\x1f\x8b no archive" * 100)
    package = pinned("alpha") if name.endswith("whl") else pinned("a", "debian", "java")
    with pytest.raises(CorpusError, match=f"{name} is damaged") as caught:
        source_files(path, package)
    assert "\n" not in str(caught.value)


def test_an_archive_cut_short_is_one_line(tmp_path: Path) -> None:
    path = write_tarball(tmp_path / "a.tgz", {f"a/{place}.java": f"{place}" * 5000 for place in range(50)})
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(CorpusError, match=r"a\.tgz is damaged"):
        source_files(path, pinned("a", "debian", "java"))
