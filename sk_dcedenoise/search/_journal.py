"""Where a study is kept: a journal file that survives a kill, or any storage of Optuna."""

import os
import time
import uuid

import optuna
from optuna.storages.journal import (
    JournalFileBackend,
    JournalFileOpenLock,
    JournalStorage,
)

from sk_dcedenoise.search._process import has_died, signature

_GRACE = 30.0  # seconds a lock of another machine may be held: a write takes milliseconds


def open_storage(storage):
    """Return what `storage` means to Optuna.

    Parameters
    ----------
    storage : path, str, BaseStorage or None
        File of a journal; or the URL of a data base, told by its "://"; or a storage as it is; or
        None for the memory of this process.
    """
    if storage is None:
        return optuna.storages.InMemoryStorage()
    if isinstance(storage, (str, os.PathLike)) and "://" not in str(storage):
        path = os.path.abspath(storage)
        # Windows has no symbolic links without a privilege.
        lock = JournalFileOpenLock(path) if os.name == "nt" else JournalLock(path)
        return JournalStorage(JournalFileBackend(path, lock_obj=lock))
    return optuna.storages.get_storage(storage)


class JournalLock:
    """The right to write to a journal, which a killed process does not keep.

    It is a symbolic link, which works on network file systems of any age, and it names its holder.
    Optuna's own lock of this kind does not, and stays for half a minute after a kill.

    Parameters
    ----------
    path : str
        The journal.
    """

    def __init__(self, path):
        self.journal = path
        self.link = path + ".lock"
        # Only who holds this one may take away the link of another.
        self.breaking = JournalFileOpenLock(path + ".break")
        self.mine = None

    def acquire(self):
        """Wait for the right, take it, and mend the journal."""
        mine = f"{signature()} {uuid.uuid4().hex}"
        seen, since, pause = None, 0.0, 0.001
        while not self._take(mine):
            holder = self._holder()
            if holder != seen:
                seen, since = holder, time.monotonic()
            elif holder and (has_died(_process_of(holder)) or time.monotonic() - since > _GRACE):
                self._take_away(holder)
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
        self.mine = mine
        drop_torn_line(self.journal)
        return True

    def release(self):
        """Give the right back, unless another has taken it away in the meantime."""
        if self._holder() == self.mine:
            os.unlink(self.link)

    def _take(self, mine):
        try:
            os.symlink(mine, self.link)
        except FileExistsError:
            return False
        return True

    def _holder(self):
        try:
            return os.readlink(self.link)
        except FileNotFoundError:
            return None

    def _take_away(self, holder):
        self.breaking.acquire()
        try:
            # Another may have done so first, and hold the right by now.
            if self._holder() == holder:
                os.unlink(self.link)
        finally:
            self.breaking.release()


def _process_of(holder):
    return holder.rpartition(" ")[0]


def drop_torn_line(path):
    """Cut off the end of a last line whose process was killed in mid-write.

    The next record would else be glued to it, and no process could read the journal again. Nobody
    was ever told that a torn record had been stored, so nothing is lost.
    """
    with open(path, "rb+") as journal:
        end = journal.seek(0, os.SEEK_END)
        if end == 0 or _byte(journal, end - 1) == b"\n":
            return
        while end and _byte(journal, end - 1) != b"\n":
            end -= 1
        journal.truncate(end)


def _byte(journal, at):
    journal.seek(at)
    return journal.read(1)
