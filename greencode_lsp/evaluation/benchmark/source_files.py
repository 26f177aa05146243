"""The real-looking source files that ship for benchmarks, each of about 1,000 tokens."""

from dataclasses import dataclass
from importlib.resources import files

from greencode_lsp.completion.tokenizer import CodeTokenizer

LANGUAGES = {".py": "python", ".java": "java"}


@dataclass(frozen=True)
class SourceFile:
    """A source file: its name, its LSP language id, its text."""

    name: str
    language: str
    text: str


def source_files() -> list[SourceFile]:
    """Return the files by name."""
    folder = files("greencode_lsp.evaluation.benchmark") / "sources"
    found = []
    for entry in folder.iterdir():
        suffix = entry.name[entry.name.rfind(".") :]
        if suffix in LANGUAGES:
            found.append(SourceFile(entry.name, LANGUAGES[suffix], entry.read_text(encoding="utf-8")))
    return sorted(found, key=lambda file: file.name)


def prompt_ids(tokenizer: CodeTokenizer, count: int, places: int = 1) -> list[list[int]]:
    """Return prompts of `count` token ids each, from so many places spread over the files, which follow one another.

    Where the files are shorter than that, they come again.
    """
    text = "\n".join(file.text for file in source_files())
    ids = tokenizer.encode(text)
    while len(ids) < count:
        text += "\n" + text
        ids = tokenizer.encode(text)
    step = (len(ids) - count) // max(places - 1, 1)
    return [ids[place * step :][:count] for place in range(places)]
