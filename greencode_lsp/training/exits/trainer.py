"""The loop that trainings of exits and of maps share: steps, checkpoints, the best of them, and going on after a stop.

`accelerate` places the work: one CPU, one GPU, or as many as `accelerate launch` starts.
"""

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs, set_seed
from torch import Tensor, nn

from greencode_lsp.engine.runner import multiplies_bfloat16
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.exits.checkpoints import BEST, LAST, load_checkpoint, save_checkpoint
from greencode_lsp.training.exits.journal import Journal
from greencode_lsp.training.exits.recipe import Recipe, jsonable
from greencode_lsp.training.progress import Report
from greencode_lsp.training.traces.shards import disk_errors

LARGEST_GRADIENT = 1.0

LOG_STEPS = 10

MAY_CHANGE = (
    "description",
    "learning_rate",
    "exits_learning_rate",
    "warmup_steps",
    "schedule",
    "weight_decay",
    "true_share",
    "weights",
    "full_depth_share",
)
"""What of a recipe may be changed when a run goes on; the rest decides what a checkpoint is and what comes next."""


class Task(Protocol):
    """What is trained: a module, the data of each step, the loss, and a score on held-out text."""

    module: nn.Module
    steps: int

    def parts(self, step: int) -> Sequence[Any]:
        """Return descriptions of a step's micro-batches."""

    def loss(self, module: nn.Module, part: Any, step: int) -> tuple[Tensor, dict[str, float]]:
        """Return the mean loss of a micro-batch, and figures of it for the journal."""

    def score(self, module: nn.Module) -> dict[str, float]:
        """Return figures on held-out text; `score` among them, the higher the better."""


@dataclass
class Standing:
    """How far a run is."""

    step: int = 0
    best_score: float = -math.inf
    best_step: int = 0


def train(
    task: Task, recipe: Recipe, origin: Mapping[str, str], folder: Path, accelerator: Accelerator, report: Report
) -> Standing:
    """Train to the end, from the last checkpoint in `folder` where there is one; leave the best weights in the module.

    `origin` names what a run begins with, which must be the same when it goes on.
    Raises `TrainingError` in one line: a loss that is NaN or infinite, a full disk, a folder of another run.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    set_seed(recipe.seed)
    optimizer = make_optimizer(task.module, recipe)
    module, prepared = accelerator.prepare(task.module, optimizer)
    standing = resume(folder, recipe, origin, task.module, optimizer)
    journal = Journal(folder, standing.step) if accelerator.is_main_process else None
    save_every = max(1, task.steps // max(recipe.checkpoints, 1))
    started, first = time.perf_counter(), standing.step
    for step in range(standing.step, task.steps):
        report("training", step, task.steps)
        set_rate(optimizer, recipe, step, task.steps)
        values = run_step(task, module, accelerator, step)
        if not math.isfinite(values["loss"]):
            raise TrainingError(
                f"the loss became {values['loss']} at step {step}; the checkpoint of step {standing.step} in {folder} "
                "is intact: lower the learning rate and run it again"
            )
        values["gradient"] = float(accelerator.clip_grad_norm_(module.parameters(), LARGEST_GRADIENT))
        prepared.step()
        prepared.zero_grad(set_to_none=True)
        done = step + 1
        if journal is not None and (done % LOG_STEPS == 0 or done == task.steps):
            speed = (done - first) * recipe.batch_tokens / (time.perf_counter() - started)
            journal.write("training", done, {**values, "tokens_per_s": speed})
        if done % save_every == 0 or done == task.steps:
            with accelerator.autocast():
                figures = task.score(module)
            standing.step = done
            if improved := figures["score"] > standing.best_score:
                standing.best_score, standing.best_step = figures["score"], done
            if accelerator.is_main_process:
                keep(folder, recipe, origin, task.module, optimizer, standing, improved)
            if journal is not None:
                journal.write("held-out", done, figures)
    if journal is not None:
        journal.close()
    accelerator.wait_for_everyone()
    best = load_checkpoint(folder / BEST)
    if best is not None:
        task.module.load_state_dict(best["module"])
    return standing


def make_accelerator(device: str) -> Accelerator:
    """Return what places this process' work on `device` (cpu or cuda): bfloat16 wherever the machine multiplies it."""
    on_cpu = device == "cpu"
    patient = InitProcessGroupKwargs(timeout=timedelta(days=1))  # one process records what all of them learn from
    precision = "bf16" if not on_cpu or multiplies_bfloat16() else "no"
    return Accelerator(cpu=on_cpu, mixed_precision=precision, kwargs_handlers=[patient])


def device_name(accelerator: Accelerator) -> str:
    """Return where this process works, as the engine has it; several processes call a CPU by a number, too."""
    return "cpu" if accelerator.device.type == "cpu" else str(accelerator.device)


def make_optimizer(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return AdamW; norms and biases do not decay. Exits beside layers that learn (`heads`) may have their own rate."""
    groups: dict[tuple[bool, bool], list[Tensor]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((name.startswith("heads."), parameter.dim() > 1), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": learning, "of_exits": of_exits, "weight_decay": recipe.weight_decay if decays else 0.0}
            for (of_exits, decays), learning in groups.items()
        ],
        lr=recipe.learning_rate,
        betas=(0.9, 0.98),
    )


def set_rate(optimizer: torch.optim.Optimizer, recipe: Recipe, step: int, steps: int) -> None:
    """Set a step's learning rate: a linear rise, then constant or a linear fall to nothing."""
    rise = min(1.0, (step + 1) / max(recipe.warmup_steps, 1))
    fall = 1.0 if recipe.schedule == "constant" else 1.0 - step / steps
    for group in optimizer.param_groups:
        rate = recipe.exits_learning_rate if group["of_exits"] else 0.0
        group["lr"] = (rate or recipe.learning_rate) * min(rise, fall)


def run_step(task: Task, module: nn.Module, accelerator: Accelerator, step: int) -> dict[str, float]:
    """Compute the gradients of one step; return its mean figures over all processes."""
    parts = task.parts(step)
    own = parts[accelerator.process_index :: accelerator.num_processes]
    if len(parts) < accelerator.num_processes:
        raise TrainingError(
            f"a batch has {len(parts)} micro-batches for {accelerator.num_processes} processes; raise batch_tokens"
        )
    sums: dict[str, float] = {}
    for index, part in enumerate(own):
        # Gradients are averaged over processes, once a step: at the last micro-batch of each.
        with accelerator.no_sync(module) if index < len(own) - 1 else nullcontext():
            with accelerator.autocast():
                loss, figures = task.loss(module, part, step)
            accelerator.backward(loss * (accelerator.num_processes / len(parts)))
        for name, value in {"loss": float(loss.detach()), **figures}.items():
            sums[name] = sums.get(name, 0.0) + value
    totals = torch.tensor([*sums.values()], device=accelerator.device, dtype=torch.float64)
    reduced: Any = accelerator.reduce(totals, reduction="sum")
    return {name: float(total) / len(parts) for name, total in zip(sums, reduced, strict=True)}


def resume(
    folder: Path, recipe: Recipe, origin: Mapping[str, str], module: nn.Module, optimizer: torch.optim.Optimizer
) -> Standing:
    """Load the last checkpoint where there is one; raise `TrainingError` when it is of another run."""
    state = load_checkpoint(folder / LAST)
    if state is None:
        return Standing()
    now, then = {**jsonable(recipe), **origin}, {**state["recipe"], **state["origin"]}
    if other := [name for name in now if name not in MAY_CHANGE and then.get(name) != now[name]]:
        raise TrainingError(
            f"{folder} holds a run with another {other[0]}: {then.get(other[0])!r}, now {now[other[0]]!r}; "
            "give another folder or remove it"
        )
    module.load_state_dict(state["module"])
    optimizer.load_state_dict(state["optimizer"])
    return Standing(**state["standing"])


def keep(
    folder: Path,
    recipe: Recipe,
    origin: Mapping[str, str],
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    standing: Standing,
    improved: bool,
) -> None:
    """Save the run, and its weights once more when they are the best so far."""
    weights = {name: value for name, value in module.state_dict().items()}
    if improved:
        save_checkpoint(folder / BEST, {"module": weights, "step": standing.step})
    state = {
        "module": weights,
        "optimizer": optimizer.state_dict(),
        "standing": vars(standing),
        "recipe": jsonable(recipe),
        "origin": dict(origin),
    }
    save_checkpoint(folder / LAST, state)
