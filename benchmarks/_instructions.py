"""Count the instructions that this process runs: a cost that no other program can disturb."""

import ctypes
import os
import struct
import sys

_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}  # numbers of the system call on Linux
_SIZE, _HARDWARE, _INSTRUCTIONS = 128, 0, 1
_INHERIT, _EXCLUDE_KERNEL, _EXCLUDE_HYPERVISOR = 1 << 1, 1 << 5, 1 << 6


def _opened():
    """File of the processor's counter, or None where there is none or it may not be read."""
    if sys.platform != "linux":
        return None
    flags = _INHERIT | _EXCLUDE_KERNEL | _EXCLUDE_HYPERVISOR
    request = struct.pack("IIQQQQQ", _HARDWARE, _SIZE, _INSTRUCTIONS, 0, 0, 0, flags)
    request = ctypes.create_string_buffer(request, _SIZE)
    number = _PERF_EVENT_OPEN.get(os.uname().machine, -1)
    file = ctypes.CDLL(None).syscall(number, request, 0, -1, -1, 0)
    return file if file >= 0 else None


_COUNTER = _opened()


def instructions():
    """Instructions of this process so far; NaN where they cannot be counted."""
    return float("nan") if _COUNTER is None else struct.unpack("q", os.read(_COUNTER, 8))[0]
