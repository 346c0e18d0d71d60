package handshake

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/time/rate"
)

// perAddress is a listener that keeps at most so many connections from one address
// and closes what is more, before TLS, so that nobody can fill every place and keep
// others waiting (WRD-OPS-07).
type perAddress struct {
	net.Listener
	most    int
	logger  *slog.Logger
	remarks *rate.Limiter // of log lines

	mu   sync.Mutex
	open map[netip.Prefix]int // addresses without a connection are left out
}

// Accept returns the next connection that may be kept.
func (l *perAddress) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := address(c)
		if l.enter(from) {
			return &addressed{Conn: c, leave: sync.OnceFunc(func() { l.leave(from) })}, nil
		}
		c.Close()
		if l.remarks.Allow() {
			l.logger.Warn("too many connections from one address", "event", "connection.refused", "remote", c.RemoteAddr().String())
		}
	}
}

func (l *perAddress) enter(from netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[from] == l.most {
		return false
	}
	l.open[from]++
	return true
}

func (l *perAddress) leave(from netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[from]--
	if l.open[from] == 0 {
		delete(l.open, from)
	}
}

// address is what counts as one address: of IPv6 a /64, of which a machine may have
// every address at once.
func address(c net.Conn) netip.Prefix {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap()
	return netip.PrefixFrom(ip, min(ip.BitLen(), 64)).Masked()
}

// addressed is a connection that is counted until it is closed.
type addressed struct {
	net.Conn
	leave func()
}

// Close closes the connection and gives its place back.
func (c *addressed) Close() error {
	err := c.Conn.Close()
	c.leave()
	return err
}
