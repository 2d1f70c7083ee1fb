package provider

import (
	"context"
	"crypto/x509"
	"net"
	"time"

	"postrider/internal/mailing"
)

// MaxAnswer is how many bytes of an answer are read.
const MaxAnswer = maxAnswer

// SetDial replaces how connections are made, below the layer that watches them.
func (c *Client) SetDial(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	c.transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		raw, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &conn{Conn: raw}, nil
	}
}

// SetRoots replaces the certificate authorities that are trusted.
func (c *Client) SetRoots(roots *x509.CertPool) { c.transport.TLSClientConfig.RootCAs = roots }

// SetHandshakeTimeout changes how long a TLS handshake may take.
func (c *Client) SetHandshakeTimeout(d time.Duration) { c.transport.TLSHandshakeTimeout = d }

// SetTimeout changes the timeout between calls.
func (c *Client) SetTimeout(d time.Duration) { c.timeout = d }

// Proxied reports whether a proxy may be used.
func (c *Client) Proxied() bool { return c.transport.Proxy != nil }

// FitsOneWrite reports whether a hand-over with 4 KiB of headers fits into one write.
func FitsOneWrite(h mailing.Handover) bool {
	body, ok := encode(h)
	return ok && len(body)+4<<10 <= writeBuffer
}
