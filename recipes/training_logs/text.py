"""From bytes to text: what is no text is refused by name, and never loaded."""

from __future__ import annotations

import codecs
import struct
import zlib

from recipes.training_logs.errors import LogError

SIGNATURES = (
    (b"PK\x03\x04", "a zip archive (PyTorch checkpoints and .npz are such)", "unpack it first"),
    (b"BZh", "a bzip2 archive", "unpack it first"),
    (b"\xfd7zXZ", "an xz archive", "unpack it first"),
    (b"\x89HDF", "an HDF5 file", "export the history as CSV or JSON"),
    (b"\x93NUMPY", "a NumPy array", "export the history as CSV or JSON"),
    (b"SQLite format 3", "an SQLite database", "export the history as CSV or JSON"),
    (b"\x89PNG", "a picture", "give the numbers it was drawn from"),
    (b"%PDF", "a PDF", "give the numbers behind it"),
)

PICKLES = (
    b"\x80\x02",
    b"\x80\x03",
    b"\x80\x04",
    b"\x80\x05",
    b"(dp",
    b"(lp",
    b"cnumpy",
    b"ccopy_reg",
)
"""How pickles of protocols 0 and 2 to 5 begin. Loading one runs whatever it says."""

GZIP = b"\x1f\x8b"

MAX_BYTES = 512 * 2**20
"""Largest log that is read, packed or not: beyond it a curve wants thinning first (ours)."""

CONTROL_SHARE = 0.02
"""Share of control characters from which bytes are no text (ours; escape sequences of a
coloured log stay below)."""


def unpacked(data: bytes) -> bytes:
    """What is in a gzip file; other bytes as they are.

    A file that was cut off gives what can be unpacked of it.

    Raises:
        LogError: It is damaged, or has more than ``MAX_BYTES`` in it.
    """
    if not data.startswith(GZIP):
        return data
    content = bytearray()
    while data.startswith(GZIP):  # files packed one by one and put together are one file
        unpacker = zlib.decompressobj(wbits=31)
        try:
            content += unpacker.decompress(data, MAX_BYTES + 1 - len(content))
        except zlib.error as error:
            raise LogError(f"the gzip file is damaged ({error}); pack it anew") from error
        if len(content) > MAX_BYTES:
            raise LogError(
                f"the gzip file has more than {MAX_BYTES:,} bytes in it; keep every tenth line"
            )
        data = unpacker.unused_data
    return bytes(content)


def is_event_file(data: bytes) -> bool:
    """Whether bytes begin like a TensorBoard event file: a record whose length fits, with
    ``brain.Event:`` in it. Format: TFRecord, as TensorFlow's documentation has it."""
    if len(data) < 24:
        return False
    (length,) = struct.unpack("<Q", data[:8])
    return bool(0 < length < 4096 and b"brain.Event:" in data[12 : 12 + length])


def decode(data: bytes) -> str:
    """The text of a log: UTF-8, or UTF-16 with its mark, or Latin-1 where neither fits.

    Raises:
        LogError: It is empty, a pickle, an archive, or no text at all.
    """
    if not data.strip():
        raise LogError("the file is empty; give one that holds at least an epoch")
    for start in PICKLES:
        if data.startswith(start):
            raise LogError(
                "the file is a pickle, which is not loaded, because loading one runs the code "
                "in it; export the history as CSV or JSON"
            )
    for start, what, cure in SIGNATURES:
        if data.startswith(start):
            raise LogError(f"the file is {what}, no text log; {cure}")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16", errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
    control = sum(text.count(chr(code)) for code in (*range(7), *range(14, 27), *range(28, 32)))
    if "\0" in text or control > CONTROL_SHARE * len(text):
        raise LogError(
            "the file is binary, no text log; give CSV, JSON, a TensorBoard event file, a "
            "Markdown table or a plain training log"
        )
    return text
