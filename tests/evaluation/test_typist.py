import random

from greencode_lsp.evaluation.benchmark.replay import without
from greencode_lsp.evaluation.benchmark.source_files import source_files
from greencode_lsp.evaluation.benchmark.typist import Typist, choose_passages

PASSAGE = "        if index < 0:\n            raise IndexError(index)\n        return self.items[index]"


def test_what_is_typed_is_the_passage_slips_corrected():
    typed = ""
    typist = Typist(PASSAGE, random.Random(3))
    slips = 0
    while not typist.done:
        assert typist.pause_seconds() > 0
        stroke = typist.next_stroke()
        typed = typed[: len(typed) - stroke.deleted] + stroke.typed
        slips += stroke.deleted
    assert typed == PASSAGE
    assert slips > 0


def test_a_suggestion_is_taken_only_where_it_says_what_comes_next():
    typist = Typist("return total", random.Random(0))
    assert typist.takes("return total")
    assert not typist.takes("return totals")
    assert not typist.takes("re")
    typist.accept("return ")
    assert typist.takes("total")
    typist.accept("total")
    assert typist.done


def test_the_same_seed_chooses_the_same_passages_and_they_never_overlap():
    for file in source_files():
        for seed in range(50):
            passages = choose_passages(file.text, random.Random(seed))
            assert passages == choose_passages(file.text, random.Random(seed))
            rest = without(file.text, passages)
            assert len(rest) == len(file.text) - sum(len(passage.text) for passage in passages)
            for passage in sorted(passages, key=lambda passage: passage.start):
                rest = rest[: passage.start] + passage.text + rest[passage.start :]
            assert rest == file.text
