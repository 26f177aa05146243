from dataclasses import dataclass

from greencode_lsp.engine.drafts.exits import DRAFT_CAP, PROBE_EVERY, Drafting
from greencode_lsp.engine.model import FEW_ROWS


@dataclass
class Model:
    """A model of 30 layers whose head costs as much as `head` of them."""

    head: float = 2.0
    layers: int = 30
    translator: float = 0.0
    shortlist: float = 0.0
    run_prices: tuple[float, ...] = tuple(1 + 0.15 * further for further in range(FEW_ROWS))
    segments: tuple[range, ...] = (range(0, 6), range(6, 30))

    @property
    def backbone(self) -> "Model":
        return self

    def layer_bytes(self, index: int) -> int:
        return 100

    def head_bytes(self) -> int:
        return int(100 * self.head)

    def reading_layers(self, segment: int) -> float:
        return self.translator + (self.shortlist or self.head)


def test_drafts_that_agree_are_made_in_long_runs() -> None:
    drafting = Drafting(Model())  # type: ignore[arg-type]
    for _ in range(30):
        drafting.verified([6] * 4, 4)
    assert drafting.limit() == DRAFT_CAP
    assert drafting.speed(DRAFT_CAP) > 1.5


def test_drafts_that_never_agree_are_given_up_but_tried_now_and_then() -> None:
    drafting = Drafting(Model())  # type: ignore[arg-type]
    for _ in range(30):
        drafting.verified([6], 0)
    limits = []
    for _ in range(5 * PROBE_EVERY):
        limits.append(drafting.limit())
        if limits[-1]:
            drafting.verified([6], 0)
        else:
            drafting.passed()
    assert set(limits) == {0, 1}
    assert limits.count(1) <= 5


def test_drafting_comes_back_once_exits_agree_again() -> None:
    drafting = Drafting(Model())  # type: ignore[arg-type]
    for _ in range(30):
        drafting.verified([6], 0)
    for _ in range(30):
        drafting.verified([6], 1)
    assert drafting.limit() > 1


def test_a_head_or_a_translator_as_dear_as_the_layers_saved_never_pays() -> None:
    for model in (Model(head=200.0), Model(translator=25.0)):
        drafting = Drafting(model)  # type: ignore[arg-type]
        for _ in range(30):
            drafting.verified([6] * 8, 8)
        assert drafting.limit() <= 1


def test_a_shortlist_makes_drafts_pay_that_leave_out_no_layer() -> None:
    """A head of 10 layers, verified for eight drafts at once, and drafts that read an eighth of it."""
    deep = (range(0, 30), range(30, 30))
    for shortlist, pays in ((1.25, True), (0.0, False)):
        drafting = Drafting(Model(head=10.0, shortlist=shortlist, segments=deep))  # type: ignore[arg-type]
        for _ in range(30):
            drafting.verified([30] * 8, 8)
        assert (drafting.limit() > 1) is pays
