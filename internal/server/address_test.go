package server_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// perAddress is how many connections a rig's server takes from one address.
const perAddress = 32

// WRD-OPS-07: whoever takes all the connections that one address may have keeps
// nobody else from theirs.
func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	t.Parallel()
	r := newRigWithin(t, 3*patience) // so that no limit of time closes a connection here
	from := func(address string) (net.Conn, error) {
		d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
		c, err := d.DialContext(context.Background(), "tcp", r.address)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { c.Close() })
		return c, c.SetDeadline(time.Now().Add(patience))
	}
	served := func(c net.Conn, err error) error {
		if err != nil {
			return err
		}
		return tls.Client(c, r.tls).Handshake()
	}
	var taken []net.Conn
	for range perAddress {
		c, err := from("127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, c)
	}
	more, err := from("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	n, err := more.Read(make([]byte, 1))
	if n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a connection too many was not closed: %v", err)
	}
	err = served(from("127.0.0.2"))
	if err != nil {
		t.Errorf("another address: %v", err)
	}
	taken[0].Close()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		err = served(from("127.0.0.1"))
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the place of a connection that ended is not given to another: %v", err)
		}
	}
}
