"""A script for root: drop to another user for good, and execute a program.

    python -I run_as.py UID GID PATH… -- PROGRAM ARGUMENT…

PostgreSQL refuses to run as root. Where the clone or the data folder is below a folder that the other user cannot
enter (/root/…), no permission is changed: the program keeps one ambient capability, CAP_DAC_READ_SEARCH or
CAP_DAC_OVERRIDE, and only there. A script and not a preexec_fn: code between fork and exec can deadlock in a threaded
parent.
"""

import ctypes
import os
import sys

_PR_SET_KEEPCAPS = 8
_PR_GET_SECUREBITS = 27
_PR_SET_SECUREBITS = 28
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_LINUX_CAPABILITY_VERSION_3 = 0x20080522
#: Tried in this order: the first allows to enter folders and read files; the second, the only one in some containers,
#: to write too.
_CAP_DAC_READ_SEARCH = 2
_CAP_DAC_OVERRIDE = 1
_CAP_SETPCAP = 8


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Data(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


def _reachable(paths: list[str]) -> bool:
    return all(os.access(path, os.R_OK | os.X_OK) for path in paths)


def _set_capabilities(libc: ctypes.CDLL, *, effective: int, kept: int) -> bool:
    data = (_Data * 2)(_Data(effective, kept, kept & effective), _Data(0, 0, 0))
    return bool(libc.capset(ctypes.byref(_Header(_LINUX_CAPABILITY_VERSION_3, 0)), data) == 0)


def _keep_capability(capability: int) -> bool:
    """Keep `capability`, which is still permitted, across the exec (as an ambient one), and no other.

    PostgreSQL checks its files by access(2), which ignores capabilities unless SECBIT_NO_SETUID_FIXUP is set.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    both = 1 << capability | 1 << _CAP_SETPCAP
    return (
        _set_capabilities(libc, effective=both, kept=both)
        and libc.prctl(_PR_SET_SECUREBITS, libc.prctl(_PR_GET_SECUREBITS) | _SECBIT_NO_SETUID_FIXUP, 0, 0, 0) == 0
        and _set_capabilities(libc, effective=1 << capability, kept=1 << capability)
        and libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0
    )


def main(arguments: list[str]) -> None:
    """Drop to the user, keep a capability only if the paths need it, and execute the program."""
    uid, gid = int(arguments[0]), int(arguments[1])
    end = arguments.index("--")
    paths, command = arguments[2:end], arguments[end + 1 :]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(gid, gid, gid) if hasattr(os, "setresgid") else os.setgid(gid)
    os.setresuid(uid, uid, uid) if hasattr(os, "setresuid") else os.setuid(uid)
    if not _reachable(paths) and not (
        sys.platform == "linux"
        and any(_keep_capability(capability) for capability in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE))
        and _reachable(paths)
    ):
        sys.exit(f"user {uid} cannot enter the folders of {' and '.join(paths)}")
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
