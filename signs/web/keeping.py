"""Who keeps what a visitor corrects: what --keep names, or the folder of takes in the name of who signs.

    keeping = Keeping(open_keeper(folder, signer), own)     each may be None
    keeper = keeping.keeper_of("anna")                      a SharedKeeper, or None
    keeper.keep(content, label, answered)

Whoever allows recordings while the page runs is known from then on.
"""

import contextlib
import threading
from pathlib import Path

from signs.command import Problem
from signs.prepare.keepers import RecordedTakes


class SharedKeeper:
    """One keeper for all visitors: a folder is written to by one at a time, and the next one waits.

    keeper: of keepers.py, which refuses where another writes; turn: of own_folder.py, where visitors record there too;
    signer: in whose name it keeps, or empty.
    """

    def __init__(self, keeper, turn=None):
        self.keeper, self._turn = keeper, turn or threading.Lock()
        self.signer = keeper.signer if isinstance(keeper, RecordedTakes) else ""

    def keep(self, content: bytes, label: str, answered: str) -> Path:
        with self._turn:
            return self.keeper.keep(content, label, answered)

    def forget(self, path: Path) -> None:
        with self._turn:
            self.keeper.forget(path)


class Keeping:
    """keeper: of keepers.py, of everybody who does not say that somebody else signs; own: of own_folder.py."""

    def __init__(self, keeper=None, own=None):
        self._own, self._keepers = own, {}
        self._usual = SharedKeeper(keeper, own and own.turn) if keeper else None

    def keeper_of(self, signer: str) -> SharedKeeper | None:
        """In the name of who says that she signs and has allowed it; without a name, of whoever is alone in the
        folder."""
        if self._own is None or (self._usual and signer in ("", self._usual.signer)):
            return self._usual
        if (name := signer or self._own.alone) and name not in self._keepers:
            with contextlib.suppress(Problem):  # she was deleted meanwhile
                self._keepers[name] = SharedKeeper(RecordedTakes(self._own.folder, name), self._own.turn)
        return self._keepers.get(name)
