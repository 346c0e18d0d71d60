package platform

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// defaultEntries is how many requests the management interface lists unless
// asked for more.
const defaultEntries = 1000

// managementHandler is the management interface, plain HTTP on loopback.
func (p *Platform) managementHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, done()) })
	mux.HandleFunc("GET /state", p.getState)
	mux.HandleFunc("GET /behaviours", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"behaviours": Behaviours()})
	})
	mux.HandleFunc("GET /requests", p.getRequests)
	mux.HandleFunc("GET /directory.ldif", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set(spinesim.SimulatorHeader, simulatorValue)
		_, _ = w.Write(append([]byte(LDIFBase), p.Directory().LDIF()...))
	})
	mux.HandleFunc("POST /script", func(w http.ResponseWriter, r *http.Request) {
		var request scriptRequest
		command(w, r, &request, func() error { return request.play(p) })
	})
	mux.HandleFunc("POST /mode", func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			Mode Mode `json:"mode"`
		}
		command(w, r, &request, func() error { return p.SetMode(request.Mode) })
	})
	mux.HandleFunc("POST /revoke", func(w http.ResponseWriter, _ *http.Request) {
		p.RevokeTokens()
		reply(w, nil)
	})
	mux.HandleFunc("POST /reset", func(w http.ResponseWriter, _ *http.Request) { reply(w, p.Reset()) })
	mux.HandleFunc("PUT /crl/{name}", func(w http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 2*maxList))
		if err == nil {
			err = p.SetCRL(r.PathValue("name"), content)
		}
		reply(w, err)
	})
	mux.HandleFunc("DELETE /crl/{name}", func(w http.ResponseWriter, r *http.Request) {
		p.RemoveCRL(r.PathValue("name"))
		reply(w, nil)
	})
	return mux
}

func (p *Platform) getState(w http.ResponseWriter, _ *http.Request) {
	mode, _ := p.directory.get()
	writeJSON(w, http.StatusOK, map[string]any{
		"directory_url":   p.DirectoryURL(),
		"patient_url":     p.PatientURL(),
		"token_url":       p.TokenURL(),
		"directory_mode":  mode,
		"time":            p.cfg.Clock().UTC(),
		"counters":        p.Counters(),
		"scripts_waiting": p.scripts.waiting(),
	})
}

func (p *Platform) getRequests(w http.ResponseWriter, r *http.Request) {
	limit := defaultEntries
	text := r.URL.Query().Get("limit")
	if text != "" {
		var err error
		limit, err = strconv.Atoi(text)
		if err != nil || limit < 1 {
			reply(w, fmt.Errorf("the limit %q is not a positive number", text))
			return
		}
	}
	all := p.Requests()
	writeJSON(w, http.StatusOK, map[string]any{"requests": all[max(0, len(all)-limit):]})
}

// scriptRequest is Script as JSON; times are Go durations such as "1.5s".
type scriptRequest struct {
	Service Service       `json:"service"`
	Key     string        `json:"key"`
	Repeat  bool          `json:"repeat"`
	Steps   []stepRequest `json:"steps"`
}

type stepRequest struct {
	Behaviour  Behaviour `json:"behaviour"`
	Times      int       `json:"times"`
	Every      bool      `json:"every"`
	Delay      string    `json:"delay"`
	RetryAfter string    `json:"retry_after"`
}

func (s scriptRequest) play(p *Platform) error {
	script := Script{Service: s.Service, Key: s.Key, Repeat: s.Repeat}
	for _, step := range s.Steps {
		parsed := Step{Behaviour: step.Behaviour, Times: step.Times, Every: step.Every}
		for text, into := range map[*string]*time.Duration{&step.Delay: &parsed.Delay, &step.RetryAfter: &parsed.RetryAfter} {
			if *text == "" {
				continue
			}
			var err error
			*into, err = time.ParseDuration(*text)
			if err != nil {
				return fmt.Errorf("the time %q is not a duration such as 1.5s", *text)
			}
		}
		script.Steps = append(script.Steps, parsed)
	}
	return p.Play(script)
}

// command reads a JSON body, which must fit, and does what it says.
func command(w http.ResponseWriter, r *http.Request, into any, do func() error) {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err != nil {
		reply(w, fmt.Errorf("the request cannot be read: %w", err))
		return
	}
	reply(w, do())
}

func done() map[string]string { return map[string]string{"status": "ok"} }

func reply(w http.ResponseWriter, err error) {
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, done())
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set(spinesim.SimulatorHeader, simulatorValue)
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(value) // the reader may have gone
}
