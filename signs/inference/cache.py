"""Where this user keeps what is quick to make again: times of networks, shared models that were opened."""

import contextlib
import os
from pathlib import Path


def cache_folder() -> Path:
    """~/.cache/signs, or where the system has such folders; it may not be there, nor be writable."""
    root = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or "~/.cache"
    with contextlib.suppress(RuntimeError):  # a user without a home
        root = Path(root).expanduser()
    return Path(root, "signs")
