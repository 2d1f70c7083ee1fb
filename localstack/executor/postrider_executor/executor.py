"""One execution environment: a process, and the Runtime API that it asks for events.

LocalStack asks little of an executor: start() returns once the runtime has asked for its first
event, invoke() returns a result. Docker's executor calls back over HTTP for that; here everything
is in LocalStack's own process.
"""

import json
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from localstack import config
from localstack.services.dynamodb.server import DynamodbServer
from localstack.services.lambda_.invocation.executor_endpoint import (
    ShutdownDuringStartup,
    StatusErrorException,
)
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.runtime_executor import (
    LambdaRuntimeException,
    RuntimeExecutor,
)

from postrider_executor.process import STATE, Process
from postrider_executor.runtime import HOST, Invocation, RuntimeAPI

# A function's environment is what Lambda defines, and nothing of the machine, but for where the
# certificate authorities are.
PASSED_ON = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class ProcessExecutor(RuntimeExecutor):
    def __init__(self, id: str, function_version: FunctionVersion) -> None:
        super().__init__(id=id, function_version=function_version)
        self._function = function_version.id.function_name
        self._timeout = function_version.config.timeout
        # guards everything below, and signals every change
        self._changed = threading.Condition()
        self._process: Process | None = None
        self._asked = False  # the runtime of this process has asked for an event
        self._init_error: bytes | None = None
        self._waiting: Invocation | None = None  # not yet handed to the runtime
        self._current: Invocation | None = None
        self._stopped = False

    # ---- RuntimeExecutor

    def start(self, env_vars: dict[str, str]) -> None:
        code = self.function_version.config.code.get_unzipped_code_location()
        self._bootstrap = str(Path(code) / "bootstrap")
        self._api = RuntimeAPI(self)
        self._env = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TMPDIR": str(STATE / "tmp"),
            **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
            **{name: str(value) for name, value in env_vars.items()},
            "LAMBDA_TASK_ROOT": str(code),
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
        }
        self._env.update(self._endpoints())
        self._spawn()

    def stop(self) -> None:
        with self._changed:
            if self._stopped:
                return
            self._stopped = True
            if self._current:
                self._settle(self._current, _error("Sandbox.Stopped", "environment stopped"))
            self._changed.notify_all()
        if self._process:
            self._process.kill()
        self._api.close()

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        if self._process.exit_code is not None:
            self._spawn()  # the last invocation ended it: a new process, as Lambda does
        started = time.time()
        invocation = Invocation(payload, started + self._timeout)
        with self._changed:
            self._waiting = self._current = invocation
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: invocation.result is not None or self._process.exit_code is not None,
                timeout=self._timeout,
            )
            if invocation.result is None:
                self._fail(invocation)
            self._waiting = self._current = None
        return self._result(invocation, time.time() - started)

    def get_address(self) -> str:
        return HOST

    def get_endpoint_from_executor(self) -> str:
        return HOST

    def get_runtime_endpoint(self) -> str:
        return f"http://{HOST}:{config.GATEWAY_LISTEN[0].port}/_localstack_lambda/{self.id}"

    def get_logs(self) -> str:
        return self._process.take_lines() if self._process else ""

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        runtime = function_version.config.runtime or "(image)"
        if not runtime.startswith("provided"):
            raise LambdaRuntimeException(f"host processes run provided.* only, not {runtime}")
        code = function_version.config.code
        code.prepare_for_execution()
        if not (Path(code.get_unzipped_code_location()) / "bootstrap").is_file():
            raise LambdaRuntimeException("no `bootstrap` at the root of the code archive")

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        pass

    @classmethod
    def validate_environment(cls) -> bool:
        return True  # nothing is needed, least of all Docker

    def _endpoints(self) -> dict[str, str]:
        """Returns where the function's SDK sends its calls.

        Calls to DynamoDB go to DynamoDB Local itself: LocalStack would only forward them, at
        many times the processor time of the call. DYNAMODB_SHARE_DB has to be set, because
        LocalStack otherwise uses an access key of its own, and each key has tables of its own.
        """
        server = DynamodbServer.get()
        recorder = os.environ.get("POSTRIDER_LAMBDA_ENDPOINT", "").rstrip("/")
        if not recorder:
            return {"AWS_ENDPOINT_URL_DYNAMODB": f"http://{HOST}:{server.port}"}
        return {
            "AWS_ENDPOINT_URL": f"{recorder}/{self._function}",
            "AWS_ENDPOINT_URL_DYNAMODB": f"{recorder}/{self._function}/port/{server.port}",
        }

    # ---- the process

    def _spawn(self) -> None:
        """Starts a process, and returns once it asks for its first event.

        LocalStack has a timer of its own for the start, which calls stop().
        """
        with self._changed:
            self._asked, self._init_error = False, None
            process = self._process = Process(
                self._function, self._bootstrap, self._env, self._process_exited
            )
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._asked
                or self._stopped
                or self._init_error is not None
                or process.exit_code is not None
            )
            if self._stopped:
                process.kill()
                raise ShutdownDuringStartup("execution environment stopped during startup")
            if self._init_error is not None:
                raise StatusErrorException("Environment startup failed", self._init_error)
            if not self._asked:
                raise StatusErrorException("Environment startup failed", self._exit_error(process))

    def _process_exited(self, process: Process) -> None:
        with self._changed:
            self._changed.notify_all()

    def _fail(self, invocation: Invocation) -> None:
        """The process ended, or the time is over, without an answer."""
        if self._process.exit_code is not None:
            # its answer may be on its way through the Runtime API's thread
            if self._changed.wait_for(lambda: invocation.result is not None, timeout=0.05):
                return
            self._settle(invocation, self._exit_error(self._process, invocation.id))
            return
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        message = f"{now} {invocation.id} Task timed out after {self._timeout:.2f} seconds"
        self._process.note(message)
        self._process.kill()
        self._settle(invocation, _error("Sandbox.Timedout", message))
        # the next invocation must find it ended, not on its way out
        self._changed.wait_for(lambda: self._process.exit_code is not None, timeout=5)

    def _exit_error(self, process: Process, request_id: str = "") -> bytes:
        code = process.exit_code
        what = f"signal: {-code}" if code < 0 else f"exit status {code}"
        message = f"RequestId: {request_id} Error: Runtime exited with error: {what}"
        process.note(message)
        return _error("Runtime.ExitError", message)

    def _settle(self, invocation: Invocation, result: bytes, failed: bool = True) -> None:
        if invocation.result is None:
            invocation.result, invocation.failed = result, failed
            self._changed.notify_all()

    def _result(self, invocation: Invocation, seconds: float) -> InvocationResult:
        ms, memory = seconds * 1000, self.function_version.config.memory_size
        logs = (
            f"START RequestId: {invocation.id} Version: {self.function_version.id.qualifier}\n"
            f"{self._process.take_lines()}"
            f"END RequestId: {invocation.id}\n"
            f"REPORT RequestId: {invocation.id}\tDuration: {ms:.2f} ms\t"
            f"Billed Duration: {int(ms) + 1} ms\tMemory Size: {memory} MB\t"
            f"Max Memory Used: {memory} MB\t\n"
        )
        return InvocationResult(
            invocation.id, invocation.result, is_error=invocation.failed, logs=logs
        )

    # ---- called by the Runtime API's threads

    def next(self) -> Invocation | None:
        with self._changed:
            process = self._process
            self._asked = True
            self._changed.notify_all()
            # a thread that still waits for a process that is gone must not take an event
            self._changed.wait_for(
                lambda: self._stopped
                or process is not self._process
                or process.exit_code is not None
                or self._waiting
            )
            if self._stopped or process is not self._process or process.exit_code is not None:
                return None
            invocation, self._waiting = self._waiting, None
            return invocation

    def answer(self, request_id: str, body: bytes, failed: bool) -> bool:
        with self._changed:
            if self._current is None or self._current.id != request_id:
                return False
            self._settle(self._current, body, failed)
            return True

    def init_failed(self, body: bytes) -> None:
        with self._changed:
            self._init_error = body
            self._changed.notify_all()


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()
