"""Files that are replaced as a whole or not at all, and secrets that the system keeps in such files."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path, *, mode: int) -> Iterator[BinaryIO]:
    """Open a file beside `path` that takes its place when the block ends without an error, and vanishes with one.

    `mode` is cut by the umask. A symbolic link stays one: what it points to is replaced.

    :raises OSError: it cannot be written, or `path` is something other than a file (a device, a folder).
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise OSError(f"it is a {'folder' if path.is_dir() else 'device'} and not a file")
    temporary = _beside(path)
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
        os.fsync(folder)  # or a power cut may forget the new name
    finally:
        os.close(folder)


def write_private_file(path: Path, text: str) -> None:
    """Replace `path` with a file that only its owner can read (mode 0600).

    :raises OSError: as `whole_file`.
    """
    with whole_file(path, mode=0o600) as file:
        file.write(text.encode())


def read_or_create_secret(path: Path) -> str:
    """Return the secret kept in `path`; the first call ever creates it, and of two first calls at once one wins.

    :raises OSError: if the file can neither be read nor written.
    """
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    candidate = _beside(path)
    write_private_file(candidate, secrets.token_urlsafe(48))
    try:
        os.link(candidate, path)
    except FileExistsError:
        pass
    finally:
        candidate.unlink()
    return path.read_text().strip()


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
