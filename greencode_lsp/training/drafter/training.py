"""From a corpus to `drafter.safetensors`, and how often it is right on other projects."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from greencode_lsp.engine import load_backbone
from greencode_lsp.engine.drafts.drafter import DRAFTER_FILE, load_drafter, save_drafter
from greencode_lsp.policy.bundle import file_sha256
from greencode_lsp.training.drafter.finals import BLOCK_ROWS, RecordedFinals, finals_of, record_finals
from greencode_lsp.training.drafter.measured import measure_drafter
from greencode_lsp.training.drafter.task import DRAFTS, DrafterTask
from greencode_lsp.training.drafter.trainable import TrainableDrafter
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.exits.recipe import Recipe
from greencode_lsp.training.exits.shortlist import frequent_tokens
from greencode_lsp.training.exits.trainer import make_accelerator, train
from greencode_lsp.training.exits.training import choice_facts
from greencode_lsp.training.material import open_corpus, training_windows
from greencode_lsp.training.opened import OpenedModel
from greencode_lsp.training.progress import Report
from greencode_lsp.training.traces.shards import disk_errors
from greencode_lsp.training.traces.texts import Choice

STATES = "states"

BLOCKS_PER_STEP = 4


@dataclass(frozen=True)
class DrafterJob:
    """Which drafter to train, from how much of a corpus, into which folder.

    start: the file of a drafter to go on from; without one it begins by saying what the state says. taught: of so many
    tokens, the most frequent, it learns what is likely. shortlist: it chooses among so many of them, and the words of
    the text. check_tokens: of the held-out split, to measure on.
    """

    corpus: Path
    out: Path
    start: Path | None
    tokens: int
    epochs: int
    width: int
    taught: int
    shortlist: int
    check_tokens: int
    learning_rate: float
    context: int
    seed: int

    def recipe(self, layers: int) -> Recipe:
        """Return what the shared loop of trainings needs to know."""
        return Recipe(
            description="a drafter",
            layers=layers,
            exits=(),
            mode="frozen",
            learning_rate=self.learning_rate,
            tokens=self.tokens,
            epochs=self.epochs,
            width=self.width,
            warmup_steps=50,
            batch_tokens=BLOCKS_PER_STEP * BLOCK_ROWS,
            micro_batch_tokens=BLOCKS_PER_STEP * BLOCK_ROWS,
            context=self.context,
            shortlist=self.taught,
            validation_tokens=16 * self.context,
            checkpoints=8,
            seed=self.seed,
        )


def train_drafter(opened: OpenedModel, job: DrafterJob, report: Report) -> Mapping[str, float]:
    """Train a drafter, going on from `job.out` where a run was stopped, and write it; return what was measured of it.

    Raises `TrainingError` in one line: a GPU, a list longer than what is taught, too few tokens, a folder of another
    run, a loss that is no number.
    """
    runner, material = opened.runner, opened.material
    if runner.device.type != "cpu":
        raise TrainingError(f"a drafter is not computed on {runner.device}; use --device cpu")
    if job.shortlist > job.taught:
        raise TrainingError(f"--shortlist {job.shortlist}: it learns of --taught {job.taught} tokens; give no more")
    backbone = load_backbone(material.folder, adapters=opened.adapters)
    corpus, recipe = open_corpus(job.corpus, material), job.recipe(runner.shape.layers)
    choice = Choice(recipe.tokens, recipe.context, recipe.windows_per_file, recipe.seed)
    windows, kept = training_windows(corpus, choice, recipe.validation_tokens)
    layers = {"weights_sha256": material.identity, "exits_sha256": opened.exits_sha256}
    facts = {"model": material.bundle.name, **layers, **choice_facts(recipe)}
    states = job.out / STATES
    record_finals(runner, windows, material.lead, states, {**facts, "corpus": corpus.identity}, report)
    recorded = RecordedFinals(states, BLOCKS_PER_STEP, recipe.epochs, recipe.seed, DRAFTS)
    taught = frequent_tokens(corpus, runner.shape.vocabulary_size, recipe.shortlist)
    learning = TrainableDrafter(backbone, taught, recipe.width, recipe.seed)
    if job.start is not None:
        learning.begin_as(load_drafter(job.start, runner.shape, material.identity))
    finals = [finals_of(runner, window, material.lead, index) for index, window in enumerate(kept)]
    task = DrafterTask(learning, backbone, recorded, [one for one in finals if len(one.true) > DRAFTS])
    begun = "" if job.start is None else file_sha256(job.start)
    origin = {"model": material.identity, "exits": opened.exits_sha256, "corpus": corpus.identity, "begun": begun}
    train(task, recipe, origin, job.out, make_accelerator("cpu"), report)
    path = job.out / DRAFTER_FILE
    with disk_errors(job.out):
        save_drafter(path, learning.learned(job.shortlist), material.identity)
    checking = opened.windows(job.corpus, "heldout", Choice(job.check_tokens, job.context, 1, job.seed))
    network = load_drafter(path, runner.shape, material.identity)  # what is measured is what is shipped
    drafter = runner.drafter(network) or backbone.drafter(network)
    return measure_drafter(runner, drafter, checking, material.lead, report)
