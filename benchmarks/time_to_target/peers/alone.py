"""A network namespace that has loopback alone."""

from __future__ import annotations

import fcntl
import socket
import struct
import subprocess

ALONE = ("unshare", "--net", "--")
"""Before a command: it runs in a network namespace of its own."""
SIOCSIFFLAGS, IFF_UP, IFF_RUNNING = 0x8914, 0x1, 0x40
"""As in Linux's headers."""


def can_be_alone() -> bool:
    """Whether this process may make such a namespace."""
    try:
        return subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def raise_loopback() -> None:
    """Bring up the namespace's loopback, which is down in a new one.

    Raises:
        RuntimeError: The namespace has other interfaces: it is the machine's own.
    """
    others = {name for _, name in socket.if_nameindex()} - {"lo"}
    if others:
        raise RuntimeError(
            f"there are other interfaces than loopback ({', '.join(sorted(others))});"
            f" run this with `{' '.join(ALONE)}` before it"
        )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", IFF_UP | IFF_RUNNING)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, request)
