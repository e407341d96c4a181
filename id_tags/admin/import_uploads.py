"""Uploaded files, kept between the preview of an import and its confirmation."""

import re
import time
from pathlib import Path
from tempfile import NamedTemporaryFile, gettempdir

from import_export.tmp_storages import BaseStorage

PREFIX = "id-tags-import-"
KEPT_S = 86_400


class UploadStorage(BaseStorage):
    """Keeps an uploaded file for a day in the temporary folder, mode 600; each upload deletes older ones."""

    def save(self, data: bytes) -> None:
        self._delete_old()
        with NamedTemporaryFile(prefix=PREFIX, delete=False) as file:
            file.write(data)
        self.name = Path(file.name).name

    def read(self) -> bytes:
        """Return the file.

        :raises FileNotFoundError: it was deleted, or the name is not one of an upload.
        """
        return self._path().read_bytes()

    def remove(self) -> None:
        self._path().unlink(missing_ok=True)

    def _path(self) -> Path:
        if not re.fullmatch(rf"{PREFIX}\w+", self.name or ""):
            raise FileNotFoundError(self.name)
        return Path(gettempdir()) / self.name

    @staticmethod
    def _delete_old() -> None:
        for path in Path(gettempdir()).glob(f"{PREFIX}*"):
            try:
                if path.stat().st_mtime < time.time() - KEPT_S:
                    path.unlink()
            except OSError:  # another process deleted it first, or another user owns it
                continue
