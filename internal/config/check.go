package config

import (
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"crypto/tls"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/removal"
	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/pds"
	"github.com/wardsmsp/ward/internal/sds"
	"github.com/wardsmsp/ward/internal/spine"
	"github.com/wardsmsp/ward/internal/trust"
)

// Settings is a configuration that has passed every check, with its keys and
// certificates loaded.
type Settings struct {
	File

	Live      bool
	ListenTLS *tls.Config
	SpineTLS  *tls.Config
	Route     spine.Route                                               // towards the Spine; Endpoint is nil if it comes from the directory
	Trust     struct{ Clients, Spine, Directory, Replies *trust.Lists } // nil where no revocation lists are configured
	Directory *sds.Options                                              // without a recorder; nil where there is no sds.url
	Numbers   cpis.NumberPolicy
	CodeTable cpis.Codes
	Rules     cpis.Rules
	Register  *clients.Register
	Signer    note.Signer
	Verifier  note.Verifier
	Keys      *seal.Keys
	Store     Store
	Copy      Store                                      // a second place, where it is kept up to date; empty if nowhere
	Remote    struct{ Destinations, Witnesses []Remote } // of checkpoints
	Erasure   note.Verifier                              // of erasure orders; nil if nothing can be erased
	Retention map[audit.Class]removal.Period
	LogLevel  slog.Level

	Demographics *pds.Config // without what the running service adds; nil if no client's numbers are verified
	Unverified   pds.Policy  // what becomes of a question whose number could not be verified
	RepliesTLS   *tls.Config // of the listener for asynchronous replies; nil if there is none

	fingerprints map[string]string // of what the files named by these keys hold
}

// liveSpine is the domain of the live Spine's services, which a test environment
// must not be able to reach by mistake (WRD-SAF-17).
const liveSpine = ".national.ncrs.nhs.uk"

// checker collects problems.
type checker struct {
	problems     Problems
	folder       string
	fingerprints map[string]string
}

func (f *File) check(c checker) (*Settings, error) {
	s := &Settings{File: *f, Live: f.Environment == "live"}
	c.oneOf("environment", f.Environment, "test", "live")
	if !isCode(f.ODSCode) {
		c.problems.add("ods_code", "must be the provider's ODS code: letters and digits")
	}
	s.ListenTLS, s.Trust.Clients = c.listen(f.Listen)
	c.limits(f.Limits)
	c.itk(f.ITK)
	c.numbers(s)
	c.spine(s)
	c.pds(s)
	if f.SDS.URL != "" || f.Spine.Pattern == "sds" {
		s.Directory = c.directory(s)
	}
	if f.Spine.Pattern != "sync" || f.Replies.Address != "" {
		c.replies(s)
	}
	c.audit(s)
	c.operations(f.Operations)
	c.log(s)
	c.clients(s)
	c.budgets(s)
	s.fingerprints = c.fingerprints
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return s, nil
}

func (c *checker) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		c.problems.add(key, "must be one of %s", strings.Join(allowed, ", "))
	}
}

func (c *checker) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.folder, p)
}

// isCode is the form of an ODS code.
func isCode(s string) bool {
	if s == "" || len(s) > 12 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func isASID(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }

func positive[T int | float64 | time.Duration](c *checker, key string, value T) {
	if !(value > 0) { // also when it is not a number
		c.problems.add(key, "must be more than 0")
	}
}

func (c *checker) limits(l Limits) {
	positive(c, "limits.connections", l.Connections)
	positive(c, "limits.connections_per_address", l.PerAddress)
	positive(c, "limits.questions", l.Questions)
	positive(c, "limits.body", l.Body)
	positive(c, "limits.header", l.Header)
	positive(c, "limits.header_timeout", l.HeaderTime)
	positive(c, "limits.body_timeout", l.BodyTime)
	positive(c, "limits.write_timeout", l.WriteTime)
	positive(c, "limits.idle_timeout", l.IdleTime)
	positive(c, "limits.drain_timeout", l.DrainTime)
	positive(c, "limits.per_second", l.PerSecond)
	positive(c, "limits.burst", l.Burst)
	positive(c, "limits.retry_after", l.BusyInterval)
	if l.Body > 4<<20 {
		c.problems.add("limits.body", "must be at most 4194304; a request is about 4096 bytes")
	}
}

func (c *checker) itk(i ITK) {
	c.acceptedTo("itk.accepted_to", i.AcceptedTo)
	positive(c, "itk.max_ttl", i.MaxTTL)
	positive(c, "itk.request_budget", i.RequestBudget)
	if i.ClockSkew < 0 || i.ClockSkew > time.Minute {
		c.problems.add("itk.clock_skew", "must be between 0s and 1m")
	}
}

func (c *checker) acceptedTo(key string, all []string) {
	if len(all) == 0 {
		c.problems.add(key, "must list at least one URL under which clients address this service in wsa:To")
	}
	for _, to := range all {
		u, err := url.Parse(to)
		if err != nil || u.Scheme == "" || u.Host == "" {
			c.problems.add(key, "%q is not a URL", to)
		}
	}
}

func (c *checker) numbers(s *Settings) {
	n := s.NHSNumber
	c.oneOf("nhs_number.check_digit", n.CheckDigit, "enforce", "record", "off")
	switch n.CheckDigit {
	case "record":
		s.Numbers.CheckDigit = cpis.RecordCheckDigit
	case "off":
		s.Numbers.CheckDigit = cpis.IgnoreCheckDigit
	}
	s.Numbers.RejectRepeated = *n.RejectRepeatedDigits
	for i, exempt := range n.Exempt {
		number, err := cpis.ParseNHSNumber(exempt)
		if err != nil {
			c.problems.add("nhs_number.exempt", "entry %d is not exactly ten digits", i+1)
			continue
		}
		s.Numbers.Exempt = append(s.Numbers.Exempt, number)
	}
	if s.Live && (len(n.Exempt) > 0 || n.CheckDigit != "enforce") {
		c.problems.add("nhs_number", "a live environment must enforce the check digit and exempt no number (WRD-VAL-15)")
	}
	codes, err := cpis.NewCodes(s.Codes.Map)
	if err != nil {
		c.problems.add("codes.map", "%v", err)
	}
	s.CodeTable = codes
}

func (c *checker) operations(o Operations) {
	if o.Address == "" {
		return
	}
	address, err := netip.ParseAddrPort(o.Address)
	if err != nil || !address.Addr().IsLoopback() {
		c.problems.add("operations.address", "must be a loopback address and port such as 127.0.0.1:9080")
	}
}

func (c *checker) log(s *Settings) {
	c.oneOf("log.format", s.Log.Format, "json", "text")
	err := s.LogLevel.UnmarshalText([]byte(s.Log.Level))
	if err != nil {
		c.problems.add("log.level", "must be one of debug, info, warn, error")
	}
}

func (c *checker) address(key, address string) {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		c.problems.add(key, "must be host:port, such as 0.0.0.0:8443")
	}
}
