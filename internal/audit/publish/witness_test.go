package publish_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/publish"
)

// watched is a log with a directory, an endpoint that keeps what it gets, and a
// witness.
type watched struct {
	keys    logKeys
	dir     string
	witness *site
	key     note.Verifier
	logged  bytes.Buffer
}

// options are those of a log that the witness has heard nothing from since it was
// started.
func (w *watched) options(store audit.Store) audit.Options {
	o := w.keys.options(store)
	o.Checkpoints = []string{w.dir}
	o.Witnesses = []audit.Witness{publish.NewWitness(w.witness.url, w.key, w.witness.client)}
	o.Logger = slog.New(slog.NewTextHandler(&w.logged, nil))
	return o
}

// cosigned reads the newest checkpoint of the directory.
func (w *watched) cosigned(t *testing.T) (audit.Checkpoint, bool) {
	t.Helper()
	signed, err := os.ReadFile(filepath.Join(w.dir, "checkpoint"))
	must(t, err)
	c, names, err := audit.OpenCosigned(signed, w.keys.known, origin, []note.Verifier{w.key})
	must(t, err)
	return c, slices.Equal(names, []string{"witness.example/w"})
}

// WRD-AUD-01: from the empty log on, over restarts of it, a witness that checks
// each proof cosigns what goes on from what it knows.
func TestWitnessCosigns(t *testing.T) {
	k := newLogKeys(t)
	server, key := newWitness(t, k)
	s := serve(t, "/submit/", server)
	w := &watched{keys: k, dir: t.TempDir(), witness: &s, key: key}
	var store audittest.Memory
	size := int64(0)
	for _, n := range []int{0, 1, 1, 2, 3, 5, 8, 13, 0, 21} {
		asked := server.Asked()
		extend(t, w.options(&store), "a", n)
		size += int64(n)
		c, cosigned := w.cosigned(t)
		if c.Size != size || !cosigned || server.Latest() != c {
			t.Errorf("after %d entries: %d are cosigned: %t, the witness has %d\n%s", size, c.Size, cosigned, server.Latest().Size, w.logged.String())
		}
		if requests := server.Asked() - asked; requests > 3 { // the first after a restart may need two
			t.Errorf("%d requests", requests)
		}
	}
	_, err := audit.Verify(t.Context(), &store, k.known, origin, []string{w.dir})
	must(t, err)
}

// WRD-AUD-01, WRD-AUD-03: whoever puts back an older copy or writes another
// history, with the log's own key and an empty directory, is found out by the
// witness. The log goes on, and says so.
func TestWitnessRefuses(t *testing.T) {
	tests := []struct {
		name     string
		old, new int // entries of the true log after the first two, and of the other
		fresh    bool
		want     string
	}{
		{"a log rolled back", 5, 0, false, "which now holds 2"},
		{"a log rolled back and gone on with", 5, 3, false, "which now holds 5"},
		{"a log forked at the same size", 5, 5, false, "but others"},
		{"a log forked and longer", 5, 9, false, "HTTP 422"},
		{"a log begun again", 5, 2, true, "which now holds 2"},
		{"a log begun again and longer", 5, 20, true, "HTTP 422"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newLogKeys(t)
			server, key := newWitness(t, k)
			s := serve(t, "/submit", server)
			w := &watched{keys: k, dir: t.TempDir(), witness: &s, key: key}
			var store, copied audittest.Memory
			extend(t, w.options(&store), "a", 2)
			if !tt.fresh {
				copyTo(t, &copied, &store)
			}
			extend(t, w.options(&store), "a", tt.old)
			honest := server.Latest()
			w.dir = t.TempDir()
			standings := extend(t, w.options(&copied), "b", tt.new)
			c, cosigned := w.cosigned(t)
			if cosigned || server.Latest() != honest {
				t.Errorf("the witness cosigned %+v after %+v", server.Latest(), honest)
			}
			at := standings[1]
			if at.Err == nil || !strings.Contains(at.Err.Error(), tt.want) || standings[0].Err != nil || standings[0].Size != c.Size {
				t.Errorf("the directory stands at %+v, the witness at %+v, want %s", standings[0], at, tt.want)
			}
			if !strings.Contains(w.logged.String(), "event=audit.export.failed place=witness.example/w") || !strings.Contains(w.logged.String(), tt.want) {
				t.Errorf("logged:\n%s", w.logged.String())
			}
		})
	}
}

// copyTo copies the entries of a store, as someone who takes the file does.
func copyTo(t *testing.T, to, from audit.Store) {
	t.Helper()
	head, err := from.Head(t.Context())
	must(t, err)
	g := audit.Group{Checkpoint: head.Checkpoint, Opened: head.Open}
	for row, err := range from.Rows(t.Context(), 0, head.Size) {
		must(t, err)
		g.Rows = append(g.Rows, row)
	}
	must(t, audittest.Commit(t.Context(), to, g))
}

// One client goes on from what it knows, so that each checkpoint takes one
// request; and when the witness has forgotten, two.
func TestWitnessIsRemembered(t *testing.T) {
	k := newLogKeys(t)
	server, key := newWitness(t, k)
	var now http.Handler = server
	s := serve(t, "/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { now.ServeHTTP(w, r) }))
	w := &watched{keys: k, dir: t.TempDir(), witness: &s, key: key}
	var store audittest.Memory
	options := w.options(&store) // one client for all
	extend(t, options, "a", 5)
	asked := server.Asked()
	extend(t, options, "a", 3)
	if requests := server.Asked() - asked; requests != 2 { // at the start and at the end
		t.Errorf("%d requests", requests)
	}
	// Another witness under the same key would be one that lost its memory.
	forgetful := server.Forgetful()
	now = forgetful
	for _, e := range extend(t, options, "a", 3) {
		must(t, e.Err)
	}
	if forgetful.Latest().Size != 11 {
		t.Errorf("the witness has %d", forgetful.Latest().Size)
	}
}

// WRD-AUD-01: whatever else a witness answers is no cosignature, costs the others
// nothing, and is told in words.
func TestWitnessThatFails(t *testing.T) {
	k := newLogKeys(t)
	server, key := newWitness(t, k)
	other, _ := newWitness(t, k) // of the same name
	body := func(status int, contentType, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			io.WriteString(w, text)
		}
	}
	size := func(text string) http.HandlerFunc { return body(409, "text/x.tlog.size", text) }
	signedText := func(line func(text []byte) []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			request, _ := io.ReadAll(r.Body)
			_, signed, _ := bytes.Cut(request, []byte("\n\n"))
			text, _, _ := bytes.Cut(signed, []byte("\n\n"))
			w.Write(line(append(text, '\n')))
		}
	}
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"no such log", body(404, "text/plain", ""), "does not know this log"},
		{"no such key", body(403, "text/plain", ""), "does not know the key"},
		{"a bad request", body(400, "text/plain", ""), "does not understand"},
		{"a proof refused", body(422, "text/plain", ""), "not those that the witness cosigned"},
		{"an error", body(500, "text/plain", ""), "HTTP 500"},
		{"nothing at all", body(204, "text/plain", ""), "HTTP 204"},
		{"a redirect", http.RedirectHandler("/elsewhere", http.StatusPermanentRedirect).ServeHTTP, "HTTP 308"},
		{"a conflict without a size", body(409, "text/plain", "2\n"), "without the size"},
		{"a size that is none", size("two\n"), "no size"},
		{"a size below 0", size("-1\n"), "no size"},
		{"a size with a zero before it", size("02\n"), "no size"},
		{"a size without an end", size("2"), "no size"},
		{"a size beyond all", size("9223372036854775808\n"), "no size"},
		{"the same size again", size("0\n"), "twice knows another number"},
		{"a conflict without end", size("2\n"), "twice knows another number"},
		{"other entries, without a size", func(w http.ResponseWriter, r *http.Request) {
			request, _ := io.ReadAll(r.Body)
			if bytes.HasPrefix(request, []byte("old 7\n")) {
				http.Error(w, "other entries", http.StatusConflict)
				return
			}
			size("7\n")(w, r)
		}, "but others"},
		{"an empty answer", body(200, "text/plain", ""), "not made of signature lines"},
		{"rubbish", body(200, "text/plain", "<html>\n"), "not made of signature lines"},
		{"an answer without end", body(200, "text/plain", strings.Repeat("\u2014 a.example AAAAAAA=\n", 1000)), "longer than"},
		{"many lines", body(200, "text/plain", strings.Repeat("\u2014 a.example AAAAAAA=\n", 200)), "not made of signature lines"},
		{"a line of somebody else", body(200, "text/plain", "\u2014 a.example AAAAAAA=\n"), "without a cosignature"},
		{"a line of another key of that name", signedText(func(text []byte) []byte { return other.Cosign(text, 1) }), "without a cosignature"},
		{"a cosignature of something else", signedText(func([]byte) []byte { return server.Cosign([]byte("x\n"), 1) }), "not one of this checkpoint"},
		{"a cosignature of more", signedText(func(text []byte) []byte {
			return slices.Concat([]byte("more\n\n"), server.Cosign(slices.Concat(text, []byte("\nmore\n")), 1))
		}), "not made of signature lines"},
		{"no answer", func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, "deadline exceeded"},
		{"an answer that breaks off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, "\u2014 ")
		}, "broke off"},
	}
	signed, err := note.Sign(&note.Note{Text: origin + "\n7\nU7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n"}, k.signer)
	must(t, err)
	c, err := audit.OpenCheckpoint(signed, k.known, origin)
	must(t, err)
	prove := func(context.Context, int64) (tlog.TreeProof, error) { return nil, nil }
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, "/", tt.handler)
			w := publish.NewWitness(s.url, key, s.client)
			ctx, cancel := context.WithTimeout(t.Context(), patience(tt.want))
			defer cancel()
			lines, err := w.Cosign(ctx, signed, c, prove)
			if err == nil || lines != nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Cosign = %q, %v, want %s", lines, err, tt.want)
			}
		})
	}
	good := serve(t, "/", signedText(func(text []byte) []byte {
		return slices.Concat(other.Cosign(text, 1), []byte("\u2014 a.example AAAAAAA=\n"), server.Cosign(text, 2))
	}))
	lines, err := publish.NewWitness(good.url, key, good.client).Cosign(t.Context(), signed, c, prove)
	text, _, _ := bytes.Cut(signed, []byte("\n\n"))
	if err != nil || !bytes.Equal(lines, server.Cosign(append(text, '\n'), 2)) {
		t.Errorf("among lines of others: %q, %v", lines, err)
	}
	good.url.Host = "127.0.0.1:1"
	_, err = publish.NewWitness(good.url, key, good.client).Cosign(t.Context(), signed, c, prove)
	if err == nil || strings.Contains(err.Error(), "add-checkpoint") {
		t.Errorf("a witness that is away: %v", err)
	}
	broken := errors.New("the store broke")
	_, err = publish.NewWitness(good.url, key, good.client).Cosign(t.Context(), signed, c,
		func(context.Context, int64) (tlog.TreeProof, error) { return nil, broken })
	if !errors.Is(err, broken) {
		t.Errorf("without a proof: %v", err)
	}
}
