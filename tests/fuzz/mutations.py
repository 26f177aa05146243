"""Ways to break bytes, JSON values, safetensors files and whole files. Each draws from the generator it is given."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

NUMBERS = (0, 1, 2, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1)

HEADER_BYTES = 4096
"""Most damage is done here: behind it lie weights, which are all alike."""

DEEP = 100_000

VALUES: tuple[Callable[[], Any], ...] = (
    lambda: None,
    lambda: True,
    lambda: 0,
    lambda: -1,
    lambda: 1,
    lambda: 3,
    lambda: 7,
    lambda: 2**31,
    lambda: 2**63,
    lambda: 10**30,
    lambda: 0.5,
    lambda: 1e308,
    lambda: float("nan"),
    lambda: float("-inf"),
    lambda: "",
    lambda: "x" * 10_000,
    lambda: "../../etc/passwd",
    lambda: "\ud800",
    lambda: "\0\n\x1b[31m",
    lambda: [],
    lambda: {},
    lambda: [None],
    lambda: [[[[0]]]],
    lambda: {"": {"": []}},
    lambda: list(range(5000)),
)


def mutate_bytes(content: bytes, random: Random) -> bytes:
    """Return bytes with some damage, most of it near the beginning."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 4, 16))):
        span = len(data) if random.random() < 0.4 else min(len(data), HEADER_BYTES)
        at = random.randrange(span) if span else 0
        way = random.randrange(8)
        if way == 0 and data:
            data[at] ^= 1 << random.randrange(8)
        elif way == 1 and data:
            data[at] = random.randrange(256)
        elif way == 2:
            del data[at:]
        elif way == 3:
            del data[at : at + random.choice((1, 4, 8, 100))]
        elif way == 4:
            data[at:at] = data[at : at + random.choice((1, 4, 8, 100))]
        elif way == 5:
            data[at:at] = random.randbytes(random.choice((1, 4, 8, 100)))
        elif way == 6:
            size = random.choice((4, 8))
            data[at : at + size] = (random.choice(NUMBERS) % 256**size).to_bytes(size, "little")
        else:
            data[at : at + 16] = bytes(random.choice((0, 255)) for _ in range(16))
    return bytes(data)


def mutate_value(value: Any, random: Random) -> Any:
    """Return a JSON value with one place replaced, removed, renamed or doubled."""
    copied = json.loads(json.dumps(value))
    places: list[tuple[Any, Any]] = []
    waiting = [copied]
    while waiting and len(places) < 5000:
        inside = waiting.pop()
        keys: list[Any] = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
        places += [(inside, key) for key in keys]
        waiting += [inside[key] for key in keys if isinstance(inside[key], (dict, list))]
    if not places:
        return random.choice(VALUES)()
    holder, key = random.choice(places)
    way = random.random()
    if way < 0.7:
        holder[key] = random.choice(VALUES)()
    elif way < 0.8 and isinstance(holder[key], (int, float)) and not isinstance(holder[key], bool):
        holder[key] = holder[key] * random.choice((2, -1, 0.5, 1000)) + random.choice((0, 1))
    elif way < 0.9:
        del holder[key]
    elif isinstance(holder, dict):
        holder[f"{key}_"] = holder.pop(key)
    else:
        holder.append(holder[key])
    return copied


def mutate_json(content: bytes, random: Random) -> bytes:
    """Return a JSON text with another value somewhere, nested without end, or with damaged bytes."""
    way = random.random()
    if way < 0.04:
        return b'{"a":' * DEEP + b"1" + b"}" * DEEP
    if way < 0.08:
        return b"[" * DEEP
    if way < 0.2:
        return mutate_bytes(content, random)
    return json.dumps(mutate_value(json.loads(content), random)).encode("utf-8", "surrogatepass")


def mutate_safetensors(content: bytes, random: Random) -> bytes:
    """Return a safetensors file with another header around the same numbers, other numbers, or damaged bytes."""
    way = random.random()
    length = int.from_bytes(content[:8], "little")
    header, numbers = json.loads(content[8 : 8 + length]), content[8 + length :]
    if way < 0.25:
        return mutate_bytes(content, random)
    if way < 0.45:
        return content[: 8 + length] + mutate_numbers(numbers, random)
    if way < 0.7:
        header = mutate_value(header, random)
    else:
        name = random.choice([name for name in header if name != "__metadata__"])
        change_tensor(header, name, random)
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    return len(text).to_bytes(8, "little") + text + numbers


def mutate_numbers(numbers: bytes, random: Random) -> bytes:
    """Return weights of which some are not finite, very large, zero or drawn anew."""
    data, size = bytearray(numbers), random.choice((2, 4, 64))
    at = random.randrange(max(len(data) // size, 1)) * size
    pieces = (
        b"\x00\x00\xc0\x7f",
        b"\x00\x00\x80\xff",
        b"\xff\xff\x7f\x7f",
        b"\xff\x7b",
        b"\x00\x00",
        random.randbytes(4),
    )
    piece = random.choice(pieces)
    count = random.choice((1, 8, 1000))
    data[at : at + len(piece) * count] = (piece * count)[: max(len(data) - at, 0)]
    return bytes(data)


def change_tensor(header: dict[str, Any], name: str, random: Random) -> None:
    """Let a header tell something else about one tensor, of which the file's size allows most."""
    tensor = header[name]
    way = random.randrange(6)
    if way == 0:
        tensor["shape"] = tensor["shape"][::-1]
    elif way == 1 and len(tensor["shape"]) == 2:
        rows, columns = tensor["shape"]
        tensor["shape"] = random.choice(
            ([rows * columns], [rows // 2, columns * 2], [1, rows, columns], [rows * 2, columns // 2])
        )
    elif way == 2:
        tensor["dtype"] = random.choice(("F16", "BF16", "I16", "U16"))
        tensor["shape"] = [*tensor["shape"][:-1], tensor["shape"][-1] * 2]
    elif way == 3:
        tensor["dtype"] = random.choice(("I32", "U32", "F64", "BOOL", "I8", "F8_E4M3", "X"))
    elif way == 4:
        other = random.choice([key for key in header if key != "__metadata__"])
        header[name], header[other] = header[other], header[name]
    else:
        del header[name]


def replace_file(path: Path, random: Random) -> str:
    """Put something else in a file's place; return what."""
    what = random.choice(("nothing", "folder", "pipe", "endless", "loop", "dangling", "empty", "huge", "neighbour"))
    content = path.read_bytes()
    path.unlink()
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "endless":
        path.symlink_to("/dev/zero")
    elif what == "loop":
        path.symlink_to(path.name)
    elif what == "dangling":
        path.symlink_to("nowhere")
    elif what == "empty":
        path.touch()
    elif what == "huge":
        path.write_bytes(content)
        os.truncate(path, 1 << 40)  # a hole: it takes no room on the disk
    elif what == "neighbour":
        others = [other for other in sorted(path.parent.iterdir()) if other.is_file()]
        if others:
            shutil.copyfile(random.choice(others), path)
    return what
