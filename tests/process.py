"""The server as a process of its own, as an operator starts it; what it writes is caught as bytes."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2

PATIENCE = 20.0  # seconds for a start or a stop on a slow machine


def free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as one:
        return int(one.getsockname()[1])


class Process:
    """`address` is http://127.0.0.1:port; `written` what came out on both streams."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder, self._port = folder, free_port()
        self.address = f"http://127.0.0.1:{self._port}"
        self._output = folder / "output.bytes"
        environment = {"PATH": os.environ["PATH"], "HOLDFAST_DATA_DIR": str(folder), **settings}
        with self._output.open("wb") as output:
            command = [sys.executable, "-m", "holdfast", "serve", "--port", str(self._port)]
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=folder)

    def wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(httpx2.TransportError):
                httpx2.get(f"{self.address}/readyz")
                return
            time.sleep(0.05)
        raise AssertionError(self.written.decode(errors="replace"))

    def stop(self) -> int:
        """The exit code after SIGTERM."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()

    @property
    def written(self) -> bytes:
        return self._output.read_bytes()


@contextlib.contextmanager
def server_process(folder: Path, **settings: str) -> Iterator[Process]:
    process = Process(folder, **settings)
    try:
        process.wait()
        yield process
    finally:
        if process._process.poll() is None:
            process.stop()
