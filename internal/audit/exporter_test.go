package audit_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
)

// post is a destination that keeps what it is given, unless it is away or slow.
type post struct {
	name string

	mu   sync.Mutex
	away error
	slow bool
	got  []string
}

func (p *post) Name() string { return p.name }

func (p *post) Publish(ctx context.Context, signed []byte, c audit.Checkpoint) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.slow {
		<-ctx.Done()
		return ctx.Err()
	}
	if p.away != nil {
		return p.away
	}
	p.got = append(p.got, string(signed))
	signed[0] ^= 1 // does not reach the others
	return nil
}

func (p *post) set(away error, slow bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away, p.slow = away, slow
}

// sizes are those of the checkpoints that it was given.
func (p *post) sizes(t *testing.T, k keys) []int64 {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []int64
	for _, signed := range p.got {
		c, err := audit.OpenCheckpoint([]byte(signed), k.public, origin)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c.Size)
	}
	return all
}

// neighbour is a witness by a plain signature, which checks the proof.
type neighbour struct {
	signer note.Signer
	last   audit.Checkpoint

	mu    sync.Mutex
	away  error
	slow  bool
	lines []byte // instead of a signature
	asked int
}

func newNeighbour(t *testing.T, name string) (*neighbour, note.Verifier) {
	t.Helper()
	signerKey, verifierKey, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(signerKey)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(verifierKey)
	if err != nil {
		t.Fatal(err)
	}
	return &neighbour{signer: signer}, verifier
}

func (n *neighbour) Name() string { return n.signer.Name() }

func (n *neighbour) Cosign(ctx context.Context, signed []byte, c audit.Checkpoint, prove audit.Prove) ([]byte, error) {
	n.mu.Lock()
	n.asked++
	away, slow, lines := n.away, n.slow, n.lines
	n.mu.Unlock()
	if slow {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if away != nil || lines != nil {
		return lines, away
	}
	proof, err := prove(ctx, n.last.Size)
	if err != nil {
		return nil, err
	}
	if n.last.Size > 0 {
		err := tlog.CheckTree(proof, c.Size, c.Root, n.last.Size, n.last.Root)
		if err != nil {
			return nil, err
		}
	}
	n.last = c
	text, _, _ := bytes.Cut(signed, []byte("\n\n"))
	all, err := note.Sign(&note.Note{Text: string(text) + "\n"}, n.signer)
	if err != nil {
		return nil, err
	}
	_, lines, _ = bytes.Cut(all, []byte("\n\n"))
	return lines, nil
}

// becomes sets how the witness goes on from now.
func (n *neighbour) becomes(away error, slow bool, lines []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.away, n.slow, n.lines = away, slow, lines
}

func (n *neighbour) requests() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

// last is the checkpoint that it was given last.
func (p *post) last() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return []byte(p.got[len(p.got)-1])
}

// wait lets time pass, and what it sets off come to rest.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// WRD-AUD-01: what fails at one place is its own affair. It is tried again, and
// the others get each checkpoint once.
func TestEachPlaceFailsForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeys(t)
		var store audittest.Memory
		var logged bytes.Buffer
		good, bad := filepath.Join(t.TempDir(), "good"), filepath.Join(t.TempDir(), "bad")
		mkdir(t, good)
		mkdir(t, bad)
		near, far := &post{name: "near"}, &post{name: "far", away: errors.New("connection refused")}
		options := k.options(&store)
		options.Checkpoints, options.Destinations = []string{bad, good}, []audit.Destination{far, near}
		options.Logger = slog.New(slog.NewTextHandler(&logged, nil))
		log := openLog(t, options)
		synctest.Wait()
		err := os.RemoveAll(bad)
		if err != nil {
			t.Fatal(err)
		}
		mustAppend(t, log, refused(""))
		wait(time.Minute + time.Second)
		wantExported(t, k, good, 1, 2)
		if diff := cmp.Diff([]int64{0, 1}, near.sizes(t, k)); diff != "" {
			t.Errorf("near (-want +got):\n%s", diff)
		}
		all := log.Exported()
		for i, want := range []struct {
			name string
			size int64
			ok   bool
		}{{bad, 0, false}, {good, 1, true}, {"far", 0, false}, {"near", 1, true}} {
			if all[i].Name != want.name || all[i].Size != want.size || (all[i].Err == nil) != want.ok {
				t.Errorf("standing %d is %+v, want %+v", i, all[i], want)
			}
		}
		if !all[2].Time.IsZero() || !strings.Contains(logged.String(), "place=far") || !strings.Contains(logged.String(), "connection refused") {
			t.Errorf("%+v, logged %s", all[2], logged.String())
		}
		mkdir(t, bad)
		far.set(nil, false)
		wait(time.Minute) // nothing new, but two are behind
		wantExported(t, k, bad, 1, 1)
		wantExported(t, k, good, 1, 2)
		if diff := cmp.Diff([][]int64{{1}, {0, 1}}, [][]int64{far.sizes(t, k), near.sizes(t, k)}); diff != "" {
			t.Errorf("far and near (-want +got):\n%s", diff)
		}
		if !strings.Contains(logged.String(), "audit.export.restored") {
			t.Errorf("logged %s", logged.String())
		}
		err = log.Close(t.Context())
		if err != nil {
			t.Error(err)
		}
	})
}

// A place that does not answer costs neither the log nor a start any time, and
// the others no more than the limit.
func TestPlaceThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeys(t)
		var store audittest.Memory
		slow, near := &post{name: "slow", slow: true}, &post{name: "near"}
		hanging, _ := newNeighbour(t, "hanging.example/w")
		hanging.becomes(nil, true, nil)
		options := k.options(&store)
		options.Destinations, options.Witnesses = []audit.Destination{slow, near}, []audit.Witness{hanging}
		options.ExportTimeout = 5 * time.Second
		began := time.Now()
		log := openLog(t, options)
		mustAppend(t, log, refused(""))
		if d := time.Since(began); d > time.Second {
			t.Errorf("it took %s to open and append", d)
		}
		wait(11 * time.Second)
		for _, e := range log.Exported() {
			if late := errors.Is(e.Err, context.DeadlineExceeded); late != (e.Name != "near") {
				t.Errorf("standing %+v", e)
			}
		}
		wait(51 * time.Second) // in the next attempt
		began = time.Now()
		hanging.becomes(nil, false, nil)
		slow.set(nil, false)
		err := log.Close(t.Context())
		if err != nil || time.Since(began) > time.Second {
			t.Errorf("Close took %s: %v", time.Since(began), err)
		}
		if diff := cmp.Diff([]int64{1}, slow.sizes(t, k)); diff != "" {
			t.Errorf("slow (-want +got):\n%s", diff)
		}
	})
}

// A witness that hangs while the log is closed leaves the places their time.
func TestWitnessThatHangsAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeys(t)
		var store audittest.Memory
		near := &post{name: "near"}
		hanging, _ := newNeighbour(t, "hanging.example/w")
		options := k.options(&store)
		options.Destinations, options.Witnesses = []audit.Destination{near}, []audit.Witness{hanging}
		log := openLog(t, options)
		mustAppend(t, log, refused(""))
		synctest.Wait()
		hanging.becomes(nil, true, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err := log.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			t.Errorf("Close = %v", err)
		}
		if diff := cmp.Diff([]int64{0, 1}, near.sizes(t, k)); diff != "" {
			t.Errorf("near (-want +got):\n%s", diff)
		}
	})
}

// WRD-AUD-01: a witness's cosignature goes out with the checkpoint, and later if
// it came later; a witness that fails only leaves it without.
func TestCosignedCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeys(t)
		var store audittest.Memory
		dir := t.TempDir()
		near := &post{name: "near"}
		one, oneKey := newNeighbour(t, "one.example/w")
		two, twoKey := newNeighbour(t, "two.example/w")
		options := k.options(&store)
		options.Checkpoints, options.Destinations, options.Witnesses = dirs(dir), []audit.Destination{near}, []audit.Witness{one, two}
		log := openLog(t, options)
		wantCosigned := func(size int64, names ...string) {
			t.Helper()
			wait(time.Minute)
			for _, signed := range [][]byte{readFile(t, filepath.Join(dir, "checkpoint")), near.last()} {
				c, got, err := audit.OpenCosigned(signed, k.public, origin, []note.Verifier{oneKey, twoKey})
				if err != nil || c.Size != size || !slices.Equal(got, names) {
					t.Errorf("%d entries, cosigned by %v (%v), want %d and %v", c.Size, got, err, size, names)
				}
			}
		}
		wantCosigned(0, "one.example/w", "two.example/w")
		for range 5 {
			mustAppend(t, log, refused(""))
		}
		two.becomes(errors.New("no route"), false, nil)
		wantCosigned(5, "one.example/w")
		if e := log.Exported()[3]; e.Name != "two.example/w" || e.Size != 0 || e.Err == nil {
			t.Errorf("the witness stands at %+v", e)
		}
		two.becomes(nil, false, nil)
		asked := one.requests()
		wantCosigned(5, "one.example/w", "two.example/w")
		if one.requests() != asked {
			t.Error("a witness that cosigned was asked again")
		}
		for i, rubbish := range []string{"", "\n", "rubbish\n", "\n— two.example/w AAAAAAA=\n", "x\n\n— two.example/w AAAAAAA=\n", strings.Repeat("— two.example/w AAAAAAA=\n", 99)} {
			mustAppend(t, log, refused(""))
			two.becomes(nil, false, []byte(rubbish))
			wantCosigned(int64(6+i), "one.example/w")
			if log.Exported()[3].Err == nil {
				t.Errorf("%q passed for a signature", rubbish)
			}
		}
		err := log.Close(t.Context())
		if err == nil || !strings.Contains(err.Error(), "two.example/w") {
			t.Errorf("Close = %v", err)
		}
		mustVerify(t, &store, k.public, dir) // with the log's key alone
		mustAppendTo(t, k, &store, "")
		options.Witnesses = nil
		openLog(t, options)
		// One more says that the clock, in here, is behind the entries. OpenCosigned tells
		// this checkpoint from one that was cosigned.
		wantCosigned(13)
	})
}

// A cosignature that names a witness but is not the witness's is no matter of
// leaving it out: someone put it there.
func TestForgedCosignature(t *testing.T) {
	k := newKeys(t)
	witness, verifier := newNeighbour(t, "one.example/w")
	impostor, _ := newNeighbour(t, "one.example/w")
	var store audittest.Memory
	grownBy := openLog(t, k.options(&store))
	err := grownBy.Close(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	head, err := store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	open := func(lines []byte) ([]string, error) {
		_, names, err := audit.OpenCosigned(append(bytes.Clone(head.Checkpoint), lines...), k.public, origin, []note.Verifier{verifier})
		return names, err
	}
	none := func(context.Context, int64) (tlog.TreeProof, error) { return nil, nil }
	lines, err := witness.Cosign(t.Context(), head.Checkpoint, audit.Checkpoint{}, none)
	if err != nil {
		t.Fatal(err)
	}
	names, err := open(lines)
	if err != nil || len(names) != 1 {
		t.Errorf("cosigned by %v, %v", names, err)
	}
	other, err := impostor.Cosign(t.Context(), head.Checkpoint, audit.Checkpoint{}, none)
	if err != nil {
		t.Fatal(err)
	}
	names, err = open(other) // of another key hash, so of nobody known
	if err != nil || len(names) != 0 {
		t.Errorf("cosigned by %v, %v", names, err)
	}
	spoilt := bytes.Replace(lines, []byte(" "), []byte(" "), 1)
	i := len(spoilt) - 10
	spoilt[i] = map[bool]byte{true: 'B', false: 'A'}[spoilt[i] == 'A']
	_, err = open(spoilt)
	if err == nil || !strings.Contains(err.Error(), "one.example/w") {
		t.Errorf("a forged cosignature: %v", err)
	}
}

// Each directory is compared with the store for itself, at the start and when
// verifying: the one that a thief forgot tells.
func TestEveryDirectoryIsRead(t *testing.T) {
	k := newKeys(t)
	var store, other audittest.Memory
	first, second := t.TempDir(), t.TempDir()
	for i, at := range []struct {
		store audit.Store
		dirs  []string
	}{{&store, []string{first, second}}, {&other, dirs(t.TempDir())}} {
		options := k.options(at.store)
		options.Checkpoints = at.dirs
		log := openLog(t, options)
		for n := range 3 {
			mustAppend(t, log, refused(fmt.Sprint(i, n)))
		}
		err := log.Close(t.Context())
		if err != nil {
			t.Fatal(err)
		}
	}
	report, err := audit.Verify(t.Context(), &store, k.public, origin, []string{first, second})
	if err != nil || report.Exported != 6 || report.Newest != 3 {
		t.Errorf("%+v, %v", report, err)
	}
	head, err := other.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(second, "checkpoint"), head.Checkpoint)
	for _, both := range [][]string{{first, second}, {second, first}} {
		_, err = audit.Verify(t.Context(), &store, k.public, origin, both)
		var m *audit.Mismatch
		if !errors.As(err, &m) || !strings.Contains(err.Error(), second+"/checkpoint") {
			t.Errorf("Verify = %v", err)
		}
	}
	for _, bad := range [][]string{{first, filepath.Join(first, "none")}, {filepath.Join(first, "none"), first}} {
		options := k.options(&store)
		options.Checkpoints = bad
		_, err = audit.Open(t.Context(), options)
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Open = %v", err)
		}
	}
}
