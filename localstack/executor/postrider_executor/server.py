"""LocalStack's gateway, on the given addresses and on no other.

LocalStack's own server takes the port from GATEWAY_LISTEN but binds IPv4 to every interface: a
laptop in a café would offer its whole stack, with credentials that everybody knows.
"""

from localstack import config
from localstack.aws.serving.twisted import TLSMultiplexerFactory
from localstack.runtime.server.twisted import TwistedRuntimeServer
from rolo.serving.twisted import TwistedGateway
from twisted.internet import endpoints, reactor, ssl


class LoopbackServer(TwistedRuntimeServer):
    def register(self, gateway, listen, ssl_creds=None):
        protocol = TwistedGateway(gateway)
        if ssl_creds:
            certificate, key = ssl_creds
            context = ssl.DefaultOpenSSLContextFactory(key, certificate)
            context.getContext().use_certificate_chain_file(certificate)
            protocol = TLSMultiplexerFactory(context, False, protocol)
        for address in listen:
            ipv6 = config.is_ipv6_address(address.host)
            endpoint = endpoints.TCP6ServerEndpoint if ipv6 else endpoints.TCP4ServerEndpoint
            endpoint(reactor, address.port, interface=address.host).listen(protocol)
