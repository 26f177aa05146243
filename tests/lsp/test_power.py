"""What running on the battery changes."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from greencode_lsp.completion.suggestion import CompletionRequest, Suggestion
from greencode_lsp.energy import LedgerThread
from greencode_lsp.models import find_bundle
from greencode_lsp.policy import BundlePolicy, load_bundle_policy
from greencode_lsp.server.assistant import Assistant
from greencode_lsp.server.model_thread import load
from greencode_lsp.server.place import Place
from greencode_lsp.server.settings import Settings

HERE = Place("file:///a.py", "python", "x = ", "")


class Listener:
    """Hears everything and does nothing."""

    def status_changed(self, *_: Any) -> None: ...

    def completed(self, *_: Any) -> None: ...

    def warned(self, *_: Any) -> None: ...

    def load_progress(self, *_: Any) -> None: ...


class RecordingCompleter:
    """Takes down which profile is asked for, and suggests nothing."""

    def __init__(self, policy: BundlePolicy) -> None:
        self.policy = policy
        self.profiles: list[str] = []

    def recall(self, request: CompletionRequest) -> Suggestion | None:
        return None

    def complete_several(self, request: CompletionRequest, count: int) -> list[Suggestion]:
        self.profiles.append(request.profile)
        return []


@pytest.fixture
def battery(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    battery = SimpleNamespace(power_plugged=False)
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery, raising=False)
    return battery


async def asked_profiles(
    monkeypatch: pytest.MonkeyPatch, policy: BundlePolicy, battery: SimpleNamespace, ledger: Path, **settings: Any
) -> list[str]:
    """Ask on battery and then on mains; return the profiles of what was computed."""
    completer = RecordingCompleter(policy)
    monkeypatch.setattr(f"{Assistant.__module__}.{load.__name__}", lambda *_: completer)
    assistant = Assistant(Listener(), LedgerThread(ledger))
    assistant.configure(Settings(debounce_ms=0, **settings))
    await assistant.completer()
    for battery.power_plugged in (False, True):
        await assistant.suggest(HERE, automatic=True)
    assistant.stop()
    return completer.profiles


async def test_auto_is_eco_on_battery(
    monkeypatch: pytest.MonkeyPatch, battery: SimpleNamespace, tmp_path: Path
) -> None:
    bundle = find_bundle("smollm2-135m")
    policy = load_bundle_policy(bundle.folder, bundle.exits, 576)
    assert await asked_profiles(monkeypatch, policy, battery, tmp_path / "ledger") == ["eco", "auto"]
    assert await asked_profiles(monkeypatch, policy, battery, tmp_path / "ledger", profile="full") == ["full", "full"]


async def test_auto_stays_auto_where_the_bundle_cannot_do_eco(
    monkeypatch: pytest.MonkeyPatch, battery: SimpleNamespace, tmp_path: Path
) -> None:
    assert await asked_profiles(monkeypatch, BundlePolicy(), battery, tmp_path / "ledger") == ["auto", "auto"]


async def test_suggestions_pause_on_battery_where_that_is_wanted(
    monkeypatch: pytest.MonkeyPatch, battery: SimpleNamespace, tmp_path: Path
) -> None:
    assert await asked_profiles(monkeypatch, BundlePolicy(), battery, tmp_path / "ledger", pause_on_battery=True) == [
        "auto"
    ]
