"""How an exit's hidden states are read: its own norm and translator before the head that all exits share.

The head of a small model with a large vocabulary costs as much as several layers. An exit may therefore read only a
shortlist of it: the tokens that are frequent in code, and with them those of the text at hand (`engine.shortlist`).
That is fine for an exit, whose word either a policy trusts or full depth verifies. Frequency-ranked parts of a
vocabulary serve drafts in FR-Spec (arXiv 2502.14856). With a shortlist there can be an exit at full depth, too: all
layers, and a cheaper head.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, Linear, Norm
from greencode_lsp.engine.errors import EngineError
from greencode_lsp.engine.grid import as_codes, fits_grid, fitted_codes, from_codes
from greencode_lsp.engine.validation import check_tensor, converted
from greencode_lsp.reading import check_regular, parse_json

EXITS_FILE = "exits.safetensors"

FORMAT = "2"

READABLE = ("1", FORMAT)
"""The first has no matrices in 4 bits."""

SHORTLIST = "shortlist"


@dataclass(frozen=True)
class Translator:
    """An MLP of the family's own form that brings an exit's hidden state nearer to a final one.

    It computes h + mlp_out(act(mlp_in(mlp_norm(h)))). Shapes: mlp_in [width, hidden] (gate above up, twice as tall,
    when gated), mlp_out [hidden, width].
    """

    mlp_norm: Norm
    mlp_in: Linear
    mlp_out: Linear


@dataclass(frozen=True)
class ExitHead:
    """What stands between an exit's hidden state and the shared head.

    `shortlist` [tokens] are the ids that the exit chooses among, besides the words of a text, None where it reads the
    whole vocabulary.
    """

    norm: Norm
    translator: Translator | None = None
    shortlist: Tensor | None = None


def exits_metadata(heads: Mapping[int, ExitHead], shape: Architecture, identity: str = "") -> dict[str, str]:
    """Return what a file of heads says of itself; `identity` is that of the weights they were trained on."""
    return {
        "format": FORMAT,
        "exits": json.dumps(sorted(heads)),
        "layers": str(shape.layers),
        "hidden_size": str(shape.hidden_size),
        "weights_sha256": identity,
    }


def exits_tensors(heads: Mapping[int, ExitHead], device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """Return the tensors of heads under the names they have in a file."""
    named: dict[str, Tensor] = {}
    for shortlist in (head.shortlist for head in heads.values() if head.shortlist is not None):
        named[SHORTLIST] = shortlist.detach().to(device, torch.int32).contiguous()
    for depth in sorted(heads):
        named |= head_tensors(f"exit.{depth}", heads[depth], device)
    return named


def head_tensors(prefix: str, head: ExitHead, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """Return the tensors of a head but the shortlist, whose names begin with `prefix`."""
    named: dict[str, Tensor] = {}
    parts: dict[str, Norm | Linear] = {"norm": head.norm}
    if head.translator is not None:
        parts |= vars(head.translator)
    for part, pair in parts.items():
        for kind, tensor in (("weight", pair.weight), ("bias", pair.bias)):
            if tensor is not None:
                named[f"{prefix}.{part}.{kind}"] = tensor.detach().to(device).contiguous()
    return named


def with_codes(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of heads with their matrices in 4 bits, as CPUs run them, or half floats where sizes forbid.

    A matrix `NAME.weight` becomes `NAME.codes`, `NAME.scales` and `NAME.minima` (see `engine.grid`).
    """
    named: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if tensor.dim() < 2:
            named[name] = tensor
        elif not fits_grid(tensor):
            named[name] = tensor.half()
        else:
            kept = as_codes(tensor, fitted_codes)
            named |= {f"{name.removesuffix('.weight')}.{kind}": part for kind, part in kept.items()}
    return named


def with_matrices(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Undo `with_codes`; raise `KeyError` or `RuntimeError` where something is missing or of another size."""
    named = dict(tensors)
    for name in [name.removesuffix(".codes") for name in tensors if name.endswith(".codes")]:
        named[f"{name}.weight"] = from_codes(*(named.pop(f"{name}.{kind}") for kind in ("codes", "scales", "minima")))
    return named


def load_exits(
    path: Path,
    shape: Architecture,
    identity: str = "",
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> dict[int, ExitHead]:
    """Return the heads of a file by depth, in the order of depths.

    Raises `EngineError` in one line: an unreadable file, exits outside the model, another hidden size, a tensor that is
    missing or of a wrong shape, weights of another model (where both the file and the caller say which).
    """
    try:
        check_regular(path)
        with safe_open(path, framework="pt", device=str(device)) as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            shortlist = checked_shortlist(path, tensors.pop(SHORTLIST, None), shape)
            depths = checked_depths(path, file.metadata() or {}, shape, identity, shortlist is not None)
            tensors = converted(with_matrices(tensors), path, dtype)
    except FileNotFoundError as error:
        raise EngineError(f"{path} does not exist; train it with: greencode train exits") from error
    except EngineError:
        raise
    except Exception as error:  # safetensors raises its own, undocumented types
        raise EngineError(f"{path} is not a readable safetensors file: {error}") from error
    reader = HeadReader(path, tensors, shape)
    return {depth: reader.head(f"exit.{depth}", shortlist) for depth in depths}


def checked_shortlist(path: Path, ids: Tensor | None, shape: Architecture) -> Tensor | None:
    """Return a file's shortlist, where it has one; raise `EngineError` unless it names some of the vocabulary."""
    if ids is None:
        return None
    known = ids.dim() == 1 and len(ids) > 0 and 0 <= int(ids.min()) <= int(ids.max()) < shape.vocabulary_size
    if ids.is_floating_point() or not known or len(torch.unique(ids)) < len(ids):
        raise EngineError(f"{path} has a shortlist that does not name different tokens of this model; train it again")
    return ids.long()


def checked_depths(
    path: Path, facts: Mapping[str, str], shape: Architecture, identity: str, shortlisted: bool
) -> list[int]:
    """Return the depths a file's metadata names; raise `EngineError` unless they are this model's."""
    if facts.get("format") not in READABLE:
        raise EngineError(f"{path} has format {facts.get('format')!r}, this greencode reads {FORMAT!r}; train it again")
    depths = parse_json(facts.get("exits", "[]"))
    if not isinstance(depths, list):
        raise EngineError(f"{path} has exits {depths}, wanted a list of depths")
    for name, here in (("layers", shape.layers), ("hidden_size", shape.hidden_size)):
        if facts.get(name) != str(here):
            raise EngineError(f"{path} is for a model with {name} {facts.get(name)}, this one has {here}")
    deepest = shape.layers if shortlisted else shape.layers - 1
    if not depths or any(type(depth) is not int or not 1 <= depth <= deepest for depth in depths):
        raise EngineError(f"{path} has exits {depths}; they must lie between 1 and {deepest}")
    trained_on = facts.get("weights_sha256", "")
    if identity and trained_on and trained_on != identity:
        raise EngineError(f"{path} was trained on other weights than this model's; train it again or fetch its model")
    return sorted(set(depths))


class HeadReader:
    """Picks heads and maps out of a file's tensors; raises `EngineError` where one is missing or of a wrong shape."""

    def __init__(self, path: Path, tensors: Mapping[str, Tensor], shape: Architecture) -> None:
        self._path, self._tensors, self._shape = path, tensors, shape

    def head(self, prefix: str, shortlist: Tensor | None) -> ExitHead:
        """Return the head whose tensors' names begin with `prefix`."""
        has_translator = any(name.startswith(f"{prefix}.mlp_") for name in self._tensors)
        return ExitHead(self._norm(f"{prefix}.norm"), self._translator(prefix) if has_translator else None, shortlist)

    def linear(self, name: str, outputs: int, inputs: int) -> Linear:
        """Return an affine map, whose bias may be missing."""
        weight = self._tensor(f"{name}.weight", outputs, inputs)
        return Linear(weight, self._tensor(f"{name}.bias", outputs) if f"{name}.bias" in self._tensors else None)

    def _translator(self, prefix: str) -> Translator:
        hidden = self._shape.hidden_size
        rows = self._tensor(f"{prefix}.mlp_in.weight", None, hidden).shape[0]
        width = rows // 2 if self._shape.gated else rows
        if self._shape.gated and rows % 2:
            raise EngineError(f"{self._path}: tensor '{prefix}.mlp_in.weight' has {rows} rows, wanted an even number")
        mlp_in, mlp_out = (f"{prefix}.mlp_{part}" for part in ("in", "out"))
        return Translator(
            self._norm(f"{prefix}.mlp_norm"), self.linear(mlp_in, rows, hidden), self.linear(mlp_out, hidden, width)
        )

    def _norm(self, name: str) -> Norm:
        size = self._shape.hidden_size
        weight = self._tensor(f"{name}.weight", size)
        return Norm(weight, self._tensor(f"{name}.bias", size) if self._shape.norm == "layer" else None)

    def _tensor(self, name: str, *sizes: int | None) -> Tensor:
        if name not in self._tensors:
            raise EngineError(f"{self._path} has no tensor {name!r}; it is not complete")
        return check_tensor(self._tensors[name], name, self._path, *sizes)


def translator_bytes(head: ExitHead) -> int:
    """Return how many bytes the matrices of a head's translator take; 0 without one."""
    translator = head.translator
    return 0 if translator is None else translator.mlp_in.weight.nbytes + translator.mlp_out.weight.nbytes


def changed_head(head: ExitHead, change: Callable[[Tensor], Tensor]) -> ExitHead:
    """Return a head with every tensor changed but the shortlist."""

    def changed(part: Norm | Linear) -> tuple[Tensor, Tensor | None]:
        return change(part.weight), None if part.bias is None else change(part.bias)

    translator = head.translator
    if translator is not None:
        mlp_in, mlp_out = (Linear(*changed(part)) for part in (translator.mlp_in, translator.mlp_out))
        translator = Translator(Norm(*changed(translator.mlp_norm)), mlp_in, mlp_out)
    return ExitHead(Norm(*changed(head.norm)), translator, head.shortlist)


def matching_heads(heads: Mapping[int, ExitHead], exits: tuple[int, ...], path: Path) -> dict[int, ExitHead]:
    """Return the heads of these exits; raise `EngineError` naming those that have none."""
    missing = [depth for depth in exits if depth not in heads]
    if missing:
        raise EngineError(f"{path} has no head for exits {missing}, only for {sorted(heads)}; train it again")
    return {depth: heads[depth] for depth in exits}
