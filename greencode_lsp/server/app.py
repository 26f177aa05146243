"""The LSP face of the assistant: receives, unpacks, calls, packs."""

import asyncio
import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from greencode_lsp import __version__
from greencode_lsp.completion.lines import line_end_at, with_plain_line_ends
from greencode_lsp.completion.suggestion import Suggestion
from greencode_lsp.energy import LedgerThread, grid_factor, ledger_path
from greencode_lsp.server import payloads
from greencode_lsp.server.assistant import Assistant
from greencode_lsp.server.commands import add_commands
from greencode_lsp.server.documents import Document, Documents
from greencode_lsp.server.items import completion_id, inline_item, menu_item
from greencode_lsp.server.place import Place
from greencode_lsp.server.protocol import AnsweringProtocol
from greencode_lsp.server.rules import path_of
from greencode_lsp.server.settings import Reading, Settings, read_settings
from greencode_lsp.server.watchdog import watch_process

log = logging.getLogger(__name__)

DID_SHOW = "textDocument/didShowCompletion"
DID_PARTIALLY_ACCEPT = "textDocument/didPartiallyAcceptCompletion"

NOTEBOOKS = types.NotebookDocumentSyncOptions(
    notebook_selector=[
        types.NotebookDocumentFilterWithCells(notebook="*", cells=[types.NotebookCellLanguage(language="*")])
    ]
)


LEDGER_SECONDS = 0.05
"""How long an answer may wait for the ledger, which mostly takes a millisecond."""

ANSWER_SECONDS = 20.0
"""How long a client may take to answer, before the server goes on without."""


class GreencodeServer(LanguageServer):
    """A language server with one assistant, whose listener it is."""

    protocol: AnsweringProtocol

    def __init__(self, when_client_gone: Callable[[], None]) -> None:
        super().__init__("greencode", __version__, notebook_document_sync=NOTEBOOKS, protocol_cls=AnsweringProtocol)
        self.assistant = Assistant(self, LedgerThread(ledger_path()))
        self._telling: set[asyncio.Task[None]] = set()
        self.initial = Reading(Settings())
        self.when_client_gone = when_client_gone
        self._last_status: dict[str, Any] | None = None
        self._progress_token: str | None = None

    @property
    def documents(self) -> Documents:
        """The client's open documents."""
        workspace = self.workspace
        assert isinstance(workspace, Documents)
        return workspace

    @property
    def was_shut_down(self) -> bool:
        """Whether the client has asked for the end in the proper way."""
        return self.protocol._shutdown

    # What the assistant tells

    def status_changed(self, kind: payloads.Kind, busy: bool, message: str) -> None:
        """Send `greencode/status` where it differs from the last one."""
        status = payloads.status_payload(kind, busy, message)
        if status != self._last_status:
            self._last_status = status
            self.protocol.notify(payloads.STATUS, status)

    def completed(self, document: str, suggestion: Suggestion) -> None:
        """Send `greencode/energy` once the ledger has the day's totals."""
        telling = asyncio.ensure_future(self._tell_energy(document, suggestion))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def energy_told(self) -> None:
        """Wait until what was completed is told, so that it comes before the answer; not long with a busy ledger."""
        if self._telling:
            await asyncio.wait(self._telling, timeout=LEDGER_SECONDS)

    async def _tell_energy(self, document: str, suggestion: Suggestion) -> None:
        factor = grid_factor(self.assistant.settings.grid_factor)
        today = await asyncio.wrap_future(self.assistant.ledger.today(factor))
        self.protocol.notify(payloads.ENERGY, payloads.energy_payload(document, suggestion, today, factor))

    def warned(self, message: str) -> None:
        """Show a warning."""
        self.window_show_message(types.ShowMessageParams(types.MessageType.Warning, message))

    def load_progress(self, stage: str, done: int, total: int) -> None:
        """Show loading as work-done progress, where the client can."""
        token = self._progress_token
        if token is None:
            return
        if stage:
            percentage = min(100 * done // max(total, 1), 100)
            report = types.WorkDoneProgressReport(message=stage, percentage=percentage)
            self.work_done_progress.report(token, report)
        else:
            self._progress_token = None
            self.work_done_progress.end(token, types.WorkDoneProgressEnd())

    async def open_progress(self) -> None:
        """Ask the client for a progress display for loading the model."""
        window = self.client_capabilities.window
        if window is None or not window.work_done_progress:
            return
        token = f"greencode-{uuid.uuid4()}"
        with doing_without("a progress display"):
            await asyncio.wait_for(self.work_done_progress.create_async(token), ANSWER_SECONDS)
            begin = types.WorkDoneProgressBegin(title="greencode", message="loading the model", percentage=0)
            self.work_done_progress.begin(token, begin)
            self._progress_token = token

    # Settings

    def apply(self, reading: Reading) -> None:
        """Use settings, and tell the user about those that cannot be used."""
        for complaint in reading.complaints:
            self.warned(complaint)
        self.assistant.configure(reading.settings)

    async def pull_settings(self) -> Any:
        """Ask the client for the section `greencode`; None where it cannot be asked or does not say."""
        workspace = self.client_capabilities.workspace
        if workspace is None or not workspace.configuration:
            return None
        item = types.ConfigurationItem(section="greencode")
        section: Any = None
        with doing_without("settings"):
            asked = self.workspace_configuration_async(types.ConfigurationParams(items=[item]))
            (section,) = await asyncio.wait_for(asked, ANSWER_SECONDS)
        return section

    async def watch_settings(self) -> None:
        """Ask to be told when settings change, where that must be asked for."""
        workspace = self.client_capabilities.workspace
        changes = workspace.did_change_configuration if workspace is not None else None
        if changes is not None and changes.dynamic_registration:
            options = types.DidChangeConfigurationRegistrationOptions(section="greencode")
            method = types.WORKSPACE_DID_CHANGE_CONFIGURATION
            registration = types.Registration(id=str(uuid.uuid4()), method=method, register_options=options)
            with doing_without("news of settings"):
                asked = self.client_register_capability_async(types.RegistrationParams([registration]))
                await asyncio.wait_for(asked, ANSWER_SECONDS)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Keep errors in the log: a message box for every malformed notification helps nobody."""
        log.error("%s: %s", getattr(source, "__name__", source), " ".join(str(error).split()))

    # Places

    def place(
        self,
        document: Document,
        position: types.Position,
        automatic: bool = False,
        selected: types.SelectedCompletionInfo | None = None,
    ) -> Place:
        """Return the text around a position, as it will be once the selected entry of the editor's menu is taken."""
        offset, text = document.offset_at_position(position), document.source
        prefix, suffix = text[:offset], text[offset:]
        if selected is not None:
            prefix = text[: document.offset_at_position(selected.range.start)] + selected.text
            suffix = text[document.offset_at_position(selected.range.end) :]
        above = self.documents.cells_above(document.uri)
        notebook = self.documents.get_notebook_document(cell_uri=document.uri)
        return Place(
            document.uri if notebook is None else notebook.uri,
            document.language_id or "",
            with_plain_line_ends((above or "") + prefix),
            with_plain_line_ends(suffix),
            path=path_of(document.uri if notebook is None else notebook.uri),
            line_end=line_end_at(text, offset),
            after_deletion=document.after_deletion,
            only_moved=automatic and document.moved_since_asked(offset),
        )


@contextmanager
def doing_without(wanted: str) -> Iterator[None]:
    """Go on without something that the client does not give, whatever it says or fails to say instead."""
    try:
        yield
    except Exception as error:
        log.warning("the client gives no %s: %s", wanted, error or type(error).__name__)


def create_server(when_client_gone: Callable[[], None]) -> GreencodeServer:
    """Return a server with all its handlers; `when_client_gone` is called once the client's process has ended."""
    server = GreencodeServer(when_client_gone)
    add_lifecycle(server)
    add_completion(server)
    add_commands(server, server.assistant)
    return server


def add_lifecycle(server: GreencodeServer) -> None:
    """Add handlers for the beginning, the settings and documents."""

    @server.feature(types.INITIALIZE)
    def initialize(ls: GreencodeServer, params: types.InitializeParams) -> None:
        ls.protocol._workspace = Documents.like(ls.workspace)
        if params.process_id is not None:
            watch_process(params.process_id, ls.when_client_gone)
        ls.initial = read_settings(params.initialization_options)
        if ls.initial.settings.completion_menu:
            add_completion_menu(ls)

    @server.feature(types.INITIALIZED)
    async def initialized(ls: GreencodeServer, params: types.InitializedParams) -> None:
        _, section, _ = await asyncio.gather(ls.watch_settings(), ls.pull_settings(), ls.open_progress())
        pulled = read_settings(section, ls.initial.settings)
        ls.apply(Reading(pulled.settings, list(dict.fromkeys([*ls.initial.complaints, *pulled.complaints]))))

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def settings_changed(ls: GreencodeServer, params: types.DidChangeConfigurationParams) -> None:
        section = await ls.pull_settings()
        if section is None and isinstance(params.settings, dict):
            section = params.settings.get("greencode", params.settings)
        ls.apply(read_settings(section, ls.initial.settings))

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(ls: GreencodeServer, params: types.DidOpenTextDocumentParams) -> None:
        document = ls.documents.open_document(params.text_document.uri)
        if document is not None:
            ls.assistant.opened(ls.place(document, types.Position(0, 0)))

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(ls: GreencodeServer, params: types.DidChangeTextDocumentParams) -> None:
        ls.assistant.typed()

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def notebook_changed(ls: GreencodeServer, params: types.DidChangeNotebookDocumentParams) -> None:
        ls.assistant.typed()

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def notebook_closed(ls: GreencodeServer, params: types.DidCloseNotebookDocumentParams) -> None:
        ls.assistant.close_document(params.notebook_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(ls: GreencodeServer, params: types.DidCloseTextDocumentParams) -> None:
        ls.assistant.close_document(params.text_document.uri)


def add_completion(server: GreencodeServer) -> None:
    """Add inline completion, and what clients tell about what they showed."""

    # Without options pygls does not advertise the capability, and no editor would ever ask.
    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    async def inline_completion(
        ls: GreencodeServer, params: types.InlineCompletionParams
    ) -> types.InlineCompletionList:
        document = ls.documents.open_document(params.text_document.uri)
        if document is None:
            return types.InlineCompletionList(items=[])
        changes = document.changes
        automatic = params.context.trigger_kind != types.InlineCompletionTriggerKind.Invoked
        selected = params.context.selected_completion_info
        place = ls.place(document, params.position, automatic, selected)
        suggestions = await ls.assistant.suggest(place, automatic)
        await ls.energy_told()
        if not ls.documents.is_current(document, changes):
            return types.InlineCompletionList(items=[])
        shown = [suggestion for suggestion in suggestions if suggestion.text]
        return types.InlineCompletionList([inline_item(document, params.position, one, selected) for one in shown])

    @server.feature(DID_SHOW)
    def did_show(ls: GreencodeServer, params: Any) -> None:
        ls.assistant.shown(completion_id(getattr(params, "item", None)))

    @server.feature(DID_PARTIALLY_ACCEPT)
    def did_partially_accept(ls: GreencodeServer, params: Any) -> None:
        length = getattr(params, "acceptedLength", None)
        if not isinstance(length, int) or length < 0:
            raise ValueError("acceptedLength must be a number of UTF-16 units")
        ls.assistant.accepted(completion_id(getattr(params, "item", None)), length)


def add_completion_menu(server: GreencodeServer) -> None:
    """Add ordinary completion, for editors without inline completion."""

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions())
    async def completion(ls: GreencodeServer, params: types.CompletionParams) -> types.CompletionList:
        document = ls.documents.open_document(params.text_document.uri)
        empty = types.CompletionList(is_incomplete=True, items=[])
        if document is None:
            return empty
        changes = document.changes
        invoked = params.context is None or params.context.trigger_kind == types.CompletionTriggerKind.Invoked
        place = ls.place(document, params.position, automatic=not invoked)
        suggestions = await ls.assistant.suggest(place, automatic=not invoked)
        await ls.energy_told()
        if not ls.documents.is_current(document, changes):
            return empty
        shown = [menu_item(document, params.position, suggestion) for suggestion in suggestions if suggestion.text]
        return types.CompletionList(is_incomplete=True, items=shown)
