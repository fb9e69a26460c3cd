"""Where documents lie that are encrypted already, behind Django's storage API (settings.STORAGES): a folder here.

A file that is opened with ``wb`` appears whole when it is closed, or not at all; what was begun and left is a
``.part``. Of several files each may be opened with `begin` instead: that they are there is sure after `settle`, and
waited for once.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, cast

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage

if TYPE_CHECKING:
    _File = File[bytes]
else:
    _File = File


class Folder(FileSystemStorage):
    """The folder that ``setting`` names, readable by nobody else."""

    def __init__(self, *, setting: str) -> None:
        super().__init__()
        self._setting = setting

    @property
    def base_location(self) -> str:
        return str(getattr(settings, self._setting))

    @property
    def location(self) -> str:
        return str(Path(self.base_location).absolute())

    def open(self, name: str, mode: str = "rb") -> "File[Any]":
        return NewFile(Path(self.path(name)), _sync) if mode == "wb" else super().open(name, mode)

    def begin(self, name: str) -> "File[Any]":
        """A new file, whose content is safely on disk when it is closed, and its name after `settle`."""
        return NewFile(Path(self.path(name)), lambda _folder: None)

    def settle(self) -> None:
        """All files that were closed by now are safely on disk. Raises OSError."""
        _sync(Path(self.location))

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Nothing, where nothing was stored yet."""
        return super().listdir(path) if Path(self.path(path)).is_dir() else ([], [])


class NewFile(_File):
    """On disk under its name once it is closed; raises OSError, and then there is nothing of it. ``sync`` has the disk
    keep what a folder holds."""

    def __init__(self, path: Path, sync: Callable[[Path], None]) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path, self._part, self._sync = path, path.with_suffix(".part"), sync
        super().__init__(self._part.open("xb"), path.name)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._abandon()

    def close(self) -> None:
        file = cast(IO[bytes], self.file)
        if file.closed:
            return
        try:
            file.flush()
            os.fsync(file.fileno())
            file.close()
            self._part.rename(self._path)
            self._sync(self._path.parent)
        except BaseException:
            self._abandon()
            raise

    def _abandon(self) -> None:
        with suppress(OSError):  # what is left in the buffer may find no room
            cast(IO[bytes], self.file).close()
        self._part.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
