"""Where this user keeps what is quick to make again: times of networks, shared models that were opened."""

import contextlib
import os
import shutil
import stat
from pathlib import Path


def cache_folder() -> Path:
    """~/.cache/signs, or where the system has such folders; it may not be there, nor be writable."""
    root = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or "~/.cache"
    with contextlib.suppress(RuntimeError):  # a user without a home
        root = Path(root).expanduser()
    return Path(root, "signs")


def private_folder(*names: str) -> Path:
    """A folder below `cache_folder` that is this user's alone; raises OSError where it cannot be made or written."""
    folder = cache_folder().joinpath(*names)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_private(folder)
    return folder


def check_private(folder: Path) -> None:
    """Raise PermissionError where somebody else may write into a folder, or this user may not."""
    about = folder.stat()
    if hasattr(os, "getuid") and (about.st_uid != os.getuid() or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        raise PermissionError(f"{folder}: others may write there")
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder}: it cannot be written there")


def remove(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
