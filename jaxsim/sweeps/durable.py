"""A local zarr store whose files are whole or absent, whenever the process is killed or the power cut.

A file is written beside its place, flushed to the disk, moved there in one step, and its folder is flushed.
What a killed process leaves behind is named `*.partial` with its host and process, so that a later one can
sweep it up without touching what a living process is writing.
"""

import asyncio
import errno
import os
import shutil
import socket
from itertools import count
from pathlib import Path
from typing import Any

from zarr.storage import LocalStore

_NUMBERS = count()
ATTEMPTS = 3


class DurableStore(LocalStore):
    """`zarr.storage.LocalStore` with `put` for every write."""

    async def set(self, key: str, value: Any) -> None:
        """Write one file."""
        await asyncio.to_thread(self.set_sync, key, value)

    def set_sync(self, key: str, value: Any) -> None:
        """Write one file, without an event loop."""
        self._check_writable()
        put(self.root / key, value.to_bytes())

    async def set_if_not_exists(self, key: str, value: Any) -> None:
        """Write one file unless it is there: both writers' bytes are whole, and either may stay."""
        if not await self.exists(key):
            await self.set(key, value)


def put(path: Path, content: bytes) -> None:
    """Write a file whole: never partly, and not lost once this has returned."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(ATTEMPTS):
        draft = path.with_name(f"{path.name}{_mark()}")
        try:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
            break
        except FileNotFoundError:
            # somebody with our host's name and no sight of our process swept the draft up
            if attempt == ATTEMPTS - 1:
                raise
        finally:
            draft.unlink(missing_ok=True)
    flush(path.parent)


def flush(folder: Path) -> None:
    """Put a folder's names on the disk, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems flush no folders
            raise
    finally:
        os.close(handle)


def draft_folder(place: Path) -> Path:
    """A folder beside `place`, to be filled and then moved there in one step."""
    return place.with_name(f".{place.name}{_mark()}")


def remove_leftovers(place: Path) -> int:
    """Remove what killed processes of this machine left in a store and beside it; return how many."""
    found = [*place.parent.glob(f".{place.name}.*.partial"), *place.rglob("*.partial")]
    dead = [path for path in found if not _is_alive(path)]
    for path in dead:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(dead)


def _mark() -> str:
    return f".{_host()}.{os.getpid()}.{next(_NUMBERS)}.partial"


def _host() -> str:
    return socket.gethostname().replace(".", "-").replace("/", "-")


def _is_alive(path: Path) -> bool:
    """Whether the process that names a draft may still be writing it."""
    *_, host, process, number, _ = path.name.split(".") if path.name.count(".") >= 4 else [""] * 5
    if os.name == "nt" or host != _host() or not (process.isdigit() and number.isdigit()):
        return True  # on Windows a process cannot be asked without a signal; another machine's is left alone
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
