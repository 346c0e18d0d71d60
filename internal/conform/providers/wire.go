package providers

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// message is a request as bytes.
type message struct {
	head, body string // as they go over the wire
	content    string // the XML in the body
	expect     bool   // the body waits for "100 Continue"
}

// takesGzip reports whether the reply may be compressed.
func (m message) takesGzip() bool { return strings.Contains(m.head, "Accept-Encoding: gzip") }

// received is an HTTP response with its body.
type received struct {
	status  int
	fields  http.Header
	content string
	closing bool // the other side will close the connection
}

// maxReply bounds what is read of one response.
const maxReply = 4 << 20

// errUnreachable means that there was not even a connection.
var errUnreachable = errors.New("no connection could be made")

// write renders a draft.
func (d *draft) write(endpoint *url.URL, s slots) (message, error) {
	body, err := d.body(s)
	if err != nil {
		return message{}, err
	}
	h := d.http
	target := h.target
	if target == "" {
		target = endpoint.RequestURI()
	}
	lines := []string{h.method + " " + target + " " + h.version}
	if !h.noHost {
		lines = append(lines, "Host: "+endpoint.Host)
	}
	if h.contentType != "" {
		lines = append(lines, "Content-Type: "+h.contentType)
	}
	if h.soapAction != "" {
		lines = append(lines, h.soapAction)
	}
	lines = append(lines, h.fields...)
	m := message{body: string(body), content: string(body), expect: h.expect}
	switch {
	case h.chunked:
		lines = append(lines, "Transfer-Encoding: chunked")
		m.body = chunks(m.body)
	case h.length != "":
		lines = append(lines, "Content-Length: "+h.length)
	default:
		lines = append(lines, "Content-Length: "+strconv.Itoa(len(m.body)))
	}
	if h.expect {
		lines = append(lines, "Expect: 100-continue")
	}
	if h.withhold {
		m.body = ""
	}
	m.head = strings.Join(lines, "\r\n") + "\r\n\r\n"
	return m, nil
}

// chunks writes a body in pieces of 1,000 bytes.
func chunks(body string) string {
	var b strings.Builder
	for len(body) > 0 {
		piece := body[:min(1000, len(body))]
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(piece), piece)
		body = body[len(piece):]
	}
	return b.String() + "0\r\n\r\n"
}

// line is a connection of which every byte is written and read here.
type line struct {
	conn   *tls.Conn
	reader *bufio.Reader
}

// dial connects as the tester, or as tlsChange makes of it.
func (s Settings) dial(ctx context.Context, endpoint *url.URL, tlsChange func(*tls.Config)) (*line, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	port := endpoint.Port()
	if port == "" {
		port = "443"
	}
	var dialer net.Dialer
	network, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(endpoint.Hostname(), port))
	if err != nil {
		return nil, errUnreachable
	}
	config := s.TLS.Clone()
	if config.ServerName == "" {
		config.ServerName = endpoint.Hostname()
	}
	if tlsChange != nil {
		tlsChange(config)
	}
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if slices.ContainsFunc(state.PeerCertificates[0].DNSNames, isNHS) {
			return errNHS
		}
		return nil
	}
	conn := tls.Client(network, config)
	err = conn.HandshakeContext(ctx)
	if err != nil {
		network.Close()
		return nil, err
	}
	return &line{conn: conn, reader: bufio.NewReader(conn)}, nil
}

// exchange writes one message and reads what comes back.
func (l *line) exchange(m message, timeout time.Duration) (received, error) {
	err := l.conn.SetDeadline(time.Now().Add(timeout))
	if err != nil {
		return received{}, err
	}
	text := m.head
	if !m.expect {
		text += m.body
	}
	// What refuses a message may answer before it has read all of it.
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = io.WriteString(l.conn, text)
	}()
	answer, err := l.read(m)
	if err != nil {
		l.conn.Close()
	}
	<-written
	return answer, err
}

func (l *line) read(m message) (received, error) {
	response, err := http.ReadResponse(l.reader, &http.Request{Method: strings.SplitN(m.head, " ", 2)[0]})
	if err == nil && response.StatusCode == http.StatusContinue && m.expect {
		_, err = io.WriteString(l.conn, m.body)
		if err == nil {
			response, err = http.ReadResponse(l.reader, nil)
		}
	}
	if err != nil {
		return received{}, err
	}
	defer response.Body.Close()
	var content io.Reader = response.Body
	if m.takesGzip() && response.Header.Get("Content-Encoding") == "gzip" {
		content, err = gzip.NewReader(response.Body)
		if err != nil {
			return received{}, err
		}
	}
	body, err := io.ReadAll(io.LimitReader(content, maxReply))
	if err != nil {
		return received{}, err
	}
	return received{status: response.StatusCode, fields: response.Header, content: string(body), closing: response.Close}, nil
}

func (l *line) close() { l.conn.Close() }
