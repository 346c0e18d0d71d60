package publish_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/publish"
)

// WRD-AUD-01: an endpoint outside gets what the directory gets, as one PUT.
func TestEndpointTakesCheckpoints(t *testing.T) {
	k := newLogKeys(t)
	got := make(chan string, 8)
	s := serve(t, "/ward/checkpoint", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPut || r.URL.Path != "/ward/checkpoint" || r.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s %s of type %q: %v", r.Method, r.URL, r.Header.Get("Content-Type"), err)
		}
		got <- string(body)
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, strings.Repeat("not read", 1<<20))
	}))
	var store audittest.Memory
	dir := t.TempDir()
	options := k.options(&store)
	options.Checkpoints = []string{dir}
	options.Destinations = []audit.Destination{publish.NewEndpoint(s.url, s.client)}
	for _, e := range extend(t, options, "a", 3) {
		if e.Err != nil || e.Size != 3 {
			t.Errorf("%+v", e)
		}
	}
	close(got)
	var last string
	for last = range got {
		_, err := audit.OpenCheckpoint([]byte(last), k.known, origin)
		if err != nil {
			t.Error(err)
		}
	}
	written, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil || string(written) != last {
		t.Errorf("the endpoint got %q, the directory %q (%v)", last, written, err)
	}
}

// An endpoint that did not clearly take a checkpoint has not taken it, and the
// reason tells no secret of its URL.
func TestEndpointThatFails(t *testing.T) {
	status := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if len(header) > 0 {
				w.Header().Set(header[0], header[1])
			}
			w.WriteHeader(code)
		}
	}
	tests := []struct {
		name    string
		handler http.HandlerFunc
		alter   func(*site)
		want    string
	}{
		{"an error", status(500), nil, "HTTP 500"},
		{"a refusal", status(403), nil, "HTTP 403"},
		{"a redirect", status(307, "Location", "/elsewhere"), nil, "redirects (HTTP 307)"},
		{"a redirect to nowhere", status(302), nil, "redirects (HTTP 302)"},
		{"a header without end", status(200, "X-Long", strings.Repeat("x", 64<<10)), nil, "header"},
		{"no HTTP", func(w http.ResponseWriter, _ *http.Request) {
			connection, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				connection.Write([]byte("220 ready\r\n"))
				connection.Close()
			}
		}, nil, "malformed HTTP"},
		{"no answer", func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, nil, "deadline exceeded"},
		{"a stranger's certificate", status(200), func(s *site) { s.client.RootCAs = nil }, "certificate"},
		{"no certificate of our own", status(200), func(s *site) { s.client.Certificates = nil }, "certificate required"},
		{"nobody there", status(200), func(s *site) { s.url.Host = "127.0.0.1:1" }, "refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, "/put/secret", tt.handler)
			if tt.alter != nil {
				tt.alter(&s)
			}
			s.url.User, s.url.RawQuery = url.UserPassword("ward", "secret"), "token=secret"
			s.url.Path = "/put"
			e := publish.NewEndpoint(s.url, s.client)
			ctx, cancel := context.WithTimeout(t.Context(), patience(tt.want))
			defer cancel()
			err := e.Publish(ctx, []byte("note"), audit.Checkpoint{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Publish = %v, want %s", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") || strings.Contains(e.Name(), "secret") || e.Name() != "https://"+s.url.Host+"/put" {
				t.Errorf("a secret is told by %q or %v", e.Name(), err)
			}
		})
	}
}

// The environment has no say in where checkpoints go.
func TestNoProxyOfTheEnvironment(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	taken := make(chan struct{}, 1)
	s := serve(t, "/", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { taken <- struct{}{} }))
	err := publish.NewEndpoint(s.url, s.client).Publish(t.Context(), []byte("note"), audit.Checkpoint{})
	if err != nil {
		t.Error(err)
	}
	<-taken
	_, err = tls.Dial("tcp", s.url.Host, s.client) // the configuration was not used up
	must(t, err)
}
