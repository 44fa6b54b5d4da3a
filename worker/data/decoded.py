"""Data that is slow to decode: decoded once a machine, then mapped by every process.

The first process that asks decodes; those that ask meanwhile wait for it; later ones map
the file it left, and the operating system lends all of them the same memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from recipes.failpoint import failpoint
from worker.data.cache_folder import (
    ENTRY_SUFFIX,
    MAX_BYTES,
    cache_folder,
    clean,
    locked,
    say_not_kept,
)

logger = logging.getLogger(__name__)

FORMAT = 1
"""Goes into every entry's name: raise it when entries are written differently."""
MIN_FREE_BYTES = 1024**3
"""What a new entry must leave free on the disk: it is a convenience, others need the room."""


def decoded(key: str, make: Callable[[], Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors made once on this machine and shared by its processes.

    Safe with several processes and threads, and against a kill at any moment. A file that
    is damaged is made again. Where no cache folder can be written, ``make`` is called and
    the log says so once.

    Args:
        key: Names what is made: everything the result depends on must be in it, a version
            of your own code too (``files_key`` makes one).
        make: Decodes, and returns tensors by name. What it raises passes through, and
            nothing is kept.

    Returns:
        The tensors, on the CPU. Writing into them changes no other process's.
    """
    folder = cache_folder()
    if folder is None:
        return dict(make())
    name = hashlib.sha256(f"{FORMAT}\0{key}".encode()).hexdigest()[:32]
    path = folder / f"{name}{ENTRY_SUFFIX}"
    kept = _read(path)
    if kept is not None:
        return kept
    try:
        lock = contextlib.ExitStack()
        lock.enter_context(locked(folder, name))
    except OSError as error:
        say_not_kept(error.strerror or str(error))
        return dict(make())
    with lock:
        kept = _read(path)  # another process made it while this one waited
        if kept is None:
            kept = _keep({each: _own(tensor) for each, tensor in make().items()}, path)
    clean(folder)
    return kept


def files_key(files: Iterable[Path], **options: object) -> str:
    """A key for ``decoded``: the files' names, sizes and times of change, and the options.

    Args:
        files: What is decoded. Their contents are not read.
        options: Whatever else the result depends on; written as JSON.

    Raises:
        FileNotFoundError: One of them is not there.
        TypeError: An option cannot be written as JSON.
    """
    digest = hashlib.sha256(json.dumps(options, sort_keys=True).encode())
    for file in files:
        status = file.stat()
        digest.update(f"\0{file}\0{status.st_size}\0{status.st_mtime_ns}".encode())
    return digest.hexdigest()


def _read(path: Path) -> dict[str, Tensor] | None:
    """An entry's tensors, mapped; None where it is missing or damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            checksum = (file.metadata() or {}).get("crc32")
        tensors: dict[str, Tensor] = load_file(path)
        os.utime(path)  # used now: the cleaning goes by it
    except FileNotFoundError:
        return None
    except (SafetensorError, OSError, ValueError) as error:
        logger.warning("decoded data in %s is made again: %s", path, error)
        return None
    if checksum != _checksum(tensors):
        logger.warning("decoded data in %s is made again: its checksum is wrong", path)
        return None
    return tensors


def _own(tensor: Tensor) -> Tensor:
    """The tensor on the CPU, without the rest of a storage it is a part of."""
    plain = tensor.detach().cpu().contiguous()
    return plain if plain.untyped_storage().nbytes() == plain.nbytes else plain.clone()


def _keep(made: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Write an entry, whole or not at all, and return it mapped; else what was made."""
    num_bytes = sum(tensor.nbytes for tensor in made.values())
    if num_bytes > min(MAX_BYTES, shutil.disk_usage(path.parent).free - MIN_FREE_BYTES):
        say_not_kept(f"there is no room for {num_bytes / 1e9:.1f} GB in {path.parent}")
        return made
    for left in path.parent.glob(f"{path.stem}.*.tmp"):
        left.unlink(missing_ok=True)
    handle, temporary = tempfile.mkstemp(".tmp", f"{path.stem}.", path.parent)
    try:
        save_file(made, temporary, metadata={"crc32": _checksum(made)})
        failpoint("decoded.before_rename")
        os.fsync(handle)
        os.replace(temporary, path)
    except (SafetensorError, OSError) as error:  # the disk is full, say
        Path(temporary).unlink(missing_ok=True)
        say_not_kept(str(error))
        return made
    finally:
        os.close(handle)
    return _read(path) or made


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    checksum = 0
    for name in sorted(tensors):
        tensor = tensors[name]
        form = f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}"
        checksum = zlib.crc32(form.encode(), checksum)
        if tensor.numel():
            content = tensor.reshape(-1).view(torch.uint8).numpy()
            checksum = zlib.crc32(content.data, checksum)
    return f"{checksum:08x}"
