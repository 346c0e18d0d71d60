package atna

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/event"
)

// maxRecent bounds, in bytes, the messages that are kept to be sent again. It is
// more than the socket buffers of both ends take by default, and so more than what
// a collector that goes away can have left unread.
const maxRecent = 8 << 20

// steady is how long a connection must have lasted for the failures before it to
// be forgotten.
const steady = 10 * time.Second

// settle is how long a collector usually takes to refuse a new connection. One that
// takes longer is found out at the end.
const settle = 100 * time.Millisecond

// ErrUnconfirmed says that the collector did not end the connection as TLS asks,
// so that it is not known whether it has read the last messages.
var ErrUnconfirmed = errors.New("audit: the syslog collector did not confirm that it had read to the end; the last entries may not have arrived")

// Options says where a Sender sends to. Roots and Address are required.
type Options struct {
	Address     string           // host:port; the port of syslog over TLS is 6514
	Roots       *x509.CertPool   // of the collector's certificate
	Certificate *tls.Certificate // ours, if the collector asks for one
	ServerName  string           // in the collector's certificate; the host of Address if empty

	Source    event.Source
	Host      string // HOSTNAME of the messages; "-" if empty
	App       string // APP-NAME; "ward" if empty
	MessageID string // MSGID: MessageDICOM if empty
	OmitBOM   bool   // for collectors that take the byte order mark for a part of the XML

	ConnectTimeout time.Duration // for the connection and the handshake; 10 s if 0
	WriteTimeout   time.Duration // for one message, and for the collector's farewell; 10 s if 0
	Attempts       int           // connections that may fail in a row before Send gives up; 5 if 0
	Backoff        time.Duration // before the second attempt, doubled for each further one; 500 ms if 0
	MaxBackoff     time.Duration // 30 s if 0
}

// Sender sends entries to one collector by syslog over TLS 1.2 or later, in the
// order in which they are given to it. There is no other transport. It is not for
// use by several goroutines at once.
//
// Syslog has no acknowledgement: an entry counts as sent when it was written to the
// connection, and the collector may not have read it yet when it, or the network,
// fails. A Sender therefore keeps the messages it wrote last and writes them again
// on the next connection: the collector may get an entry twice, which it can tell
// by the sequence number, and may get a message cut short before it, at the end of
// a connection. [Sender.Resume] says where to go on with another Sender. Only after
// a Close that returns no error has the collector read everything, as far as TLS
// can tell; what it then did with that is not known.
type Sender struct {
	options  Options
	header   header
	tls      *tls.Config
	settle   time.Duration
	conn     *connection // nil if there is none
	failures int         // connections that failed in a row
	recent   []message   // oldest first
	size     int         // of recent, in bytes
	next     int64       // after the newest that was written
}

// message is a frame and the entry it is of.
type message struct {
	seq   int64
	frame []byte
}

// NewSender returns a Sender, which connects when there is something to send.
func NewSender(o Options) (*Sender, error) {
	host, _, err := net.SplitHostPort(o.Address)
	if err != nil {
		return nil, fmt.Errorf("audit: the address of the syslog collector must be a host and a port, such as logs.example.nhs.uk:6514: %w", err)
	}
	if o.Roots == nil {
		return nil, errors.New("audit: name the certificate authority of the syslog collector; its certificate is always checked")
	}
	h, err := newHeader(o)
	if err != nil {
		return nil, err
	}
	o.ConnectTimeout = cmp.Or(o.ConnectTimeout, 10*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 10*time.Second)
	o.Attempts = cmp.Or(o.Attempts, 5)
	o.Backoff = cmp.Or(o.Backoff, 500*time.Millisecond)
	o.MaxBackoff = cmp.Or(o.MaxBackoff, 30*time.Second)
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots, ServerName: cmp.Or(o.ServerName, host)}
	if o.Certificate != nil {
		config.Certificates = []tls.Certificate{*o.Certificate}
	}
	return &Sender{options: o, header: h, tls: config, settle: settle}, nil
}

// Send writes the message of an entry, after those that a connection which failed
// may have lost. It connects if need be, and tries again with growing pauses. If it
// returns an error the entry was not sent, and Resume says from which entry on
// others may not have arrived either; Send may then be called with the same entry.
func (s *Sender) Send(ctx context.Context, r audit.Record) error {
	e, err := event.Of(r, s.options.Source)
	if err != nil {
		return err
	}
	frame, err := s.header.frame(e)
	if err != nil {
		return fmt.Errorf("audit: entry %d cannot be written as XML: %w", r.Seq, err)
	}
	for {
		err = s.try(ctx, frame)
		if err == nil {
			s.remember(message{r.Seq, frame})
			return nil
		}
		s.drop()
		s.failures++
		if s.failures >= s.options.Attempts || ctx.Err() != nil {
			failures := s.failures
			s.failures = 0
			return fmt.Errorf("audit: entry %d was not sent to the syslog collector %s, after %d failures in a row: %w", r.Seq, s.options.Address, failures, err)
		}
		pause(ctx, min(s.options.Backoff<<min(s.failures-1, 20), s.options.MaxBackoff))
	}
}

// Resume returns the sequence number of the first entry that may not have arrived:
// the oldest of those written last, or else the one after the last that the
// collector has read. It is 0 if nothing was sent.
func (s *Sender) Resume() int64 {
	if len(s.recent) > 0 {
		return s.recent[0].seq
	}
	return s.next
}

// Close ends the connection in order and waits for the collector to do the same,
// for WriteTimeout at most: a collector that does so has read every message. If it
// returns an error Resume still says where to go on.
func (s *Sender) Close() error {
	if s.conn == nil {
		if len(s.recent) > 0 {
			return ErrUnconfirmed
		}
		return nil
	}
	confirmed := s.conn.farewell(s.options.WriteTimeout)
	s.drop()
	if !confirmed {
		return ErrUnconfirmed
	}
	s.recent, s.size = nil, 0
	return nil
}

// try writes a frame to a connection that holds all the frames before it.
func (s *Sender) try(ctx context.Context, frame []byte) error {
	if s.conn == nil {
		err := s.connect(ctx)
		if err != nil {
			return err
		}
	}
	if s.conn.ended() {
		return errors.New("the collector ended the connection")
	}
	if time.Since(s.conn.since) > steady {
		s.failures = 0
	}
	return s.conn.write(ctx, frame, s.options.WriteTimeout)
}

func (s *Sender) connect(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, s.options.ConnectTimeout)
	defer cancel()
	conn, err := dial(limited, s.options.Address, s.tls, s.settle)
	if err != nil {
		return err
	}
	s.conn = conn
	for _, m := range s.recent {
		err := conn.write(ctx, m.frame, s.options.WriteTimeout)
		if err != nil {
			return err
		}
	}
	return nil
}

// remember keeps a message that was written, and forgets the oldest where there
// would be too much.
func (s *Sender) remember(m message) {
	s.recent = append(s.recent, m)
	s.size += len(m.frame)
	s.next = m.seq + 1
	for s.size > maxRecent && len(s.recent) > 1 {
		s.size -= len(s.recent[0].frame)
		s.recent[0] = message{}
		s.recent = s.recent[1:]
	}
}

func (s *Sender) drop() {
	if s.conn != nil {
		s.conn.close()
		s.conn = nil
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
