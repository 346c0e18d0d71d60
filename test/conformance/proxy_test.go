package conformance_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/testpki"
)

// passage is a message and its reply on their way through the proxy. A breakage
// changes what it likes of them.
type passage struct {
	ward    *ward
	request string // body
	status  int
	fields  http.Header
	reply   string // body
}

// breakage is what makes a provider a broken one.
type breakage struct{ request, reply func(*passage) } // nil for nothing

// proxy stands before Ward, ends TLS on both sides, and hands on every byte as it came
// unless it is broken. It is a broken provider for whoever stands before it.
type proxy struct {
	ward     *ward
	address  string
	listener net.Listener
	handlers sync.WaitGroup

	mu     sync.Mutex
	broken breakage
}

func newProxy(t *testing.T, w *ward) *proxy {
	t.Helper()
	pair, err := w.Authority.Issue(testpki.Request{
		CommonName: "smsp.example.invalid", DNSNames: []string{"smsp.example.invalid"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Server: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{pair.TLSCertificate()}, MinVersion: tls.VersionTLS12,
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: w.Authority.Pool(),
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ward: w, address: listener.Addr().String(), listener: listener}
	p.handlers.Go(p.accept)
	t.Cleanup(func() {
		listener.Close()
		p.handlers.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.handlers.Go(func() {
			defer conn.Close()
			_ = p.serve(conn)
		})
	}
}

// patience bounds the wait for one request and its response.
const patience = time.Minute

// breakWith makes the proxy broken until it is called again.
func (p *proxy) breakWith(b breakage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = b
}

func (p *proxy) breakage() breakage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.broken
}

// tape is a reader that keeps what was read.
type tape struct {
	*bufio.Reader
	raw bytes.Buffer
}

func record(r io.Reader) *tape {
	t := &tape{}
	t.Reader = bufio.NewReader(io.TeeReader(r, &t.raw))
	return t
}

func (p *proxy) serve(conn net.Conn) error {
	upstream, err := tls.Dial("tcp", p.ward.Address, p.ward.settings.TLS)
	if err != nil {
		return err
	}
	defer upstream.Close()
	client, server := record(conn), record(upstream)
	for {
		_ = conn.SetDeadline(time.Now().Add(patience))
		_ = upstream.SetDeadline(time.Now().Add(patience))
		x := &passage{ward: p.ward}
		toWard, err := p.fromClient(client, x)
		if errors.Is(err, errAsItCame) {
			return p.join(conn, upstream, toWard)
		}
		if err != nil {
			return err
		}
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			_, _ = io.WriteString(upstream, toWard)
		}()
		toClient, last, err := p.fromWard(server, x)
		if err == nil {
			_, err = io.WriteString(conn, toClient)
		}
		if err != nil || last {
			upstream.Close()
			<-sent
			return err
		}
		<-sent
	}
}

// join hands on whatever else comes, in both directions, until either side ends.
func (p *proxy) join(conn, upstream net.Conn, already string) error {
	p.handlers.Go(func() {
		_, _ = io.Copy(upstream, io.MultiReader(strings.NewReader(already), conn))
		upstream.Close()
	})
	_, err := io.Copy(conn, upstream)
	conn.Close()
	return err
}

// errAsItCame is for requests of a kind that a reader of requests would change, or
// wait for in vain.
var errAsItCame = errors.New("the request is handed on as it came")

// fromClient reads a request and returns what Ward gets: every byte as it came, unless
// a breakage changes the body.
func (p *proxy) fromClient(client *tape, x *passage) (string, error) {
	client.raw.Reset()
	request, err := http.ReadRequest(client.Reader)
	if errors.Is(err, io.EOF) {
		return "", err
	}
	if err != nil || request.Header.Get("Expect") != "" || request.ContentLength > 1<<20 {
		return client.raw.String(), errAsItCame
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return "", err
	}
	raw := client.raw.String()
	x.request = string(body)
	change := p.breakage().request
	if change == nil || request.ContentLength < 0 {
		return raw, nil
	}
	change(x)
	if x.request == string(body) {
		return raw, nil
	}
	head, _, _ := strings.Cut(raw, "\r\n\r\n")
	return contentLength.ReplaceAllString(head, fmt.Sprintf("Content-Length: %d", len(x.request))) + "\r\n\r\n" + x.request, nil
}

var contentLength = regexp.MustCompile(`Content-Length: \d+`)

// fromWard reads a response and returns what the client gets, in the same way, and
// whether it is the last one of the connection.
func (p *proxy) fromWard(server *tape, x *passage) (toClient string, last bool, err error) {
	server.raw.Reset()
	response, err := http.ReadResponse(server.Reader, nil)
	if err != nil {
		return "", true, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", true, err
	}
	change := p.breakage().reply
	if change == nil || len(body) == 0 {
		return server.raw.String(), response.Close, nil
	}
	x.status, x.fields, x.reply = response.StatusCode, response.Header, string(body)
	change(x)
	var b strings.Builder
	x.fields.Set("Content-Length", fmt.Sprint(len(x.reply)))
	fmt.Fprintf(&b, "HTTP/1.1 %d x\r\n", x.status)
	_ = x.fields.Write(&b)
	return b.String() + "\r\n" + x.reply, response.Close, nil
}
