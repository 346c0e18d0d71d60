package spinesim

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// defaultList is how many entries a management list gives unless asked for more.
const defaultList = 1000

// startManagement serves the management interface, plain HTTP on loopback.
func (s *Simulator) startManagement() error {
	listener, err := net.Listen("tcp", s.cfg.ManagementAddress)
	if err != nil {
		return fmt.Errorf("listen for management: %w", err)
	}
	s.mgmtAddr = listener.Addr()
	s.management = &http.Server{
		Handler:           http.NewCrossOriginProtection().Handler(s.managementHandler()), // no page may script a simulator
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeaders,
	}
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		err := s.management.Serve(listener)
		if err != http.ErrServerClosed {
			s.cfg.Log.Error("management interface ended", "error", err)
		}
	}()
	return nil
}

func (s *Simulator) managementHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /state", s.getState)
	mux.HandleFunc("GET /behaviours", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]any{"behaviours": Behaviours()})
	})
	mux.HandleFunc("GET /children", func(w http.ResponseWriter, r *http.Request) {
		limit, ok := limitOf(w, r)
		if ok {
			writeJSON(w, map[string]any{"children": s.Children(limit)})
		}
	})
	mux.HandleFunc("GET /queries", func(w http.ResponseWriter, r *http.Request) {
		limit, ok := limitOf(w, r)
		if ok {
			writeJSON(w, map[string]any{"queries": newest(s.Received(), limit)})
		}
	})
	mux.HandleFunc("GET /notifications", func(w http.ResponseWriter, r *http.Request) {
		limit, ok := limitOf(w, r)
		if ok {
			writeJSON(w, map[string]any{"notifications": newest(s.Notifications(), limit)})
		}
	})
	mux.HandleFunc("GET /replies", func(w http.ResponseWriter, r *http.Request) {
		limit, ok := limitOf(w, r)
		if ok {
			writeJSON(w, map[string]any{"replies": newest(s.Replies(), limit)})
		}
	})
	mux.HandleFunc("GET /processed", func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Query().Get("id")
		writeJSON(w, map[string]any{"id": id, "times": s.TimesProcessed(id)})
	})
	mux.HandleFunc("POST /reply-urls", s.postReplyURLs)
	mux.HandleFunc("POST /chaos", s.postChaos)
	mux.HandleFunc("POST /script", s.postScript)
	mux.HandleFunc("POST /reset", s.postReset)
	return mux
}

func (s *Simulator) getState(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, map[string]any{
		"url":             s.URL(),
		"async_url":       s.AsyncURL(),
		"reply_urls":      s.ReplyURLs(),
		"pending_replies": s.PendingReplies(),
		"asid":            s.cfg.ASID,
		"time":            s.cfg.Clock().UTC(),
		"counters":        s.Counters(),
		"scripts_waiting": s.scripts.waiting(),
	})
}

// scriptRequest is Script as JSON; delays are Go durations such as "1.5s".
type scriptRequest struct {
	NHSNumber string        `json:"nhs_number"`
	Repeat    bool          `json:"repeat"`
	Steps     []stepRequest `json:"steps"`
}

type stepRequest struct {
	Behaviour Behaviour   `json:"behaviour"`
	Times     int         `json:"times"`
	Every     bool        `json:"every"`
	Delay     string      `json:"delay"`
	Immediate Immediate   `json:"immediate"`
	Chaos     Disturbance `json:"chaos"`
}

func (r scriptRequest) script() (Script, error) {
	script := Script{NHSNumber: r.NHSNumber, Repeat: r.Repeat}
	for _, step := range r.Steps {
		delay, err := durationOf(step.Delay)
		if err != nil {
			return Script{}, err
		}
		script.Steps = append(script.Steps, Step{Behaviour: step.Behaviour, Times: step.Times, Every: step.Every, Delay: delay, Immediate: step.Immediate, Chaos: step.Chaos})
	}
	return script, nil
}

func (s *Simulator) postScript(w http.ResponseWriter, r *http.Request) {
	var request scriptRequest
	err := readJSON(w, r, &request)
	if err != nil {
		writeError(w, fmt.Errorf("the script cannot be read: %w", err))
		return
	}
	script, err := request.script()
	if err == nil {
		err = s.Play(script)
	}
	writeDone(w, err)
}

func (s *Simulator) postReset(w http.ResponseWriter, _ *http.Request) {
	writeDone(w, s.Reset())
}

// postReplyURLs replaces the reply URLs; always is 0 for in turn, else the nth.
func (s *Simulator) postReplyURLs(w http.ResponseWriter, r *http.Request) {
	var request struct {
		URLs   []string `json:"urls"`
		Always int      `json:"always"`
	}
	err := readJSON(w, r, &request)
	if err != nil {
		writeError(w, fmt.Errorf("the reply URLs cannot be read: %w", err))
		return
	}
	writeDone(w, s.setReplies(request.URLs, request.Always))
}

// chaosRequest is Chaos as JSON; durations are Go's, such as "1.5s".
type chaosRequest struct {
	Seed           uint64 `json:"seed"`
	Duplicate      int    `json:"duplicate"`
	Reorder        int    `json:"reorder"`
	Lose           int    `json:"lose"`
	FlipBits       int    `json:"flip_bits"`
	WrongReference int    `json:"wrong_reference"`
	TruncateMIME   int    `json:"truncate_mime"`
	OtherBoundary  int    `json:"other_boundary"`
	HoldFor        int    `json:"hold_for"`
	HoldAtMost     string `json:"hold_at_most"`
	Delays         []struct {
		Share int    `json:"share"`
		Delay string `json:"delay"`
	} `json:"delays"`
}

func (r chaosRequest) chaos() (Chaos, error) {
	c := Chaos{
		Seed: r.Seed, Duplicate: r.Duplicate, Reorder: r.Reorder, Lose: r.Lose, FlipBits: r.FlipBits,
		WrongReference: r.WrongReference, TruncateMIME: r.TruncateMIME, OtherBoundary: r.OtherBoundary, HoldFor: r.HoldFor,
	}
	var err error
	c.HoldAtMost, err = durationOf(r.HoldAtMost)
	if err != nil {
		return Chaos{}, err
	}
	for _, share := range r.Delays {
		delay, err := durationOf(share.Delay)
		if err != nil {
			return Chaos{}, err
		}
		c.Delays = append(c.Delays, DelayShare{Share: share.Share, Delay: delay})
	}
	return c, nil
}

func (s *Simulator) postChaos(w http.ResponseWriter, r *http.Request) {
	var request chaosRequest
	err := readJSON(w, r, &request)
	if err != nil {
		writeError(w, fmt.Errorf("the chaos cannot be read: %w", err))
		return
	}
	chaos, err := request.chaos()
	if err == nil {
		err = s.Disturb(chaos)
	}
	writeDone(w, err)
}

// durationOf reads a duration; empty is none.
func durationOf(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("the delay %q is not a duration such as 1.5s", text)
	}
	return d, nil
}

// readJSON reads a request of a mebibyte at most, without unknown fields.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func writeDone(w http.ResponseWriter, err error) {
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, map[string]string{"status": "ok"})
}

// limitOf reads the query parameter limit, 1 or more.
func limitOf(w http.ResponseWriter, r *http.Request) (int, bool) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return defaultList, true
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 {
		writeError(w, fmt.Errorf("the limit %q is not a positive number", text))
		return 0, false
	}
	return limit, true
}

func newest[T any](all []T, n int) []T {
	return all[max(0, len(all)-n):]
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set(SimulatorHeader, simulatorHeaderValue)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(value) // the reader may have gone
}

func writeError(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set(SimulatorHeader, simulatorHeaderValue)
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}
