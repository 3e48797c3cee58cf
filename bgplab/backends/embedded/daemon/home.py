"""A lab's directory in the state directory, as the lab itself sees it."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path


def keep_log(directory: Path) -> None:
    """Leave a lab's log beside the labs: one file, overwritten by the next lab that fails."""
    with contextlib.suppress(OSError):
        shutil.copy(directory / "daemon.log", directory.parents[1] / "last-failed-start.log")


class Home:
    """The directory that was there when the lab began; another lab of this name has another one."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._began_in = self._seen()

    def is_there(self) -> bool:
        return self._seen() == self._began_in

    def remove(self) -> None:
        if self.is_there():
            shutil.rmtree(self.directory, ignore_errors=True)

    def _seen(self) -> tuple[int, int] | None:
        with contextlib.suppress(OSError):
            seen = self.directory.stat()
            return seen.st_dev, seen.st_ino
        return None
