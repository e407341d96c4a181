"""Files between an import's preview and its confirmation."""

import re
import time
from pathlib import Path
from tempfile import NamedTemporaryFile, gettempdir

from import_export.tmp_storages import BaseStorage

PREFIX = "id-tags-import-"
KEPT_S = 86_400


class UploadStorage(BaseStorage):
    """Keeps an uploaded file for a day, for this server's eyes only; the next upload removes older ones."""

    def save(self, data: bytes) -> None:
        self._forget_old()
        with NamedTemporaryFile(prefix=PREFIX, delete=False) as file:
            file.write(data)
        self.name = Path(file.name).name

    def read(self) -> bytes:
        """Return the file.

        :raises FileNotFoundError: it is gone, or the name is no upload's.
        """
        return self._path().read_bytes()

    def remove(self) -> None:
        self._path().unlink(missing_ok=True)

    def _path(self) -> Path:
        if not re.fullmatch(rf"{PREFIX}\w+", self.name or ""):
            raise FileNotFoundError(self.name)
        return Path(gettempdir()) / self.name

    @staticmethod
    def _forget_old() -> None:
        for path in Path(gettempdir()).glob(f"{PREFIX}*"):
            try:
                if path.stat().st_mtime < time.time() - KEPT_S:
                    path.unlink()
            except OSError:  # another process was faster, or it is another user's
                continue
