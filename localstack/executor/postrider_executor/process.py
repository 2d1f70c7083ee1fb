"""One process of one function: its start, its lines of log, its end."""

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from select import poll, POLLIN

STATE = Path(os.environ["POSTRIDER_STATE"])
LOGS = STATE / "logs"


class Process:
    """Runs `command`; `exited(self)` is called once, from a thread of its own.

    It stays in LocalStack's process group and keeps its standard input, so it ends with LocalStack:
    see the Go package localstack/process. Lines go to the function's log file as they come, and are
    kept for take_lines().
    """

    def __init__(
        self, function: str, command: str, env: dict[str, str], exited: Callable[["Process"], None]
    ):
        self.exit_code: int | None = None
        self._exited = exited
        self._lock = threading.Lock()  # of the pipe and the two buffers
        self._closed = False  # the pipe: its number may be another file's by now
        self._partial = b""
        self._lines = bytearray()
        LOGS.mkdir(exist_ok=True)
        # appended line by line: several environments of a function share the file
        self._log = open(LOGS / f"{function}.log", "ab", buffering=0)
        self._process = subprocess.Popen(
            [command],
            cwd=os.path.dirname(command),
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._pipe = self._process.stdout.fileno()
        os.set_blocking(self._pipe, False)
        threading.Thread(target=self._follow, daemon=True, name=f"lambda-{function}").start()

    def kill(self) -> None:
        """Ends the process. Safe to call again."""
        self._process.kill()

    def note(self, line: str) -> None:
        """Adds a line of our own to the log."""
        self._log.write(line.encode() + b"\n")

    def take_lines(self) -> str:
        """What was written since the last call, also what is still in the pipe."""
        self._drain()
        with self._lock:
            data = bytes(self._lines)
            self._lines.clear()
        return data.decode(errors="replace")

    def _follow(self) -> None:
        waiter = poll()
        waiter.register(self._pipe, POLLIN)
        while True:
            waiter.poll()
            if self._drain():
                break
        code = self._process.wait()
        with self._lock:
            if self._partial:
                self._keep(self._partial + b"\n")
            self._closed = True
            self._process.stdout.close()
        self.exit_code = code
        self._exited(self)

    def _drain(self) -> bool:
        """Moves what is in the pipe to the log; True at its end."""
        with self._lock:
            while not self._closed:
                try:
                    data = os.read(self._pipe, 65536)
                except BlockingIOError:
                    return False
                if not data:
                    return True
                *lines, self._partial = (self._partial + data).split(b"\n")
                if lines:
                    self._keep(b"\n".join(lines) + b"\n")
        return True

    def _keep(self, lines: bytes) -> None:
        self._log.write(lines)
        self._lines += lines
