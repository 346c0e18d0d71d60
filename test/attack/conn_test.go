package attack_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience bounds every wait for something that must happen.
const patience = 30 * time.Second

// conn is a connection of which an attacker writes and reads every byte.
type conn struct {
	*tls.Conn
	network *net.TCPConn
	reader  *bufio.Reader
}

// connect opens a TCP connection.
func (a *attacker) connect() (*net.TCPConn, error) {
	dialer := net.Dialer{Timeout: patience, LocalAddr: a.from}
	c, err := dialer.Dial("tcp", a.address)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn), nil
}

// dial opens a connection and completes the handshake. One that was cut off, since a busy
// machine let its time pass, is begun anew.
func (a *attacker) dial() (*conn, error) {
	for end := time.Now().Add(patience); ; {
		network, err := a.connect()
		if err != nil {
			return nil, err
		}
		c, err := a.handshake(network, network)
		if !cutOff(err) || time.Now().After(end) {
			return c, err
		}
	}
}

// cutOff reports whether the other side ended a connection without a word.
func cutOff(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// handshake speaks TLS over a connection, by way of something that may distort it.
func (a *attacker) handshake(network *net.TCPConn, by net.Conn) (*conn, error) {
	c := tls.Client(by, a.tls)
	err := c.Handshake()
	if err != nil {
		network.Close()
		return nil, err
	}
	return &conn{Conn: c, network: network, reader: bufio.NewReader(c)}, nil
}

// say dials and writes all at once. That not all of it may be taken is no error.
func (a *attacker) say(text string) (*conn, error) {
	c, err := a.dial()
	if err != nil {
		return nil, err
	}
	io.WriteString(c, text)
	return c, nil
}

// reset ends the connection with a TCP reset.
func (c *conn) reset() { reset(c.network) }

func reset(c *net.TCPConn) {
	c.SetLinger(0)
	c.Close()
}

// closeWrite closes one direction. Under load the other side may have ended the
// connection before.
func closeWrite(c interface{ CloseWrite() error }) error {
	err := c.CloseWrite()
	if errors.Is(err, syscall.ENOTCONN) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	return err
}

// read reads one HTTP response with its body.
func (c *conn) read(method string) (*http.Response, error) {
	response, err := http.ReadResponse(c.reader, &http.Request{Method: method})
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response, err
}

// ended says why the connection has not been ended by the other side, or nil.
func (c *conn) ended() error {
	rest := make([]byte, 60)
	n, err := c.reader.Read(rest)
	if n > 0 {
		return fmt.Errorf("more came after the last answer: %q", rest[:n])
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("the connection was not closed")
	}
	return nil
}

// judge holds what came over the connection against what is wanted, and closes it. A
// refusal for load, which must close the connection, may come in place of an answer
// when the attacker is not alone.
func (w want) judge(c *conn, a *attacker) error {
	defer c.network.Close()
	for i, status := range w.statuses {
		response, err := c.read(w.method)
		if err != nil {
			return fmt.Errorf("answer %d of %v: %w", i+1, w.statuses, err)
		}
		if a.crowded && response.StatusCode == http.StatusServiceUnavailable {
			return c.ended()
		}
		if response.StatusCode != status {
			return fmt.Errorf("answer %d of %v is %s", i+1, w.statuses, response.Status)
		}
	}
	if !w.kept {
		return c.ended()
	}
	// Kept in step: a question on it gets its own answer.
	io.WriteString(c, post(a.message()))
	response, err := c.read("")
	if err != nil {
		return fmt.Errorf("on the kept connection: %w", err)
	}
	if response.StatusCode != http.StatusOK && !(a.crowded && response.StatusCode == http.StatusServiceUnavailable) {
		return fmt.Errorf("on the kept connection: %s", response.Status)
	}
	return nil
}

// String says in the words of the document what becomes of the connection.
func (w want) String() string {
	var said []string
	for _, status := range w.statuses {
		said = append(said, strconv.Itoa(status))
	}
	if len(said) == 0 {
		said = []string{"no answer"}
	}
	switch {
	case w.note != "":
		return w.note
	case w.kept:
		return strings.Join(said, ", ") + "; connection kept"
	default:
		return strings.Join(said, ", ") + "; connection closed"
	}
}

// head is the header of a request, with the usual Host.
func head(line string, fields ...string) string {
	return line + "\r\nHost: smsp.example.invalid\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n"
}

const (
	postLine = "POST /smsp/cpis HTTP/1.1"
	isXML    = "Content-Type: text/xml"
)

func length(n int) string { return "Content-Length: " + strconv.Itoa(n) }

// post is a request that is as it should be, with more fields.
func post(message string, more ...string) string {
	return head(postLine, slices.Concat([]string{isXML, length(len(message))}, more)...) + message
}

// chunked is a request with its body in one chunk, with more fields.
func chunked(message string, more ...string) string {
	return head(postLine, slices.Concat([]string{isXML, "Transfer-Encoding: chunked"}, more)...) + inChunk(message)
}

func inChunk(message string) string {
	return strconv.FormatInt(int64(len(message)), 16) + "\r\n" + message + "\r\n0\r\n\r\n"
}
