"""Tiny projects in every form a registry has, a tokenizer, and local registries for the real clients."""

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from greencode_lsp.training.corpus.package_list import PinnedPackage

SPECIAL = "<|endoftext|>"


def module(name: str, functions: int = 8) -> str:
    """Return a Python module in which no run of five tokens with a word is that of another name's."""
    return f'"""The module {name}."""\n\n' + "".join(
        f"def {name}_{place}({name}_first, {name}_second):\n    {name}_sum = {name}_first + {name}_second\n"
        f"    return {name}_store({name}_sum, {name}_first)\n\n\n"
        for place in range(functions)
    )


def java_class(name: str) -> str:
    methods = "".join(
        f"    public int {name.lower()}{place}(int {name}First) {{\n        return {name}First + {place};\n    }}\n\n"
        for place in range(8)
    )
    return f"package {name.lower()};\n\npublic class {name} {{\n{methods}}}\n"


def pinned(name: str, registry: str = "pypi", language: str = "python", **more: str | tuple[str, ...]) -> PinnedPackage:
    values = {"split": "train", **more}
    return PinnedPackage(name, "1.0", registry, language, "MIT", **values)  # type: ignore[arg-type]


def write_wheel(folder: Path, name: str, files: Mapping[str, str]) -> Path:
    """Write `name-1.0-py3-none-any.whl`, which pip takes from a folder given by PIP_FIND_LINKS."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        for member, text in files.items():
            wheel.writestr(member, text)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path


def write_tarball(path: Path, files: Mapping[str, str]) -> Path:
    with tarfile.open(path, "w:gz") as tarball:
        for member, text in files.items():
            entry = tarfile.TarInfo(member)
            entry.size = len(text.encode())
            tarball.addfile(entry, io.BytesIO(text.encode()))
    return path


def write_tokenizer(path: Path) -> Path:
    """Write a byte-level tokenizer with one special token and no merges: a token for each byte."""
    tokens = [SPECIAL, *sorted(ByteLevel.alphabet())]
    tokenizer = Tokenizer(BPE(vocab={token: place for place, token in enumerate(tokens)}, merges=[]))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    tokenizer.add_special_tokens([SPECIAL])
    tokenizer.save(str(path))
    return path


def write_list(path: Path, packages: list[PinnedPackage], tokens: int = 1_000_000, share: float = 1.0) -> Path:
    """Write a package list that asks for `tokens` of each split, of every language equally."""
    rows = []
    for package in packages:
        values = {key: value for key, value in asdict(package).items() if value}
        rows.append("{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in values.items()) + " }")
    splits = ("train", "calibration", "heldout")
    languages = sorted({package.language for package in packages})
    lines = ["format = 1", "packages = [", *(f"{row}," for row in rows), "]", "[tokens]"]
    lines += [f"{split} = {tokens}" for split in splits]
    lines += ["[language_share]", *(f"{language} = {1 / len(languages)}" for language in languages)]
    lines += ["[package_share]", *(f"{split} = {share}" for split in splits)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
