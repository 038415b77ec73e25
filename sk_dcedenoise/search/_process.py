"""Names of processes, by which others on the same machine see that they have died."""

import os
import platform
from contextlib import suppress
from pathlib import Path


def signature():
    """Return the name of this process: where it runs, its number, and when it began."""
    return f"{_place()} {os.getpid()} {_start(os.getpid())}"


def has_died(signed):
    """Whether the process of a signature is gone for sure: it ran here and does no longer."""
    place, pid, start = signed.rsplit(" ", 2)
    return place == _place() and _start(pid) != start


def _place():
    """Where a process number means something: a machine since its start, and one container."""
    parts = [platform.node(), _read("/proc/sys/kernel/random/boot_id").strip()]
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return "/".join(parts).replace(" ", "_")


def _start(pid):
    """When a process began, in the clock ticks of Linux; other systems do not tell."""
    if not os.path.exists("/proc/self/stat"):
        return "untold"
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    # Numbers are used again, so the start tells. A zombie works no more.
    return "gone" if not fields or fields[0] in "ZX" else fields[19]


def _read(path):
    try:
        return Path(path).read_text()
    except OSError:
        return ""
