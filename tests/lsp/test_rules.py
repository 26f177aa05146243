"""When nothing is computed."""

from dataclasses import replace

import pytest

from greencode_lsp.server.place import Place
from greencode_lsp.server.rules import ALWAYS, WHILE_TYPING, objection, path_of, reason_against
from greencode_lsp.server.settings import Settings

HERE = Place("file:///a.py", "python", "x = val", "\ny = 2\n", path="/home/me/project/src/a.py")


def test_nothing_objects_to_a_word_being_typed() -> None:
    assert objection(ALWAYS, HERE, Settings()) is None
    assert objection(WHILE_TYPING, HERE, Settings()) is None


def test_only_named_languages_are_completed() -> None:
    assert objection(ALWAYS, HERE, Settings(languages=("java",))) == "another_language"
    assert objection(ALWAYS, HERE, Settings(languages=("java", "python"))) is None


@pytest.mark.parametrize(
    ("pattern", "excluded"),
    [
        ("*.py", True),
        ("a.py", True),
        ("b.py", False),
        ("src", False),
        ("src/*", True),
        ("**/src/**", True),
        ("/home/me/project/*", True),
        ("/home/you/*", False),
        ("*.min.js", False),
        ("A.PY", True),
        ("SRC/*", True),
        (r"src\*", True),
        ("language:python", True),
        ("language:py*", True),
        ("language:java", False),
        ("python", False),
    ],
)
def test_patterns_exclude_files_by_name_or_path(pattern: str, excluded: bool) -> None:
    assert objection(ALWAYS, HERE, Settings(exclude=(pattern,))) == ("excluded_path" if excluded else None)


@pytest.mark.parametrize(
    ("patterns", "excluded"),
    [
        (("*.py", "!a.py"), False),
        (("*.py", "!b.py"), True),
        (("!a.py", "*.py"), True),
        (("*.py", "!*", "src/*"), True),
        (("!a.py",), False),
    ],
)
def test_the_last_pattern_that_matches_decides(patterns: tuple[str, ...], excluded: bool) -> None:
    assert objection(ALWAYS, HERE, Settings(exclude=patterns)) == ("excluded_path" if excluded else None)


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "/srv/app/.env",
        "/srv/app/.env.local",
        "/srv/app/.ENV.Production",
        "c:/Users/Me/app/.env",
        "//server/share/.env",
        "deploy/prod.env",
        "/srv/.envrc",
        "/srv/server.key",
        "/srv/Server.PEM",
        "/srv/release.p12",
        "/srv/release.pfx",
        "/srv/debug.keystore",
        "/home/me/.ssh/config",
        ".ssh/known_hosts",
        "/srv/id_rsa",
        "/srv/id_ed25519_work",
        "/home/me/.netrc",
        "/home/me/_netrc",
        "/home/me/.pgpass",
        "/home/me/.npmrc",
        "/home/me/.pypirc",
        "/srv/.htpasswd",
        "/home/me/.aws/credentials",
        "/home/me/.aws/sso/cache/token.json",
        "/home/me/.docker/config.json",
        "/home/me/.kube/config",
        "/srv/credentials.json",
        "/srv/service-account-prod.json",
        "/srv/secrets.yaml",
        "/srv/prod.auto.tfvars",
        "/srv/terraform.tfstate",
        "/srv/terraform.tfstate.backup",
        "/srv/passwords.kdbx",
        "/srv/office.ovpn",
        "/srv/private.asc",
    ],
)
def test_files_that_hold_secrets_are_excluded_by_default(path: str) -> None:
    assert objection(ALWAYS, replace(HERE, path=path), Settings()) == "excluded_path"


@pytest.mark.parametrize(
    "path",
    [
        "/srv/app/.env.example",
        "/srv/app/.env.sample",
        "/srv/app/.env.template",
        "/srv/app/env.py",
        "/srv/.env/lib/site.py",
        "/srv/keys.py",
        "/srv/config.json",
        "/srv/docker/config.json",
        "/srv/src/aws/client.py",
        "/srv/monkey.py",
        "/srv/credentials.py",
        "/srv/id_generator.py",
        "/srv/environment.ts",
        "/srv/main.tf",
        "Untitled-1",
        "",
    ],
)
def test_code_and_templates_without_secrets_are_not(path: str) -> None:
    assert objection(ALWAYS, replace(HERE, path=path), Settings()) is None


def test_an_unnamed_document_in_the_language_of_env_files_is_excluded_by_default() -> None:
    assert objection(ALWAYS, replace(HERE, path="Untitled-1", language="dotenv"), Settings()) == "excluded_path"
    assert objection(ALWAYS, replace(HERE, path=".env.example", language="dotenv"), Settings()) is None


def test_a_list_of_ones_own_takes_the_place_of_the_default() -> None:
    secret = replace(HERE, path="/srv/.env")
    assert objection(ALWAYS, secret, Settings(exclude=())) is None
    assert objection(ALWAYS, secret, Settings(exclude=("*.min.js",))) is None


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///home/me/a%20b/.env", "/home/me/a b/.env"),
        ("file:///srv/%2Eenv%2Elocal", "/srv/.env.local"),
        ("file:///c%3A/Users/Me/.env", "c:/Users/Me/.env"),
        ("file:///C:/Users/Me/.env", "C:/Users/Me/.env"),
        ("file://server/share/.env", "//server/share/.env"),
        ("file:///home/me/c#/.env", "/home/me/c#/.env"),
        ("untitled:Untitled-1", "Untitled-1"),
        ("untitled:/srv/.env", "/srv/.env"),
        ("untitled:c%3A%5Csrv%5C.env", "c:/srv/.env"),
        ("vscode-notebook-cell:/srv/secrets.ipynb#W0sZmlsZQ", "/srv/secrets.ipynb"),
        ("vscode-remote://ssh-remote%2Bhost/srv/.env", "/srv/.env"),
        ("git:/srv/.env?%7B%22ref%22%3A%22~%22%7D", "/srv/.env"),
    ],
)
def test_the_path_in_a_uri_is_the_same_on_every_system(uri: str, path: str) -> None:
    assert path_of(uri) == path


@pytest.mark.parametrize(
    ("place", "settings", "reason"),
    [
        (HERE, Settings(), ""),
        (HERE, Settings(languages=("java",)), "no suggestions in python: greencode.languages does not name it"),
        (
            replace(HERE, path="/srv/.env.local"),
            Settings(),
            "no suggestions in .env.local: greencode.exclude has .env.*",
        ),
    ],
)
def test_one_line_says_why_a_document_gets_no_suggestions(place: Place, settings: Settings, reason: str) -> None:
    assert reason_against(place, settings) == reason


@pytest.mark.parametrize(
    ("place", "rule"),
    [
        (replace(HERE, after_deletion=True), "after_deletion"),
        (replace(HERE, only_moved=True), "only_moved"),
        (replace(HERE, prefix="x = va", suffix="lue"), "inside_word"),
        (replace(HERE, prefix="x = va", suffix="_1"), "inside_word"),
        (replace(HERE, prefix="größ", suffix="e"), "inside_word"),
        (replace(HERE, prefix="f(", suffix=")"), None),
        (replace(HERE, prefix="f(a", suffix=")"), None),
        (replace(HERE, prefix="x = ", suffix="value"), None),
        (replace(HERE, prefix="", suffix=""), None),
    ],
)
def test_typing_is_let_pass_where_a_suggestion_would_not_be_read(place: Place, rule: str | None) -> None:
    assert objection(WHILE_TYPING, place, Settings()) == rule


def test_who_wants_suggestions_on_demand_gets_no_others() -> None:
    assert objection(WHILE_TYPING, HERE, Settings(automatic=False)) == "only_on_demand"
