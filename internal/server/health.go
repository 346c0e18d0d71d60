package server

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/wardsmsp/ward/internal/trust"
)

// Health answers whether the service is alive and ready, without ever asking about
// a patient (WRD-OPS-08).
type Health struct {
	Server       *Server
	LogHealthy   func() error
	CopyLate     func() bool                 // whether the second copy of the log is; nil if none is kept
	Reachable    func(context.Context) error // completes a TLS handshake with the Spine, in bounded time
	Certificates []tls.Certificate           // of both sides
	ClientLists  *trust.Lists                // may be nil, as may the next
	SpineLists   *trust.Lists
	Now          func() time.Time
	CheckEvery   time.Duration // how old the finding about the Spine may be

	mu      sync.Mutex
	checked time.Time
	spine   string
}

// readiness is the body of /readyz.
type readiness struct {
	Status      string `json:"status"` // ready, degraded or not ready
	AuditLog    string `json:"audit_log"`
	AuditCopy   string `json:"audit_copy,omitempty"` // none without a second copy of the log
	Certificate string `json:"certificates"`
	ClientLists string `json:"client_revocation"`
	SpineLists  string `json:"spine_revocation"`
	Spine       string `json:"spine"`
	Draining    bool   `json:"draining"`
}

// Handler serves /livez and /readyz. Ready with the Spine out of reach, with a
// revocation list out of date, or with a second copy of the log that is late, is
// "degraded" and still 200: questions are answered, if only with SMSP-0004, or only of
// those whose certificates can be checked.
func (h *Health) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("alive\n"))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		state := h.state(r.Context())
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if state.Status == "not ready" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		json.NewEncoder(w).Encode(state)
	})
	return mux
}

func (h *Health) state(ctx context.Context) readiness {
	state := readiness{Status: "ready", AuditLog: "writing", Certificate: "valid", Draining: h.Server.Draining()}
	state.Spine = h.reach(ctx)
	clients, spine := h.ClientLists.State(), h.SpineLists.State()
	state.ClientLists, state.SpineLists = clients.String(), spine.String()
	if state.Spine != "reachable" || max(clients, spine) >= trust.OutOfDate {
		state.Status = "degraded"
	}
	if h.CopyLate != nil {
		state.AuditCopy = "kept"
		if h.CopyLate() {
			state.AuditCopy, state.Status = "late", "degraded"
		}
	}
	err := h.LogHealthy()
	if err != nil {
		state.AuditLog = "cannot be written"
		state.Status = "not ready"
	}
	for _, certificate := range h.Certificates {
		if certificate.Leaf != nil && h.Now().After(certificate.Leaf.NotAfter) {
			state.Certificate = "expired"
			state.Status = "not ready"
		}
	}
	if state.Draining {
		state.Status = "not ready"
	}
	return state
}

// reach looks at the Spine at most once in CheckEvery, however often it is asked. A
// caller that gives up meanwhile must not become a finding about the Spine.
func (h *Health) reach(ctx context.Context) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.spine != "" && h.Now().Sub(h.checked) < h.CheckEvery {
		return h.spine
	}
	h.checked, h.spine = h.Now(), "reachable"
	err := h.Reachable(context.WithoutCancel(ctx))
	if err != nil {
		h.spine = "out of reach"
	}
	return h.spine
}
