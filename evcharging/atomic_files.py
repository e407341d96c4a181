"""Atomic writes of files (temporary file, fsync, rename), and secrets that are kept in files."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_write(path: Path, *, mode: int) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces `path` when the block ends, and is deleted if the block raises.

    The umask applies to `mode`. Of a symbolic link the target is replaced.

    :raises OSError: it cannot be written, or `path` is no regular file (a device, a folder).
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise OSError(f"it is a {'folder' if path.is_dir() else 'device'} and not a file")
    temporary = _temporary(path)
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
    try:
        with open(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # else a power cut may undo the rename
    finally:
        os.close(folder)


def write_private_file(path: Path, text: str) -> None:
    """Replace `path` by a file of mode 0600.

    :raises OSError: as atomic_write().
    """
    with atomic_write(path, mode=0o600) as file:
        file.write(text.encode())


def read_or_create_secret(path: Path) -> str:
    """Return the secret in `path`; the first call creates it, and of two concurrent ones both return the same.

    :raises OSError: the file can neither be read nor written.
    """
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    candidate = _temporary(path)
    write_private_file(candidate, secrets.token_urlsafe(48))
    try:
        os.link(candidate, path)  # unlike a rename it fails if another process was first
    except FileExistsError:
        pass
    finally:
        candidate.unlink()
    return path.read_text().strip()


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
