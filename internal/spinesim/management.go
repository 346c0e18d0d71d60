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
	mux.HandleFunc("POST /script", s.postScript)
	mux.HandleFunc("POST /reset", s.postReset)
	return mux
}

func (s *Simulator) getState(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, map[string]any{
		"url":             s.URL(),
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
	Behaviour Behaviour `json:"behaviour"`
	Times     int       `json:"times"`
	Every     bool      `json:"every"`
	Delay     string    `json:"delay"`
}

func (r scriptRequest) script() (Script, error) {
	script := Script{NHSNumber: r.NHSNumber, Repeat: r.Repeat}
	for _, step := range r.Steps {
		var delay time.Duration
		if step.Delay != "" {
			var err error
			delay, err = time.ParseDuration(step.Delay)
			if err != nil {
				return Script{}, fmt.Errorf("the delay %q is not a duration such as 1.5s", step.Delay)
			}
		}
		script.Steps = append(script.Steps, Step{Behaviour: step.Behaviour, Times: step.Times, Every: step.Every, Delay: delay})
	}
	return script, nil
}

func (s *Simulator) postScript(w http.ResponseWriter, r *http.Request) {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	decoder.DisallowUnknownFields()
	var request scriptRequest
	err := decoder.Decode(&request)
	if err != nil {
		writeError(w, fmt.Errorf("the script cannot be read: %w", err))
		return
	}
	script, err := request.script()
	if err != nil {
		writeError(w, err)
		return
	}
	err = s.Play(script)
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, map[string]string{"status": "ok"})
}

func (s *Simulator) postReset(w http.ResponseWriter, _ *http.Request) {
	err := s.Reset()
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
