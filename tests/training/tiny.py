"""A small Llama that has learned a little language, its corpus, and a tokenizer: what training tests work on."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import LlamaConfig, LlamaForCausalLM, OPTConfig, OPTForCausalLM, PreTrainedModel

from greencode_lsp.training.corpus.reader import Corpus, CorpusPackage

VOCABULARY = 96


SUCCESSORS = 3 + np.random.default_rng(0).permutation(VOCABULARY - 3)


def random_text(generator: np.random.Generator, length: int) -> NDArray[np.int64]:
    """Return ids of a language in which one token of six is random, and the others follow from one of those before.

    An even token decides what comes next; after an odd one, the token before it does.
    """
    ids = generator.integers(3, VOCABULARY, 2).tolist()
    while len(ids) < length:
        decides = ids[-1] if ids[-1] % 2 == 0 else ids[-2]
        known = generator.random() > 1 / 6
        ids.append(int(SUCCESSORS[decides - 3]) if known else int(generator.integers(3, VOCABULARY)))
    return np.asarray(ids[:length])


def write_corpus(folder: Path, files: int = 220) -> Corpus:
    """Write a corpus of three projects, one a split; every fifth file belongs to calibration, as many to heldout."""
    generator = np.random.default_rng(5)
    packages = [
        CorpusPackage(name, "1", "pypi", "python", "MIT", split)
        for name, split in (("one", "train"), ("two", "calibration"), ("three", "heldout"))
    ]
    owners = [{3: 1, 4: 2}.get(index % 5, 0) for index in range(files)]
    texts = [(owner, random_text(generator, int(generator.integers(20, 140)))) for owner in owners]
    return Corpus.write(folder, packages, texts, vocabulary=VOCABULARY)


def write_model(folder: Path, family: str = "llama", steps: int = 200) -> Path:
    """Train a model of 4 layers on the language for some seconds and save it as a user's folder would be."""
    torch.manual_seed(3)
    model = small_llama() if family == "llama" else small_opt()
    generator = np.random.default_rng(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(steps):
        ids = torch.from_numpy(np.stack([random_text(generator, 48) for _ in range(8)]))
        model(ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval().save_pretrained(folder)
    words = {f"w{index}": index for index in range(VOCABULARY)}
    Tokenizer(WordLevel(words, unk_token="w0")).save(str(folder / "tokenizer.json"))
    return folder


def small_llama() -> PreTrainedModel:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=128,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=0,
        )
    )


def small_opt() -> PreTrainedModel:
    return OPTForCausalLM(
        OPTConfig(
            vocab_size=VOCABULARY,
            hidden_size=32,
            word_embed_proj_dim=32,
            ffn_dim=64,
            num_hidden_layers=4,
            num_attention_heads=4,
            max_position_embeddings=128,
            dropout=0.0,
            bos_token_id=None,
            eos_token_id=0,
            pad_token_id=1,
        )
    )
