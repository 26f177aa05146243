"""Rows of evaluation sets are found in source whatever its layout, and what only looks like them is not."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from greencode_lsp.training.corpus import CorpusError
from greencode_lsp.training.corpus.decontamination import Decontaminator
from greencode_lsp.training.corpus.evaluation_rows import read_evaluation_sets
from greencode_lsp.training.corpus.lexing import lex, values_of

SOURCE = '''\
class Inventory:
    """What is in store."""

    def restock(self, supplier, amount):
        order = supplier.place_order(self.article, amount, priority="high")
        if order.accepted and order.amount >= 10:  # small ones are not worth it
            self.pending[order.number] = order
        return self.summarise(order, history=self.ledger.entries(limit=50))
'''
BENCHMARK = (
    '<s> class Inventory : <EOL> """<STR_LIT>""" <EOL> def restock ( self , supplier , amount ) : <EOL> '
    "order = supplier . place_order ( self . article , amount , priority = '<STR_LIT:high>' ) <EOL> "
    "if order . accepted and order . amount >= <NUM_LIT:10> : <EOL> self . pending [ order . number ] = order <EOL> "
)
JAVA = """\
package store;
/* kept */ public final class Shelf { private final Map<String, Integer> stock = new HashMap<>();
    public int remove(String article, int amount) throws MissingArticle { // never below 0
        Integer found = stock.get(article); if (found == null || found < amount) throw new MissingArticle(article);
        return stock.merge(article, -amount, Integer::sum); } }
"""


def rows_of(tmp_path: Path, *rows: dict[str, Any]) -> Decontaminator:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return Decontaminator([row for each in read_evaluation_sets([path]) for row in each.rows])


def overlaps(rows: Decontaminator, source: str, language: str = "python") -> bool:
    return rows.overlaps(values_of(lex(source, language)), language)


def test_a_raw_row_is_found_in_another_layout(tmp_path: Path) -> None:
    prompt, _, target = SOURCE.strip().rpartition("\n")
    rows = rows_of(tmp_path, {"prompt": prompt + "\n", "target_line": target})
    assert overlaps(rows, SOURCE)
    other = SOURCE.replace("    ", "\t").replace('"high"', "'low'").replace("10:", "99:").replace("# small", "# big")
    assert overlaps(rows, "import os\n\n\n" + other + "\n\ndef more():\n    pass\n")
    assert not overlaps(rows, SOURCE.replace("order", "request").replace("supplier", "vendor"))
    assert not overlaps(rows, "import os\n" * 100)


def test_a_row_of_the_tokenised_benchmark_is_found_in_source(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, {"input": BENCHMARK, "gt": "return self . summarise ( order , history = self . ledger"})
    assert overlaps(rows, SOURCE)


def test_a_row_in_java_is_found_among_rows_of_all_languages(tmp_path: Path) -> None:
    cut = JAVA.index("Integer::sum")
    rows = rows_of(tmp_path, {"prompt": SOURCE, "target_line": "x"}, {"prompt": JAVA[:cut], "target_line": JAVA[cut:]})
    assert overlaps(rows, JAVA.replace("{", "{\n").replace("// never", "// not"), "java")
    assert not overlaps(rows, JAVA.replace("article", "name").replace("found", "had").replace("stock", "boxes"), "java")


def test_a_short_program_is_found_by_any_part_of_it(tmp_path: Path) -> None:
    lines = SOURCE.splitlines(keepends=True)
    row = {"prompt": "".join(lines[:4]), "canonical_solution": lines[4], "suffix": "".join(lines[5:])}
    rows = rows_of(tmp_path, row)
    assert overlaps(rows, "def other():\n" + lines[4])
    assert overlaps(rows, "def other():\n" + lines[7])


def test_boilerplate_in_the_context_of_a_row_is_no_overlap(tmp_path: Path) -> None:
    table = "table = [" + "'a', " * 40 + "]\n"
    rows = rows_of(tmp_path, {"prompt": table + SOURCE, "target_line": "    return order\n"})
    assert not overlaps(rows, table)


def test_for_the_answer_fewer_words_are_enough(tmp_path: Path) -> None:
    start, end = "table = [" + "'a', " * 40, "first, second, third]"
    rows = rows_of(tmp_path, {"prompt": start, "target_line": end})
    assert overlaps(rows, "other = [" + "'c', " * 20 + end)
    assert not overlaps(rows, "other = [" + "'c', " * 20 + end.replace("third", "fourth"))


def test_a_table_without_words_is_nobodys_answer(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, {"prompt": "table = [" + "'a', " * 40, "target_line": "'b']"})
    assert not overlaps(rows, "other = [" + "'c', " * 20 + "'d']")


def test_only_the_last_two_hundred_tokens_of_a_long_row_count(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, {"prompt": SOURCE + "x = 1\n" * 100, "target_line": "y = 2"})
    assert not overlaps(rows, SOURCE)


def test_without_rows_nothing_overlaps() -> None:
    assert not overlaps(Decontaminator([]), SOURCE)


@pytest.mark.parametrize("name", ["commons-codec", "Commons_Codec", "libcommons-codec-java", "@apache/commons.codec"])
def test_a_package_whose_repository_is_in_the_rows_is_known(tmp_path: Path, name: str) -> None:
    row = {"prompt": "a = 1\n", "target_line": "b", "repo": "apache/commons-codec"}
    assert rows_of(tmp_path, row).is_evaluated(name)
    assert not rows_of(tmp_path, row).is_evaluated("commons-io")


def test_folders_and_compressed_files_are_read(tmp_path: Path) -> None:
    line = json.dumps({"prompt": SOURCE, "target_line": "x = order.number"}) + "\n"
    (tmp_path / "one.jsonl.gz").write_bytes(gzip.compress(line.encode()))
    (tmp_path / "two.jsonl").write_text(line + "\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("rows", encoding="utf-8")
    sets = read_evaluation_sets([tmp_path, tmp_path / "two.jsonl"])
    assert [(each.name, len(each.rows)) for each in sets] == [("one.jsonl.gz", 1), ("two.jsonl", 1)]


@pytest.mark.parametrize("line", ['{"text": "a"}', '{"input": "a"}', '{"prompt": 1, "target_line": "b"}', "[1]", "no"])
def test_a_row_of_unknown_form_is_one_line_that_names_it(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"input": "a", "gt": "b"}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"rows\.jsonl, line 2: not a row with input and gt") as caught:
        read_evaluation_sets([path])
    assert "\n" not in str(caught.value)


def test_rows_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot be read as rows"):
        read_evaluation_sets([tmp_path / "none.jsonl"])
    (tmp_path / "broken.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(CorpusError, match="cannot be read as rows"):
        read_evaluation_sets([tmp_path / "broken.jsonl.gz"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match=r"holds no \.jsonl"):
        read_evaluation_sets([tmp_path / "empty"])
