//go:build linux

package pgtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
)

// Message is one of the protocol on its way through a Proxy.
type Message struct {
	Connection int  // number of the connection, from 1
	FromClient bool // or from the server
	Type       byte // 0 of the first one of a client
	Size       int  // bytes
	Before     int  // bytes that this side has sent on this connection before it
}

// Whole lets all of a message pass.
const Whole = -1

// Proxy stands before a server, on a TCP port, and cuts connections as it is told.
type Proxy struct {
	server   *Server
	listener net.Listener
	allow    atomic.Pointer[func(Message) int]
	running  sync.WaitGroup

	mu    sync.Mutex
	made  int
	conns map[int]*proxied
}

type proxied struct{ client, server net.Conn }

// cut ends both sides at once. The client sees that its connection was reset.
func (p *proxied) cut() {
	tcp, ok := p.client.(*net.TCPConn)
	if ok {
		tcp.SetLinger(0)
	}
	p.client.Close()
	p.server.Close()
}

// Proxy starts a proxy. Close must follow.
func (s *Server) Proxy() (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{server: s, listener: listener, conns: map[int]*proxied{}}
	p.running.Go(p.accept)
	return p, nil
}

// URL is the connection URL through the proxy for one of the server.
func (p *Proxy) URL(direct string) (string, error) {
	u, err := url.Parse(direct)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", p.listener.Addr(), strings.TrimPrefix(u.Path, "/")), nil
}

// Allow sets what decides how many bytes of a message pass before its connection is
// cut, Whole if it is not. With nil all pass.
func (p *Proxy) Allow(decide func(Message) int) {
	if decide == nil {
		p.allow.Store(nil)
		return
	}
	p.allow.Store(&decide)
}

// Cut cuts the connections that are open now, of which it returns the number.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		conn.cut()
	}
	return len(p.conns)
}

// Close cuts all connections and ends the proxy.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.Cut()
	p.running.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", p.server.Socket())
		if err != nil {
			client.Close()
			continue
		}
		conn := &proxied{client, server}
		p.mu.Lock()
		p.made++
		number := p.made
		p.conns[number] = conn
		p.mu.Unlock()
		p.running.Go(func() {
			var both sync.WaitGroup
			both.Go(func() { p.pass(conn, number, true) })
			both.Go(func() { p.pass(conn, number, false) })
			both.Wait()
			p.mu.Lock()
			delete(p.conns, number)
			p.mu.Unlock()
		})
	}
}

// pass passes the messages of one side on until the connection ends.
func (p *Proxy) pass(conn *proxied, number int, fromClient bool) {
	defer conn.cut()
	from, to := conn.server, conn.client
	if fromClient {
		from, to = to, from
	}
	m := Message{Connection: number, FromClient: fromClient}
	for first := fromClient; ; first = false {
		message, err := readMessage(from, first)
		if err != nil {
			if errors.Is(err, io.EOF) && !fromClient {
				conn.client.Close() // the server has said all
			}
			return
		}
		m.Type, m.Size = message[0], len(message)
		if first {
			m.Type = 0
		}
		passed := Whole
		decide := p.allow.Load()
		if decide != nil {
			passed = (*decide)(m)
		}
		if passed != Whole {
			to.Write(message[:min(passed, len(message))])
			return
		}
		_, err = to.Write(message)
		if err != nil {
			return
		}
		m.Before += len(message)
	}
}

// readMessage reads a message: its type, unless it is the first of a client, its
// length, and its content.
func readMessage(from io.Reader, first bool) ([]byte, error) {
	head := 5
	if first {
		head = 4
	}
	message := make([]byte, head)
	_, err := io.ReadFull(from, message)
	if err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint32(message[head-4:])) - 4
	if length < 0 || length > 1<<28 {
		return nil, errors.New("not a message of the protocol")
	}
	message = append(message, make([]byte, length)...)
	_, err = io.ReadFull(from, message[head:])
	return message, err
}
