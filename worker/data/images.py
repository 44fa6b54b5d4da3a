"""Image files: found in a folder a class, decoded, cut to one size."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from worker.describe.errors import describe_exception, task_error

SUFFIXES = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
"""Names that count as images, in either case; other files in a class's folder are left out."""
MODES: Mapping[int, str] = {1: "L", 3: "RGB"}
"""Pillow's name for an image of that many channels."""
MAX_THREADS = 8
"""Pillow decodes outside Python's lock, so threads help; beyond a few the disk decides."""


def class_folders(folder: Path) -> dict[str, list[Path]]:
    """The images below each sub-folder, both in the order of their names.

    Names that begin with a dot are left out, and so are files that are no images.

    Args:
        folder: A folder with one sub-folder a class.

    Raises:
        TaskError: It cannot be read, it has no sub-folder, or one has no images.
    """
    try:
        found = {
            each.name: _images_below(each)
            for each in sorted(folder.iterdir())
            if each.is_dir() and not each.name.startswith(".")
        }
    except OSError as error:
        raise task_error(
            f"the folder {folder} cannot be read: {describe_exception(error)}",
            cure="give a folder that the worker can read",
        ) from error
    if not found:
        raise task_error(
            f"the folder {folder} has no sub-folders",
            cure="put the images of each class into a sub-folder of the class's name",
        )
    for name, files in found.items():
        if not files:
            raise task_error(
                f"the class folder {folder / name} holds no images",
                cure=f"put images there ({', '.join(sorted(SUFFIXES))}), or remove the folder",
            )
    return found


def read_image(file: Path, *, channels: int, size: int | None) -> np.ndarray:
    """One image, uint8 (channels, height, width).

    Turned upright as its camera says. With a size the shorter side is scaled to it and the
    middle square cut out; an image that has that size already is left as it is.

    Args:
        file: The image.
        channels: 3 for colour, 1 for grey.
        size: Height and width in pixels; None: the image's own.

    Raises:
        TaskError: It is no image that Pillow can decode; names the file.
    """
    try:
        with Image.open(file) as opened:
            if size is not None:
                opened.draft(MODES[channels], (size, size))  # JPEG: decode no more than that
            image = ImageOps.exif_transpose(opened)
            image = _eight_bits(image).convert(MODES[channels])
    # SyntaxError: what Pillow raises for some broken PNGs.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise task_error(
            f"the image {file} cannot be decoded: {describe_exception(error)}",
            cure="replace the file with a whole image, or remove it",
            file=str(file),
        ) from error
    if size is not None and image.size != (size, size):
        image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def read_images(files: Sequence[Path], *, channels: int, size: int) -> Tensor:
    """Images of one size, uint8 (N, channels, size, size), in the order of the files.

    Raises:
        TaskError: One of them cannot be decoded; names it.
    """
    pixels = torch.empty((len(files), channels, size, size), dtype=torch.uint8)
    target = pixels.numpy()

    def read(row: int) -> None:
        target[row] = read_image(files[row], channels=channels, size=size)

    with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as pool:
        try:
            for _ in pool.map(read, range(len(files))):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return pixels


def channel_mean_and_sd(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and sd of each channel of uint8 images (N, C, H, W), each float32 (C,).

    A channel of one value has the sd 1: dividing by it changes nothing.
    """
    counts = torch.stack(
        [pixels[:, each].flatten().bincount(minlength=256) for each in range(pixels.shape[1])]
    ).double()
    values = torch.arange(256, dtype=torch.float64)
    shares = counts / counts.sum(1, keepdim=True)
    mean = shares @ values
    variance = (shares * (values - mean[:, None]).square()).sum(1)
    sd = torch.where(variance > 0, variance.sqrt(), torch.ones_like(variance))
    return mean.float(), sd.float()


def standardised(pixels: Tensor, mean: Tensor, sd: Tensor) -> Tensor:
    """uint8 images (..., C, H, W) as float32, less the channels' mean (C,), by their sd (C,)."""
    return pixels.float().sub_(mean[:, None, None]).div_(sd[:, None, None])


def _images_below(folder: Path) -> list[Path]:
    def stop(error: OSError) -> None:
        raise error

    return sorted(
        Path(parent, name)
        for parent, _, names in os.walk(folder, onerror=stop)
        for name in names
        if os.path.splitext(name)[1].lower() in SUFFIXES and not name.startswith(".")
    )


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey images of 16 bits brought to 8: Pillow's own conversion cuts them off at 255."""
    if not image.mode.startswith("I;16"):
        return image
    return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
