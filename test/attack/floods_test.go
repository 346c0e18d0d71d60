package attack_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// places is how many connections a flood takes: in the table all but the good client's.
const places = 15

// elsewhere is another address of this machine.
const elsewhere = "127.0.0.2"

// floods is connections that are opened to be kept from others, from any addresses
// (WRD-OPS-19).
func floods() []attack {
	waits := want{asked: 1, note: "another connection waits until one of them ends; those that were open before are served"}
	return []attack{
		{name: "a question, then nothing", want: want{asked: 1, alone: true, note: "200; connection closed after the idle time"}, does: (*attacker).idles},
		{name: "as many connections as there are places, without a handshake", want: waits, does: func(a *attacker) (*conn, error) {
			return nil, a.fill(func() (io.Closer, error) { return a.connect() }, a.waits)
		}},
		{name: "the same, with a handshake", want: waits, does: func(a *attacker) (*conn, error) {
			return nil, a.fill(func() (io.Closer, error) { return a.dial() }, a.waits)
		}},
		{name: "the same, by a stranger", want: waits, does: func(a *attacker) (*conn, error) {
			return nil, a.fill(func() (io.Closer, error) { return a.as(a.stranger).dial() }, a.waits)
		}},
	}
}

// idles asks a question and then nothing, until the connection is closed. The good
// client's own connection is kept busy, lest it be closed as well.
func (a *attacker) idles() (*conn, error) {
	c, err := a.say(post(a.message()))
	if err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- answeredAndClosed().judge(c, a) }()
	for {
		select {
		case err = <-ended:
			return nil, err
		case <-time.After(100 * time.Millisecond):
		}
		err = a.good()
		if err != nil {
			return nil, err
		}
	}
}

// hoards is the same from one address (WRD-OPS-07).
func hoards() []attack {
	return []attack{
		{name: "as many connections as one address may have, and another", does: func(a *attacker) (*conn, error) {
			return nil, a.fill(func() (io.Closer, error) { return a.connect() }, a.isClosed)
		}, want: want{asked: 1, alone: true, note: "the other is closed at once; connections from elsewhere are served"}},
	}
}

// fill takes every place. Connections that were open before are served meanwhile.
// Then it looks what becomes of one more, and hands over how to make a place free.
func (a *attacker) fill(open func() (io.Closer, error), further func(free func()) error) error {
	var all []io.Closer
	free := func() {
		for _, c := range all {
			c.Close()
		}
	}
	defer free()
	for range places {
		c, err := open()
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	err := a.good()
	if err != nil || a.crowded {
		return err
	}
	return further(free)
}

// waits has one more connection wait for a place, and be served in it.
func (a *attacker) waits(free func()) error {
	served := make(chan error, 1)
	go func() { served <- a.asks() }()
	err := a.good()
	if err != nil {
		return fmt.Errorf("while another waits: %w", err)
	}
	select {
	case <-served:
		return errors.New("there was a place too many")
	default:
	}
	free()
	return <-served
}

// isClosed has one more connection closed at once, and served from elsewhere.
func (a *attacker) isClosed(func()) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	n, err := c.Read(make([]byte, 1))
	if n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("the connection was not closed")
	}
	other := *a
	other.from = &net.TCPAddr{IP: net.ParseIP(elsewhere)}
	return other.asks()
}

// asks asks on a connection of its own.
func (a *attacker) asks() error {
	c, err := a.say(post(a.message(), "Connection: close"))
	if err != nil {
		return err
	}
	return answeredAndClosed().judge(c, a)
}
