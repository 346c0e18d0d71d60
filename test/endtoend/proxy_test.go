package endtoend_test

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// proxy stands between the provider and the simulator and fails as a network does.
// It knows TLS 1.2 records, so that it can count what the question is made of.
type proxy struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu   sync.Mutex
	cut  cut
	met  bool // it came to the cut
	open map[net.Conn]bool
}

// cut says after how many bytes of the record with the question, or of the reply,
// the connection fails, and how. Negative is never.
type cut struct {
	question, reply int
	how             string // reset, close or stall
}

var uncut = cut{question: -1, reply: -1}

// throughProxy makes the provider reach the simulator through a proxy.
func throughProxy(t *testing.T, w *ward) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: w.Simulator.Addr(), cut: uncut, open: map[net.Conn]bool{}}
	w.spineAt(t, strings.Replace(w.SpineURL(), p.target, listener.Addr().String(), 1))
	p.running.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.carry(near) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		p.hangUp(false)
		p.running.Wait()
	})
	return p
}

// next sets how connections fail from now on, and reports whether it came to the failure
// that was set before.
func (p *proxy) next(c cut) (met bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	met = p.met
	p.cut, p.met = c, false
	return met
}

// hangUp ends all connections, as a peer does that has seen them idle for too long.
func (p *proxy) hangUp(reset bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		if reset {
			c.(*net.TCPConn).SetLinger(0)
		}
		c.Close()
	}
}

func (p *proxy) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open)
}

func (p *proxy) track(c net.Conn, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if on {
		p.open[c] = true
		return
	}
	delete(p.open, c)
}

func (p *proxy) carry(near net.Conn) {
	far, err := net.Dial("tcp", p.target)
	if err != nil {
		near.Close()
		return
	}
	p.track(near, true)
	p.track(far, true)
	end := func() { near.Close(); far.Close() }
	var both sync.WaitGroup
	both.Go(func() {
		p.copy(far, near, func(c cut) int { return c.question }, end)
		end()
	})
	both.Go(func() {
		p.copy(near, far, func(c cut) int { return c.reply }, end)
		end()
	})
	both.Wait()
	p.track(near, false)
	p.track(far, false)
}

// copy carries records until one fails by plan.
func (p *proxy) copy(to, from net.Conn, limit func(cut) int, end func()) {
	for {
		var head [5]byte
		_, err := io.ReadFull(from, head[:])
		if err != nil {
			return
		}
		record := append(head[:], make([]byte, binary.BigEndian.Uint16(head[3:]))...)
		_, err = io.ReadFull(from, record[5:])
		if err != nil {
			return
		}
		const applicationData = 23
		p.mu.Lock()
		plan := p.cut
		room := limit(plan)
		cut := head[0] == applicationData && room >= 0
		p.met = p.met || cut
		p.mu.Unlock()
		if cut {
			to.Write(record[:min(room, len(record))])
			fail(plan.how, to, from, end)
			return
		}
		_, err = to.Write(record)
		if err != nil {
			return
		}
	}
}

func fail(how string, to, from net.Conn, end func()) {
	switch how {
	case "stall":
		io.Copy(io.Discard, from) // until the provider gives up
	case "reset":
		to.(*net.TCPConn).SetLinger(0)
		from.(*net.TCPConn).SetLinger(0)
	}
	end()
}
