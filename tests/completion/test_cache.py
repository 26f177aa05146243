from greencode_lsp.completion.cache import ResultCache


def cache_with(prefix="ab", suffix="yz", text="hello", capacity=4):
    cache = ResultCache(capacity)
    cache.put("doc", prefix, suffix, text, "value")
    return cache


def test_typing_along_shows_the_rest():
    cache = cache_with()
    assert cache.get("doc", "ab", "yz") == ("hello", "value")
    assert cache.get("doc", "abhe", "yz") == ("llo", "value")


def test_typing_something_else_shows_nothing():
    cache = cache_with()
    for prefix, suffix in (("abx", "yz"), ("xbhe", "yz"), ("abhe", "y"), ("a", "yz"), ("abhello", "yz")):
        assert cache.get("doc", prefix, suffix) is None
    assert cache.get("other", "ab", "yz") is None


def test_that_nothing_is_worth_showing_is_remembered_too():
    cache = cache_with(text="")
    assert cache.get("doc", "ab", "yz") == ("", "value")
    assert cache.get("doc", "abc", "yz") is None


def test_the_oldest_go_first():
    cache = cache_with(capacity=2)
    cache.put("doc", "p", "s", "one", 1)
    cache.put("doc", "q", "s", "two", 2)
    assert cache.get("doc", "ab", "yz") is None
    assert cache.get("doc", "p", "s") == ("one", 1)


def test_a_line_entry_leaks_no_code():
    cache = cache_with(prefix="secret = 'abc'", suffix="more secrets")
    assert "secret" not in repr(vars(cache))
