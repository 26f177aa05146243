import pytest

from greencode_lsp.completion.sessions import SessionPool
from greencode_lsp.engine import EarlyExitModel, load_runner
from greencode_lsp.paths import cache_folder


@pytest.fixture(scope="module")
def model(default_bundle_folder) -> EarlyExitModel:
    return EarlyExitModel(load_runner(default_bundle_folder, "cpu", cache_folder() / "packed"))


def test_a_document_keeps_its_session(model):
    pool = SessionPool(model)
    first = pool.get("a.py")
    assert pool.get("b.py") is not first
    assert pool.get("a.py") is first
    pool.drop("a.py")
    assert pool.get("a.py") is not first


def test_the_least_recently_used_sessions_go_when_memory_runs_out(model):
    pool = SessionPool(model)
    first = pool.get("a.py")
    first.feed([1, 2, 3])
    for segment in range(len(model.segments)):
        first.run(segment)
    room_for_two = SessionPool(model, budget_bytes=2 * first.byte_count)
    kept = {}
    for name in ("a.py", "b.py", "a.py", "c.py", "d.py"):
        kept[name] = room_for_two.get(name)
        if not kept[name].tokens:
            kept[name].feed([1, 2, 3])
            for segment in range(len(model.segments)):
                kept[name].run(segment)
    assert room_for_two.get("a.py") is kept["a.py"], "it was used after b.py"
    assert room_for_two.get("b.py") is not kept["b.py"]


def test_the_session_in_use_stays_whatever_the_budget(model):
    pool = SessionPool(model, budget_bytes=0)
    session = pool.get("a.py")
    session.feed([1, 2, 3])
    assert pool.get("a.py") is session
    pool.get("b.py")
    assert len(pool) == 1
