"""Logs on disk: which files are one source, and what they say; packed with gzip or not."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from recipes.training_logs.errors import LogError
from recipes.training_logs.names import SPLITS, role_of
from recipes.training_logs.options import LogOptions
from recipes.training_logs.reading import LogReading, read_event_files, read_log
from recipes.training_logs.text import MAX_BYTES, is_event_file, unpacked


def log_sources(paths: Sequence[Path]) -> Iterator[tuple[Path, list[Path]]]:
    """What is one source, and its files: a file, or the event files of one folder.

    A folder without event files gives its CSV files. Folders called after a split, as Keras
    makes them, or after a metric and a split, as ``add_scalars`` does, belong to one run.

    Raises:
        LogError: A folder holds neither; the message names it.
    """
    for path in paths:
        if not path.is_dir():
            yield path, [path]
            continue
        runs: dict[Path, list[Path]] = {}
        for found in sorted(path.rglob("*tfevents*")):
            folder = found.parent
            within = folder != path and _is_of_split(folder.name)
            runs.setdefault(folder.parent if within else folder, []).append(found)
        for found in sorted([*path.rglob("*.csv"), *path.rglob("*.csv.gz")]) if not runs else ():
            runs[found] = [found]
        if not runs:
            raise LogError(
                f"{path}: the folder holds no event file and no CSV; name the log itself"
            )
        yield from runs.items()


def read_log_files(files: Sequence[Path], options: LogOptions, *, source: str) -> LogReading:
    """Read one source.

    Args:
        files: Event files of a folder, or one file of any kind.
        options: What is told rather than guessed.
        source: Its name, for people.

    Raises:
        LogError: It cannot be read; the message says why and what would help.
    """
    contents = [_content(path) for path in files]
    if not all(is_event_file(unpacked(data)) for data in contents):
        return read_log(unpacked(contents[0]), options, source=source)
    with tempfile.TemporaryDirectory() as folder:
        paths = [
            _on_disk(path, data, Path(folder) / str(at))
            for at, (path, data) in enumerate(zip(files, contents, strict=True))
        ]
        return read_event_files(paths, options, source=source)


def _is_of_split(name: str) -> bool:
    role = role_of(name)
    return name.lower() in SPLITS or (role.what == "metric" and role.split != "")


def _on_disk(path: Path, data: bytes, folder: Path) -> Path:
    """An event file as TensorBoard's reader wants it: unpacked, in a folder of the same name."""
    plain = unpacked(data)
    if plain is data:
        return path
    target = folder / path.parent.name / path.name.removesuffix(".gz")
    target.parent.mkdir(parents=True)
    target.write_bytes(plain)
    return target


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise LogError(
                f"the file has {path.stat().st_size:,} bytes, and {MAX_BYTES:,} are the most; "
                "keep every tenth line of it"
            )
        return path.read_bytes()
    except OSError as error:
        raise LogError(f"the file cannot be read ({error.strerror}); name one that can") from error
