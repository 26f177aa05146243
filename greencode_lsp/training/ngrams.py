"""Counts what follows runs of tokens in a corpus, and keeps what is worth guessing by."""

import numpy as np
from numpy.typing import NDArray

from greencode_lsp.engine.drafts.ngrams import CERTAIN, LEAST_LIKELY, LONGEST, Ngrams, NgramTable
from greencode_lsp.training.corpus.reader import Corpus
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.progress import Report

LEAST_SEEN = {1: 4, 2: 12, 3: 24}
"""How often a run of so many tokens was seen at least. Half as often would list twice as many runs of 12 million
tokens, and save half a percent of what tokens cost on other projects."""

NEWS = 0.25
"""A longer run that says the same token as a shorter one is listed where it is by so much surer, or less sure."""

DOUBT = 0.5
"""Taken from how often a token followed: what was always so in a few places is not so everywhere."""


def count_ngrams(corpus: Corpus, report: Report) -> NgramTable:
    """Return the table of a corpus' training split; raise `TrainingError` when nothing there comes often enough."""
    vocabulary = corpus.vocabulary
    if vocabulary**LONGEST >= 1 << 63:
        raise TrainingError(f"a vocabulary of {vocabulary} tokens is too large: runs of {LONGEST} need 64 bits")
    runs: dict[int, Ngrams] = {}
    for length in range(1, LONGEST + 1):
        report("counting", length - 1, LONGEST)
        table = NgramTable(vocabulary, runs)
        runs[length] = worth_listing(counted(corpus, length, LEAST_SEEN[length]), table, length)
    report("counting", LONGEST, LONGEST)
    if not len(runs[1].keys):
        raise TrainingError(f"{corpus.folder}: nothing comes often enough in its training split; build a larger corpus")
    return NgramTable(vocabulary, runs)


def counted(corpus: Corpus, length: int, least_seen: int) -> Ngrams:
    """Return all runs of a length that were seen so often, with what followed most of the times."""
    keys_of_files, next_of_files = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for ids in corpus.files("train"):
        tokens = np.asarray(ids, np.int64)
        places = len(tokens) - length
        if places < 1:
            continue
        keys = np.zeros(places, np.int64)
        for offset in range(length):
            keys = keys * corpus.vocabulary + tokens[offset : offset + places]
        keys_of_files.append(keys)
        next_of_files.append(tokens[length:])
    keys, following = np.concatenate(keys_of_files), np.concatenate(next_of_files)
    order = np.lexsort((following, keys))
    keys, following = keys[order], following[order]
    pairs = starts_of(keys, following)
    times = np.diff(np.append(pairs, len(keys)))
    order = np.lexsort((-times, keys[pairs]))  # of each run what followed most often comes first
    pairs, times = pairs[order], times[order]
    firsts = starts_of(keys[pairs])
    seen = np.add.reduceat(times, firsts) if len(firsts) else times
    often = seen >= least_seen
    firsts, seen = firsts[often], seen[often]
    likely = (times[firsts] - DOUBT) / (seen + DOUBT)
    return Ngrams(keys[pairs[firsts]], following[pairs[firsts]], np.round(likely * CERTAIN).astype(np.uint8))


def starts_of(*columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where in sorted columns [rows] something else begins."""
    changed = np.ones(len(columns[0]), np.bool_)
    changed[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return np.flatnonzero(changed)


def worth_listing(found: Ngrams, shorter: NgramTable, length: int) -> Ngrams:
    """Return the runs of a length that are to be guessed by, or that say less than the shorter ones would have."""
    known, following, likely = known_by(shorter, found.keys, length)
    says_more = (found.following != following) | (np.abs(found.likely - likely) >= NEWS * CERTAIN)
    kept = np.maximum(found.likely, np.where(known, likely, 0)) >= LEAST_LIKELY * CERTAIN
    kept &= ~known | says_more
    return Ngrams(found.keys[kept], found.following[kept], found.likely[kept])


def known_by(
    table: NgramTable, keys: NDArray[np.int64], length: int
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.float64]]:
    """Return whether shorter runs at the ends of runs [keys] are listed, what follows the longest, and how likely."""
    known, following, likely = np.zeros(len(keys), np.bool_), np.zeros(len(keys), np.int64), np.zeros(len(keys))
    for shorter in range(1, length):
        runs = table.runs[shorter]
        ends = keys % table.vocabulary**shorter
        places = np.minimum(np.searchsorted(runs.keys, ends), max(len(runs.keys) - 1, 0))
        hit = runs.keys[places] == ends if len(runs.keys) else np.zeros(len(keys), np.bool_)
        known |= hit
        following[hit], likely[hit] = runs.following[places[hit]], runs.likely[places[hit]]
    return known, following, likely
