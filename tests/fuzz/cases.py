"""The kinds of attempts: what each mutates, what it runs, and which answers are right."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz import mutations
from tests.fuzz.seeds import BUNDLED, FAMILIES

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Case:
    """One attempt that is ready to run.

    `seed` names the unmutated input, whose answer is known. With `same` a mutation must not change that answer: what
    was mutated is a cache, or only makes a text cheaper. Then a refusal is wrong, too, unless `may_refuse`.
    """

    folder: Path
    target: str
    path: Path
    seed: str
    mutation: str
    same: tuple[str, ...] = ()
    may_refuse: bool = True


@dataclass
class Seeds:
    """The seeds' folder, the cache that their unmutated runs have left, and what they have answered."""

    folder: Path
    cache: Path
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def model(self, name: str) -> Path:
        """Return the folder of a family's seed."""
        return self.folder / "models" / name


def mutate_file(path: Path, random: Random) -> str:
    """Mutate a file by what it holds; return how."""
    if random.random() < 0.08:
        return f"{path.name} became: {mutations.replace_file(path, random)}"
    content = path.read_bytes()
    ways: dict[str, Callable[[bytes, Random], bytes]] = {
        ".json": mutations.mutate_json,
        ".safetensors": mutations.mutate_safetensors,
    }
    path.write_bytes(ways.get(path.suffix, mutations.mutate_bytes)(content, random))
    return f"{path.name}: {path.suffix[1:]} mutated"


def folder_case(seeds: Seeds, folder: Path, random: Random) -> Case:
    """Mutate one file of a model folder of some family: weights and config mostly."""
    family = random.choice(sorted(FAMILIES))
    shutil.copytree(seeds.model(family), folder / "model")
    file = random.choice((WEIGHTS, WEIGHTS, "config.json", "config.json", "config.json", "tokenizer.json"))
    mutation = mutate_file(folder / "model" / file, random)
    link_cache(seeds, folder)
    return Case(folder, "complete", folder / "model", family, f"{family}/{mutation}")


def gguf_case(seeds: Seeds, folder: Path, random: Random) -> Case:
    """Mutate a GGUF file."""
    path = folder / "tiny.gguf"
    shutil.copyfile(seeds.folder / path.name, path)
    mutation = mutate_file(path, random)
    link_cache(seeds, folder)
    return Case(folder, "convert", path, "gguf", mutation)


CHEAPER = ("exits.safetensors", "policy.safetensors", "calibration.json", "ngrams.safetensors", "drafter.safetensors")
"""What must not change a text that full depth verifies."""


def bundle_case(seeds: Seeds, folder: Path, random: Random) -> Case:
    """Mutate one file of a bundle. What only makes texts cheaper must leave them as they are, or be refused."""
    shutil.copytree(seeds.folder / "bundle", folder / "bundle")
    file = random.choice(("bundle.toml", *CHEAPER))
    mutation = mutate_file(folder / "bundle" / file, random)
    link_cache(seeds, folder)
    same = ("full", "text", "exact") if file in CHEAPER else ()
    return Case(folder, "complete", folder / "bundle", "bundle", mutation, same)


def cache_case(seeds: Seeds, folder: Path, random: Random) -> Case:
    """Mutate one file of the cache or the ledger. A cache can be made again: the text is the same, without refusal."""
    shutil.copytree(seeds.cache, folder / "cache")
    shutil.copytree(seeds.cache.with_name("data"), folder / "data")
    kept = [path for path in sorted(folder.glob("[cd]a*/**/*")) if path.is_file() and path.stat().st_size]
    by_kind = {path.parent.name + path.suffix: path for path in random.sample(kept, len(kept))}
    path = by_kind[random.choice(sorted(by_kind))]
    mutation = f"{path.parent.name}/{mutate_file(path, random)}"
    return Case(
        folder, "complete", seeds.model(BUNDLED), BUNDLED, mutation, ("full", "text", "exact"), may_refuse=False
    )


def link_cache(seeds: Seeds, folder: Path) -> None:
    """Let an attempt use what compiling and measuring the seeds have left; it packs its own weights."""
    for name in ("kernels", "costs", "tokenizers"):
        (folder / "cache").mkdir(exist_ok=True)
        if (seeds.cache / name).is_dir():
            shutil.copytree(seeds.cache / name, folder / "cache" / name)


KINDS: dict[str, Callable[[Seeds, Path, Random], Case]] = {
    "folder": folder_case,
    "gguf": gguf_case,
    "bundle": bundle_case,
    "cache": cache_case,
}


def describe(case: Case) -> str:
    """Return a case's facts as JSON, which its folder keeps."""
    return json.dumps({"target": case.target, "path": str(case.path), "seed": case.seed, "mutation": case.mutation})
