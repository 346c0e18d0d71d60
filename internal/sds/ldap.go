package sds

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/wardsmsp/ward/internal/trust"
)

// LDAP says how the directory is reached over LDAPS, with an anonymous bind.
type LDAP struct {
	Address        string      // host:port
	Base           string      // DN below which services are, such as ou=services,o=nhs
	TLS            *tls.Config // with our certificate, the directory's anchors and its name
	ConnectTimeout time.Duration
	SearchTimeout  time.Duration // of each search, of which a look-up needs at most three
	Connections    int           // open at a time
	People         *People       // nil if nobody is looked up
}

// Bounds of a connection. Directories close idle ones.
const (
	idleTime      = time.Minute
	maxReply      = 1 << 20 // bytes that the directory may send for one search
	maxAttributes = 64      // values of an attribute that are looked at
)

// directoryLDAP is a client of LDAP over TLS.
type directoryLDAP struct {
	config LDAP
	places chan struct{} // one for each connection that may be open

	mu     sync.Mutex
	idle   []*connection // the newest last
	closed bool
}

type connection struct {
	ldap *ldap.Conn
	net  *bounded
	used time.Time
}

// bounded limits what is read, search by search. Closing it ends whatever goes on.
type bounded struct {
	*tls.Conn
	left atomic.Int64
}

var errTooLong = errors.New("the reply is longer than is read")

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	if b.left.Add(-int64(n)) < 0 {
		return 0, errTooLong
	}
	return n, err
}

// Close closes without a word to the directory, which may not be listening.
func (b *bounded) Close() error { return b.NetConn().Close() }

func newLDAP(config LDAP) *directoryLDAP {
	return &directoryLDAP{config: config, places: make(chan struct{}, config.Connections)}
}

func (d *directoryLDAP) system(ctx context.Context, q question) (asid, partyKey string, err error) {
	e, err := d.one(ctx, &ldap.SearchRequest{
		BaseDN: d.config.Base, Scope: ldap.ScopeWholeSubtree, Attributes: []string{"uniqueIdentifier", "nhsMhsPartyKey"},
		Filter: all("objectClass", "nhsAs", "nhsIDCode", q.organisation, "nhsAsSvcIA", q.interaction),
	}, "accredited system of the organisation and interaction: compare sds.organisation and sds.interaction with the directory")
	if err != nil {
		return "", "", err
	}
	asid, err = e.value("uniqueIdentifier")
	if err != nil {
		return "", "", err
	}
	partyKey, err = e.value("nhsMhsPartyKey")
	return asid, partyKey, err
}

func (d *directoryLDAP) handler(ctx context.Context, q question, partyKey string) (record, error) {
	names := []string{
		"nhsMHSEndPoint", "nhsMhsCPAId", "nhsMHSSyncReplyMode", "nhsMHSAckRequested", "nhsMHSDuplicateElimination",
		"nhsMHSActor", "nhsMHSRetries", "nhsMHSRetryInterval", "nhsMHSPersistDuration",
	}
	e, err := d.one(ctx, &ldap.SearchRequest{
		BaseDN: d.config.Base, Scope: ldap.ScopeWholeSubtree, Attributes: names,
		Filter: all("objectClass", "nhsMhs", "nhsMHSPartyKey", partyKey, "nhsMhsSvcIA", q.interaction),
	}, "message handling system of the party key and interaction: tell the directory's owner")
	if err != nil {
		return record{}, err
	}
	var r record
	fields := []*string{
		&r.address, &r.cpaID, &r.syncReply, &r.ackRequested, &r.duplicateElimination, &r.actor, &r.retries, &r.retryInterval, &r.persistDuration,
	}
	for i, name := range names {
		*fields[i], err = e.value(name)
		if err != nil {
			return record{}, err
		}
	}
	return r, nil
}

// all is a filter of equalities, all of which must hold, of names and values in turn. A
// value is taken literally, whatever it is (RFC 4515, WRD-SPN-16).
func all(namesAndValues ...string) string {
	var b strings.Builder
	b.WriteString("(&")
	for pair := range slices.Chunk(namesAndValues, 2) {
		b.WriteString("(" + pair[0] + "=" + ldap.EscapeFilter(pair[1]) + ")")
	}
	return b.String() + ")"
}

// entry is an entry of the directory.
type entry struct{ *ldap.Entry }

// values returns those of an attribute, whose name the directory may spell in another
// case.
func (e entry) values(name string) []string {
	var found []string
	for _, a := range e.Attributes {
		if strings.EqualFold(a.Name, name) {
			found = append(found, a.Values...)
		}
	}
	return found[:min(len(found), maxAttributes)]
}

// value returns the one value of an attribute, "" if there is none.
func (e entry) value(name string) (string, error) {
	found := e.values(name)
	switch {
	case len(found) == 0 || len(found) == 1 && found[0] == "":
		return "", nil
	case len(found) > 1:
		return "", failure(Ambiguous, "a record has several values of "+name+" where one is needed; tell the directory's owner")
	case !isPlain(found[0]):
		return "", failure(Unusable, "a record has a "+name+" that is not a plain text")
	}
	return found[0], nil
}

// one searches for what must be there once. What it is stands in the error.
func (d *directoryLDAP) one(ctx context.Context, request *ldap.SearchRequest, what string) (entry, error) {
	found, err := d.search(ctx, request)
	switch {
	case err != nil:
		return entry{}, err
	case len(found) == 0:
		return entry{}, failure(NoRecord, "it has no "+what)
	case len(found) > 1:
		return entry{}, failure(Ambiguous, "it has more than one "+what)
	}
	return found[0], nil
}

// search returns at most two entries, so that more than one is noticed. A connection
// that turns out to have ended while it was idle is replaced once: a look-up may be
// repeated, which notifies nobody.
func (d *directoryLDAP) search(ctx context.Context, request *ldap.SearchRequest) ([]entry, error) {
	request.SizeLimit = 2
	request.TimeLimit = int((d.config.SearchTimeout + time.Second - 1) / time.Second)
	select {
	case d.places <- struct{}{}:
	case <-ctx.Done():
		return nil, unavailable("no connection came free in time", nil)
	}
	defer func() { <-d.places }()
	for {
		c, reused, err := d.acquire(ctx)
		if err != nil {
			return nil, err
		}
		found, cut, err := d.searchOn(ctx, c, request)
		if !cut || !reused {
			return found, err
		}
	}
}

// searchOn searches over a connection, and keeps that only if all is well. It reports
// whether the connection was cut before the answer was there.
func (d *directoryLDAP) searchOn(ctx context.Context, c *connection, request *ldap.SearchRequest) (found []entry, cut bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, d.config.SearchTimeout)
	defer cancel()
	c.net.left.Store(maxReply)
	stop := context.AfterFunc(ctx, func() { c.net.Close() })
	result, err := c.ldap.Search(request)
	inTime := stop()
	isMore := ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded)
	if inTime && (err == nil || isMore) {
		d.release(c)
	} else {
		c.end()
	}
	switch {
	case isMore: // than were asked for, or than it gives to anybody
		return nil, false, failure(Ambiguous, "it has more records than one where one is needed")
	case err != nil && !inTime:
		return nil, false, unavailable("it did not answer a search in time; see sds.search_timeout", nil)
	case err != nil:
		return nil, !isRefusal(err), unavailable("a search failed", plain(err))
	case len(result.Referrals) > 0:
		return nil, false, unavailable("it referred to another directory, which is not followed", nil)
	}
	for _, e := range result.Entries {
		found = append(found, entry{e})
	}
	return found, false, nil
}

// isRefusal reports whether an error is what the directory answered.
func isRefusal(err error) bool {
	var answered *ldap.Error
	return errors.As(err, &answered) && answered.ResultCode < ldap.ErrorNetwork
}

// plain leaves out what the directory itself says of an error, which can quote what it
// was asked.
func plain(err error) error {
	var answered *ldap.Error
	if errors.As(err, &answered) && isRefusal(err) {
		return fmt.Errorf("LDAP result code %d, %s", answered.ResultCode, ldap.LDAPResultCodeMap[answered.ResultCode])
	}
	return err
}

// acquire returns an idle connection that is still good, or a new one.
func (d *directoryLDAP) acquire(ctx context.Context) (c *connection, reused bool, err error) {
	for {
		c = d.takeIdle()
		if c == nil {
			c, err = d.connect(ctx)
			return c, false, err
		}
		if !c.ldap.IsClosing() && time.Since(c.used) < idleTime && d.trusts(c) {
			return c, true, nil
		}
		c.end()
	}
}

// trusts judges the directory's certificate once more, because a connection can outlive
// it, or its revocation.
func (d *directoryLDAP) trusts(c *connection) bool {
	verify := d.config.TLS.VerifyConnection
	return verify == nil || verify(c.net.ConnectionState()) == nil
}

func (d *directoryLDAP) takeIdle() *connection {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.idle) == 0 {
		return nil
	}
	last := len(d.idle) - 1
	c := d.idle[last]
	d.idle = slices.Delete(d.idle, last, last+1)
	return c
}

func (d *directoryLDAP) release(c *connection) {
	c.used = time.Now()
	d.mu.Lock()
	kept := !d.closed
	if kept {
		d.idle = append(d.idle, c)
	}
	d.mu.Unlock()
	if !kept {
		c.end()
	}
}

// connect dials, shakes hands and binds anonymously.
func (d *directoryLDAP) connect(ctx context.Context) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, d.config.ConnectTimeout)
	defer cancel()
	dialer := &tls.Dialer{NetDialer: &net.Dialer{}, Config: d.config.TLS}
	conn, err := dialer.DialContext(ctx, "tcp", d.config.Address)
	if err != nil {
		_, refusal := trust.Reason(err, time.Now())
		if refusal != "" {
			return nil, unavailable("it was not trusted: "+string(refusal)+"; check sds.ca, sds.server_name and sds.crls", nil)
		}
		return nil, unavailable("it could not be connected to; check sds.url, sds.certificate and the network", err)
	}
	c := &connection{net: &bounded{Conn: conn.(*tls.Conn)}, used: time.Now()}
	c.net.left.Store(maxReply)
	stop := context.AfterFunc(ctx, func() { c.net.Close() })
	c.ldap = ldap.NewConn(c.net, true)
	c.ldap.Start()
	err = c.ldap.UnauthenticatedBind("")
	if err != nil || !stop() {
		stop()
		c.end()
		return nil, unavailable("it did not take an anonymous bind; check sds.url and that it knows our certificate in sds.certificate", plain(err))
	}
	return c, nil
}

// end closes a connection, first beneath the library, which would wait to say goodbye.
func (c *connection) end() {
	c.net.Close()
	c.ldap.Close()
}

func (d *directoryLDAP) close() {
	d.mu.Lock()
	idle := d.idle
	d.idle, d.closed = nil, true
	d.mu.Unlock()
	for _, c := range idle {
		c.end()
	}
}
