"""The data set's own scores of a line: exact match on tokens and edit similarity on characters (its evaluator.py)."""

from greencode_lsp.evaluation.codexglue.literals import EVALUATOR_FILL, MARKER


def restored(line: str) -> str:
    """Return a line with its literals as the evaluator restores them: kept ones by their text, escapes left alone."""
    return MARKER.sub(
        lambda match: EVALUATOR_FILL[match.group(1)] if match.group(2) is None else match.group(2), line.strip()
    )


def exact_match(predicted: str, truth: str) -> bool:
    """Say whether two lines of space-joined tokens have the same tokens."""
    return restored(predicted).split() == restored(truth).split()


def edit_similarity(predicted: str, truth: str) -> int:
    """Return the similarity of two lines of space-joined tokens, 0 to 100, rounded to an integer.

    fuzzywuzzy's `fuzz.ratio` with python-Levenshtein installed, which is rapidfuzz's, rounded.
    """
    from rapidfuzz import fuzz

    return round(fuzz.ratio(restored(predicted), restored(truth)))
