package endtoend_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience bounds every wait for what must come.
const patience = time.Minute

// conn is a connection of which a test writes and reads every byte.
type conn struct {
	*tls.Conn
	reader *bufio.Reader
}

func (w *ward) dial(t *testing.T, as *tls.Config) *conn {
	t.Helper()
	c, err := w.tryDial(as)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (w *ward) tryDial(as *tls.Config) (*conn, error) {
	network, err := net.DialTimeout("tcp", w.Address, patience)
	if err != nil {
		return nil, err
	}
	c := tls.Client(network, as)
	c.SetDeadline(time.Now().Add(patience))
	err = c.Handshake()
	if err != nil {
		network.Close()
		return nil, err
	}
	return &conn{Conn: c, reader: bufio.NewReader(c)}, nil
}

func (c *conn) send(t *testing.T, text string) {
	t.Helper()
	_, err := io.WriteString(c, text)
	if err != nil {
		t.Fatal(err)
	}
}

// answer is an HTTP response with its body read.
type answer struct {
	*http.Response
	body string
}

func (c *conn) read(t *testing.T) answer {
	t.Helper()
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		t.Fatalf("no HTTP response: %v", err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("the response is not whole: %v", err)
	}
	return answer{response, string(body)}
}

// ends reports whether the other side has ended the connection, without another byte.
func (c *conn) ends(t *testing.T) bool {
	t.Helper()
	n, err := c.reader.Read(make([]byte, 1))
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return false
	}
	return n == 0 && err != nil
}

// post is an HTTP/1.1 request with a header of the usual kind and a body of this
// length to come.
func post(length int, more ...string) string {
	return head("POST /smsp/cpis HTTP/1.1", append([]string{"Content-Type: text/xml", "Content-Length: " + strconv.Itoa(length)}, more...)...)
}

func head(line string, fields ...string) string {
	return line + "\r\nHost: smsp.example.invalid\r\n" + strings.Join(append(fields, "", ""), "\r\n")
}

// whole is a request with its body.
func whole(message []byte) string { return post(len(message)) + string(message) }
