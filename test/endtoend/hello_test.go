package endtoend_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/stage"
)

// Types of TLS records, and alerts.
const (
	alertRecord     = 21
	handshakeRecord = 22

	unexpectedMessage     = 10
	handshakeFailure      = 40
	decodeError           = 50
	protocolVersion       = 70
	inappropriateFallback = 86
)

// hello is a ClientHello as nobody's library would write it.
type hello struct {
	version    uint16
	suites     []uint16
	extensions []byte
}

// message is the handshake message, without the record around it.
func (h hello) message() []byte {
	body := binary.BigEndian.AppendUint16(nil, h.version)
	body = append(body, bytes.Repeat([]byte{7}, 32)...) // random
	body = append(body, 0)                              // no session
	body = binary.BigEndian.AppendUint16(body, uint16(2*len(h.suites)))
	for _, suite := range h.suites {
		body = binary.BigEndian.AppendUint16(body, suite)
	}
	body = append(body, 1, 0) // no compression
	extensions := append(extension(10, 0, 4, 0, 23, 0, 29), extension(13, 0, 4, 4, 3, 8, 4)...)
	extensions = append(extensions, h.extensions...)
	body = binary.BigEndian.AppendUint16(body, uint16(len(extensions)))
	body = append(body, extensions...)
	return append([]byte{1, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
}

func (h hello) record() []byte {
	message := h.message()
	return append([]byte{handshakeRecord, 3, 1, byte(len(message) >> 8), byte(len(message))}, message...)
}

func extension(kind uint16, content ...byte) []byte {
	e := binary.BigEndian.AppendUint16(nil, kind)
	e = binary.BigEndian.AppendUint16(e, uint16(len(content)))
	return append(e, content...)
}

// serverName is the extension of names, each of its kind, 0 for a host.
func serverName(names ...string) []byte {
	var list []byte
	for _, name := range names {
		list = append(list, 0)
		list = binary.BigEndian.AppendUint16(list, uint16(len(name)))
		list = append(list, name...)
	}
	return extension(0, append(binary.BigEndian.AppendUint16(nil, uint16(len(list))), list...)...)
}

// tell opens a connection, sends bytes, and returns all that comes until it is closed
// by the other side.
func (w *ward) tell(t *testing.T, content []byte) []byte {
	t.Helper()
	c := w.raw(t)
	c.Write(content)
	return untilClosed(t, c)
}

func (w *ward) raw(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", w.Address, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

func untilClosed(t *testing.T, c net.Conn) []byte {
	t.Helper()
	came, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection was not closed")
	}
	return came
}

// WRD-IAM-06, WRD-SEC-04: openings that no library would send get an alert at best,
// and the end of the connection.
func TestHellosThatAreRefused(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{})
	soon := start(t, stage.Options{Limits: `header_timeout = "2s"`}) // for what no alert need answer
	const good = tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
	cases := map[string]struct {
		hello hello
		alert byte
	}{
		"SSL 3.0":                       {hello{version: 0x0300, suites: []uint16{good}}, protocolVersion},
		"TLS 1.0":                       {hello{version: 0x0301, suites: []uint16{good}}, protocolVersion},
		"TLS 1.1":                       {hello{version: 0x0302, suites: []uint16{good}}, protocolVersion},
		"a downgrade (RFC 7507)":        {hello{version: 0x0303, suites: []uint16{good, tls.TLS_FALLBACK_SCSV}}, inappropriateFallback},
		"no encryption":                 {hello{version: 0x0303, suites: []uint16{0x0001, 0x0002, 0x003b, 0xc006, 0xc010}}, handshakeFailure},
		"export grade":                  {hello{version: 0x0303, suites: []uint16{0x0003, 0x0006, 0x0008, 0x0014}}, handshakeFailure},
		"nobody's certificate":          {hello{version: 0x0303, suites: []uint16{0x0018, 0x0034, 0x00a6, 0xc018}}, handshakeFailure},
		"RC4 and 3DES":                  {hello{version: 0x0303, suites: []uint16{0x0004, 0x0005, 0x000a, 0xc007, 0xc008}}, handshakeFailure},
		"CBC":                           {hello{version: 0x0303, suites: []uint16{0xc009, 0xc00a, 0xc023, 0xc024}}, handshakeFailure},
		"no forward secrecy":            {hello{version: 0x0303, suites: []uint16{0x009c, 0x009d, 0x002f}}, handshakeFailure},
		"two names":                     {hello{version: 0x0303, suites: []uint16{good}, extensions: serverName("a.invalid", "b.invalid")}, decodeError},
		"an empty name":                 {hello{version: 0x0303, suites: []uint16{good}, extensions: serverName("")}, decodeError},
		"an extension longer than told": {hello{version: 0x0303, suites: []uint16{good}, extensions: []byte{0, 0, 0, 9, 0}}, decodeError},
		"an extension twice":            {hello{version: 0x0303, suites: []uint16{good}, extensions: bytes.Repeat(extension(23), 2)}, decodeError},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			came := w.tell(t, c.hello.record())
			if len(came) != 7 || came[0] != alertRecord || came[5] != 2 || came[6] != c.alert {
				t.Errorf("answered % x, want the fatal alert %d alone", came, c.alert)
			}
		})
	}
	for name, content := range map[string]string{
		"HTTP":            whole(w.message(t, withPlan)),
		"XML":             string(w.message(t, withPlan)),
		"SSL 2.0":         "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + strings.Repeat("\x01", 37),
		"zeros":           strings.Repeat("\x00", 64),
		"a huge record":   "\x16\x03\x01\xff\xff" + strings.Repeat("\x01", 65535),
		"a huge message":  "\x16\x03\x01\x00\x04\x01\xff\xff\xff" + strings.Repeat("\x16\x03\x01\x00\x01\x00", 64),
		"data, not hello": "\x17\x03\x03\x00\x05hello",
	} {
		t.Run(name, func(t *testing.T) {
			came := soon.tell(t, []byte(content))
			if bytes.Contains(came, []byte("HTTP")) || len(came) > 7 || len(came) > 0 && came[0] != alertRecord {
				t.Errorf("answered %q", came)
			}
		})
	}
	for _, w := range []*ward{w, soon} {
		w.nothingAsked(t)
		if n := kinds(w.entries(t))[audit.Refused]; n != 0 {
			t.Errorf("%d audit entries about what named nobody", n)
		}
	}
	r := w.ask(t, w.client(t), withPlan)
	if r.Answer.Outcome() != cpis.Found {
		t.Errorf("afterwards: %s, %v", r.Answer.Outcome(), r.Cause)
	}
}

// WRD-SEC-06: a handshake that stalls is cut off and gives its place back, at
// whatever point it stalls.
func TestStalledHandshakesAreCutOff(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{Limits: "header_timeout = \"1s\"\nconnections = 2"})
	opening := hello{version: 0x0303, suites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}.record()
	for name, content := range map[string][]byte{
		"nothing is sent":      nil,
		"one byte":             opening[:1],
		"half a hello":         opening[:len(opening)/2],
		"a hello, and no more": opening,
	} {
		t.Run(name, func(t *testing.T) {
			before := len(w.log.of(t, "connection.refused"))
			var both [2]net.Conn
			for i := range both { // every place there is
				both[i] = w.raw(t)
				both[i].Write(content)
			}
			await(t, "a place is free, and a handshake done in time", func() bool {
				c, err := w.tryDial(w.tls)
				if err == nil {
					c.Close()
				}
				return err == nil
			})
			for _, c := range both {
				untilClosed(t, c)
			}
			await(t, "log lines", func() bool { return len(w.log.of(t, "connection.refused")) >= before+2 })
			if reason := w.log.of(t, "connection.refused")[before]["reason"]; reason != "the handshake was not completed in time" {
				t.Errorf("logged %q", reason)
			}
		})
	}
	w.nothingAsked(t)
}

// WRD-OPS-12: handshakes under way do not hold up a stop.
func TestStopDuringHandshakes(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{Limits: `header_timeout = "1h"`})
	stalled := w.raw(t)
	w.dial(t, w.tls).Close() // by now the first one is waited for
	w.stop(t)
	untilClosed(t, stalled)
}

// Connections that end before, within and after the handshake, thousands of them,
// leave nothing behind.
func TestThousandsOfHandshakesLeaveNothingBehind(t *testing.T) {
	// Not in parallel: it counts what the whole process holds.
	visits := 2000
	if testing.Short() {
		visits = 400
	}
	w := start(t, stage.Options{})
	without := w.with(func(c *tls.Config) { c.Certificates = nil })
	opening := hello{version: 0x0303, suites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}.record()
	visit := func(kind int) {
		switch kind % 4 {
		case 0:
			c, err := w.tryDial(w.tls)
			if err != nil {
				t.Error(err)
				return
			}
			c.Close()
		case 1:
			c, err := w.tryDial(without)
			if err == nil {
				c.Close()
			}
		default:
			c, err := net.DialTimeout("tcp", w.Address, patience)
			if err != nil {
				t.Error(err)
				return
			}
			c.Write(opening[:kind%len(opening)])
			if kind%4 == 2 {
				c.(*net.TCPConn).SetLinger(0)
			}
			c.Close()
		}
	}
	for kind := range 64 { // what is made once is made
		visit(kind)
	}
	await(t, "the server is idle", func() bool { return runtime.NumGoroutine() < 100 })
	goroutines, files, heap := runtime.NumGoroutine(), openFiles(t), heapInUse()
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range visits / 8 {
				visit(worker + i)
			}
		})
	}
	all.Wait()
	await(t, "no goroutine and no file more than before", func() bool {
		return runtime.NumGoroutine() <= goroutines+4 && openFiles(t) <= files+4
	})
	if grown := int64(heapInUse()) - int64(heap); grown > 16<<20 {
		t.Errorf("%d bytes more are held after %d connections", grown, visits)
	}
	w.nothingAsked(t)
	r := w.ask(t, w.client(t), withPlan)
	if r.Answer.Outcome() != cpis.Found {
		t.Errorf("afterwards: %s, %v", r.Answer.Outcome(), r.Cause)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// WRD-IAM-06: a client that asks to negotiate again within a connection is not heard.
// No library does that, so that the record is encrypted here.
func TestRenegotiationIsRefused(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{})
	const suite = tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
	var keys bytes.Buffer
	network := &recorded{Conn: w.raw(t)}
	c := tls.Client(network, w.with(func(c *tls.Config) {
		c.MaxVersion, c.CipherSuites, c.KeyLogWriter = tls.VersionTLS12, []uint16{suite}, &keys
	}))
	err := c.Handshake()
	if err != nil {
		t.Fatal(err)
	}
	serverRandom := network.came[11:43] // after the headers of record and message, and the version
	line := strings.Fields(keys.String())
	if len(line) != 3 || line[0] != "CLIENT_RANDOM" || c.ConnectionState().CipherSuite != suite {
		t.Fatalf("key log %q", line)
	}
	clientRandom, err := hex.DecodeString(line[1])
	if err != nil {
		t.Fatal(err)
	}
	master, err := hex.DecodeString(line[2])
	if err != nil {
		t.Fatal(err)
	}
	block := prf(master, "key expansion", append(bytes.Clone(serverRandom), clientRandom...), 40)
	again := hello{version: 0x0303, suites: []uint16{suite}}.message()
	network.Conn.Write(sealed(t, block[:16], block[32:36], again))
	came := untilClosed(t, network.Conn)
	if len(came) < 31 || came[0] != alertRecord {
		t.Fatalf("answered % x", came)
	}
	alert := opened(t, block[16:32], block[36:40], came[:31])
	if alert[0] != 2 || alert[1] != unexpectedMessage {
		t.Errorf("the alert is %v, want the fatal %d", alert, unexpectedMessage)
	}
	w.nothingAsked(t)
}

// recorded is a connection that keeps what came.
type recorded struct {
	net.Conn
	came []byte
}

func (r *recorded) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.came = append(r.came, b[:n]...)
	return n, err
}

// prf is that of TLS 1.2 with SHA-256 (RFC 5246, section 5).
func prf(secret []byte, label string, seed []byte, length int) []byte {
	hash := func(content ...[]byte) []byte {
		h := hmac.New(sha256.New, secret)
		for _, c := range content {
			h.Write(c)
		}
		return h.Sum(nil)
	}
	seed = append([]byte(label), seed...)
	var out []byte
	for a := hash(seed); len(out) < length; a = hash(a) {
		out = append(out, hash(a, seed)...)
	}
	return out[:length]
}

// sealed is the second handshake record of a client with AES-GCM (RFC 5288); the
// first was its Finished.
func sealed(t *testing.T, key, salt, message []byte) []byte {
	t.Helper()
	nonce, additional := second(salt, handshakeRecord, len(message))
	content := gcm(t, key).Seal(bytes.Clone(nonce[4:]), nonce, message, additional)
	record := []byte{handshakeRecord, 3, 3, byte(len(content) >> 8), byte(len(content))}
	return append(record, content...)
}

// opened is the alert in a server's second record.
func opened(t *testing.T, key, salt, record []byte) []byte {
	t.Helper()
	_, additional := second(salt, alertRecord, 2)
	nonce := append(bytes.Clone(salt), record[5:13]...)
	alert, err := gcm(t, key).Open(nil, nonce, record[13:], additional)
	if err != nil {
		t.Fatalf("the alert cannot be read: %v", err)
	}
	return alert
}

// second is what the second record of a side is encrypted with.
func second(salt []byte, kind byte, length int) (nonce, additional []byte) {
	sequence := binary.BigEndian.AppendUint64(nil, 1)
	additional = append(bytes.Clone(sequence), kind, 3, 3, byte(length>>8), byte(length))
	return append(bytes.Clone(salt), sequence...), additional
}

func gcm(t *testing.T, key []byte) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}
