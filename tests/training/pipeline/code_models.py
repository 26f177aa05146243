"""Small models that learn real code from nothing: Python's own standard library, which every machine has."""

import sysconfig
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import LlamaConfig, LlamaForCausalLM, OPTConfig, OPTForCausalLM, PreTrainedModel

from greencode_lsp.training.corpus.reader import Corpus, CorpusPackage

VOCABULARY = 768
LAYERS, EXITS = 8, (2, 4, 6)
CONTEXT = 256
SPLITS = ("train", "train", "train", "calibration", "heldout")

UNWANTED = ("test", "site-packages", "idlelib", "lib2to3", "pydoc_data", "encodings")

SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT,
    "bos_token_id": None,
    "eos_token_id": 0,
}


def library_modules() -> dict[str, list[str]]:
    """Return the source of modules of the standard library, by top-level module, some megabytes in all."""
    library = Path(sysconfig.get_paths()["stdlib"])
    modules: dict[str, list[str]] = {}
    for path in sorted(library.rglob("*.py")):
        place = path.relative_to(library).parts
        if place[0] in UNWANTED or "test" in place[1:]:
            continue
        text = path.read_text(encoding="utf-8", errors="ignore")
        if 2_000 < len(text) < 60_000:
            modules.setdefault(place[0].removesuffix(".py"), []).append(text)
    return modules


def write_tokenizer(folder: Path, texts: list[str]) -> Tokenizer:
    """Train a byte-level BPE on some texts, and save it as a model folder has it."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=["<end>"], initial_alphabet=ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer


def write_corpus(folder: Path, tokenizer: Tokenizer, modules: dict[str, list[str]]) -> Corpus:
    """Write modules as a corpus, each a project of its own."""
    packages = [
        CorpusPackage(name, "1", "pypi", "python", "PSF-2.0", SPLITS[index % len(SPLITS)])
        for index, name in enumerate(modules)
    ]
    files = (
        (index, encoding.ids)
        for index, texts in enumerate(modules.values())
        for encoding in tokenizer.encode_batch(texts[:12])
    )
    return Corpus.write(folder, packages, files, vocabulary=VOCABULARY)


def write_model(folder: Path, family: str, corpus: Corpus, steps: int) -> None:
    """Train a model of two layers a segment on the training split and save it as a user's folder would be."""
    torch.manual_seed(0)
    model = new_model(family)
    stream = torch.from_numpy(np.concatenate([np.asarray(ids, np.int64) for ids in corpus.files("train")]))
    starts = torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps, pct_start=0.1)
    for _ in range(steps):
        begins = torch.randint(0, len(stream) - 128, (16,), generator=starts)
        ids = torch.stack([stream[begin : begin + 128] for begin in begins])
        model(ids, labels=ids).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    model.eval().save_pretrained(folder)


def new_model(family: str) -> PreTrainedModel:
    """Return an untrained Llama or OPT."""
    if family == "llama":
        config = LlamaConfig(**SHAPE, intermediate_size=160, num_key_value_heads=2, tie_word_embeddings=True)
        return LlamaForCausalLM(config)
    return OPTForCausalLM(OPTConfig(**SHAPE, ffn_dim=256, word_embed_proj_dim=64, dropout=0.0, pad_token_id=0))


def some_code(modules: dict[str, list[str]], count: int) -> list[str]:
    """Return beginnings of held-out modules that end in the middle of a line."""
    held_out = (texts[0] for index, texts in enumerate(modules.values()) if SPLITS[index % len(SPLITS)] == "heldout")
    return [text[: text.index("\n", 700) + 12] for text in islice(held_out, count)]
