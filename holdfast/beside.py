"""The watchdog beside a server: a process of its own, started a little later, started again when it ends, and gone with the server."""

import os
import subprocess
import sys
from threading import Event, Lock, Thread

from holdfast.log import log

FIRST = 3.0  # seconds: the server comes first
AGAIN = 10.0  # seconds before a watchdog that ended is started again
GOODBYE = 5.0  # seconds that it has for its end
CONFIGURATION = 78  # its settings are wrong, and will be next time


class WatchdogBeside:
    """A thread waits for it, at no cost. It looks itself whether we live, so a `kill -9` of the server ends it too."""

    def __init__(self) -> None:
        self._stopping, self._starting = Event(), Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper = Thread(target=self._keep, name="watchdog", daemon=True)

    def __enter__(self) -> None:
        self._keeper.start()

    def __exit__(self, *_: object) -> None:
        with self._starting:
            self._stopping.set()
        if self._process:
            self._process.terminate()
        self._keeper.join(GOODBYE)
        if self._process and self._keeper.is_alive():
            self._process.kill()

    def _keep(self) -> None:
        pause = FIRST
        while not self._stopping.wait(pause):
            with self._starting:
                if self._stopping.is_set():
                    return
                command = [sys.executable, "-m", "holdfast", "watchdog", "--beside", str(os.getpid())]
                self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - our own program
            code = self._process.wait()
            if not self._stopping.is_set():
                log.error("watchdog_ended", code=code)
            if code == CONFIGURATION:
                return
            pause = AGAIN
