package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/server"
	"github.com/wardsmsp/ward/internal/testpki"
	"github.com/wardsmsp/ward/internal/trust"
)

// state is what /readyz says.
type state struct {
	Status       string `json:"status"`
	AuditLog     string `json:"audit_log"`
	AuditCopy    string `json:"audit_copy"`
	Certificates string `json:"certificates"`
	Clients      string `json:"client_revocation"`
	SpineLists   string `json:"spine_revocation"`
	Spine        string `json:"spine"`
	Draining     bool   `json:"draining"`
}

func healthy() *server.Health {
	return &server.Health{
		Server:     server.New(server.Config{Limits: server.Limits{Questions: 1}, Logger: slog.New(slog.DiscardHandler)}),
		LogHealthy: func() error { return nil },
		Reachable:  func(context.Context) error { return nil },
		Now:        time.Now,
		CheckEvery: time.Minute,
	}
}

func readyz(t *testing.T, ctx context.Context, h http.Handler) (int, state) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/readyz", nil))
	var s state
	err := json.Unmarshal(w.Body.Bytes(), &s)
	if err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return w.Code, s
}

// WRD-OPS-08: not ready is told from ready with the Spine down.
func TestReadiness(t *testing.T) {
	t.Parallel()
	expired := tls.Certificate{Leaf: &x509.Certificate{NotAfter: time.Now().Add(-time.Second)}}
	current := tls.Certificate{Leaf: &x509.Certificate{NotAfter: time.Now().Add(time.Hour)}}
	all := state{Status: "ready", AuditLog: "writing", Certificates: "valid", Clients: "not checked", SpineLists: "not checked", Spine: "reachable"}
	fresh, old, tooOld := lists(t, time.Hour), lists(t, -time.Hour), lists(t, -48*time.Hour)
	with := func(change func(*state)) state {
		s := all
		change(&s)
		return s
	}
	cases := map[string]struct {
		change func(*server.Health)
		status int
		want   state
	}{
		"all is well": {func(h *server.Health) { h.Certificates = []tls.Certificate{current} }, 200, all},
		"the log cannot be written": {
			func(h *server.Health) { h.LogHealthy = func() error { return errors.New("no space") } }, 503,
			with(func(s *state) { s.Status, s.AuditLog = "not ready", "cannot be written" }),
		},
		"a certificate has expired": {
			func(h *server.Health) { h.Certificates = []tls.Certificate{current, expired} }, 503,
			with(func(s *state) { s.Status, s.Certificates = "not ready", "expired" }),
		},
		"the second copy of the log is kept (WRD-AUD-16)": {
			func(h *server.Health) { h.CopyLate = func() bool { return false } }, 200,
			with(func(s *state) { s.AuditCopy = "kept" }),
		},
		"the second copy of the log is late (WRD-AUD-16)": {
			func(h *server.Health) { h.CopyLate = func() bool { return true } }, 200,
			with(func(s *state) { s.Status, s.AuditCopy = "degraded", "late" }),
		},
		"the Spine is out of reach": {
			func(h *server.Health) { h.Reachable = func(context.Context) error { return errors.New("refused") } }, 200,
			with(func(s *state) { s.Status, s.Spine = "degraded", "out of reach" }),
		},
		"the log cannot be written and the Spine is out of reach": {
			func(h *server.Health) {
				h.LogHealthy = func() error { return errors.New("no space") }
				h.Reachable = func(context.Context) error { return errors.New("refused") }
			}, 503,
			with(func(s *state) { s.Status, s.AuditLog, s.Spine = "not ready", "cannot be written", "out of reach" }),
		},
		"revocation lists are current": {
			func(h *server.Health) { h.ClientLists, h.SpineLists = fresh, fresh }, 200,
			with(func(s *state) { s.Clients, s.SpineLists = "current", "current" }),
		},
		"the list of clients is out of date (WRD-IAM-05)": {
			func(h *server.Health) { h.ClientLists, h.SpineLists = old, fresh }, 200,
			with(func(s *state) { s.Status, s.Clients, s.SpineLists = "degraded", "out of date", "current" }),
		},
		"that of the Spine is": {
			func(h *server.Health) { h.SpineLists = old }, 200,
			with(func(s *state) { s.Status, s.SpineLists = "degraded", "out of date" }),
		},
		"clients are refused for want of a list": {
			func(h *server.Health) { h.ClientLists = tooOld }, 200,
			with(func(s *state) { s.Status, s.Clients = "degraded", "refusing" }),
		},
		"the Spine is": {
			func(h *server.Health) { h.SpineLists = tooOld }, 200,
			with(func(s *state) { s.Status, s.SpineLists = "degraded", "refusing" }),
		},
		"draining": {
			func(h *server.Health) { h.Server.Shutdown(context.Background()) }, 503,
			with(func(s *state) { s.Status, s.Draining = "not ready", true }),
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := healthy()
			c.change(h)
			status, got := readyz(t, t.Context(), h.Handler())
			if status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// lists are revocation lists with a day of grace whose successor is due after a while.
func lists(t *testing.T, due time.Duration) *trust.Lists {
	t.Helper()
	authority, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	list, err := authority.CRL(testpki.List{ThisUpdate: time.Now().Add(-72 * time.Hour), NextUpdate: time.Now().Add(due)})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "list.crl")
	err = os.WriteFile(path, list, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	lists, err := trust.Open(trust.Options{Files: []string{path}, Grace: 24 * time.Hour, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return lists
}

// However often it is asked, the Spine is looked at once in a while, and a finding
// is forgotten when it is old.
func TestSpineIsLookedAtRarely(t *testing.T) {
	t.Parallel()
	h := healthy()
	now := time.Now()
	looks := 0
	h.Now = func() time.Time { return now }
	h.Reachable = func(context.Context) error { looks++; return nil }
	handler := h.Handler()
	for range 10 {
		readyz(t, t.Context(), handler)
	}
	if looks != 1 {
		t.Errorf("looked %d times, want once", looks)
	}
	now = now.Add(time.Minute)
	readyz(t, t.Context(), handler)
	if looks != 2 {
		t.Errorf("looked %d times, want twice", looks)
	}
}

// A caller that gives up while the Spine is looked at leaves no false finding.
func TestImpatientProbeFindsNothingFalse(t *testing.T) {
	t.Parallel()
	h := healthy()
	h.Reachable = func(ctx context.Context) error { return ctx.Err() }
	handler := h.Handler()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	readyz(t, gone, handler)
	_, got := readyz(t, t.Context(), handler)
	if got.Spine != "reachable" {
		t.Errorf("the Spine is %s", got.Spine)
	}
}
