"""Entry points only: LocalStack imports this to list plugins, so it must stay cheap to import."""

from localstack.runtime.server.core import RuntimeServerPlugin
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin


class ProcessExecutorPlugin(RuntimeExecutorPlugin):
    """LAMBDA_RUNTIME_EXECUTOR=process"""

    name = "process"

    def load(self, *args, **kwargs):
        from postrider_executor import bound, polling, thrift
        from postrider_executor.executor import ProcessExecutor

        bound.install()
        polling.install()
        thrift.store_nothing_in_cloudwatch()
        return ProcessExecutor


class LoopbackServerPlugin(RuntimeServerPlugin):
    """GATEWAY_SERVER=loopback"""

    name = "loopback"

    def load(self, *args, **kwargs):
        from postrider_executor import thrift
        from postrider_executor.server import LoopbackServer

        thrift.collect_less_often()
        return LoopbackServer()
