package reading_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const origin = "ward.example/audit"

var (
	began   = time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC)
	numbers = []string{"9990000018", "9990000026", "9990000034", "9990000042"}
	users   = []string{"urn:nhs-uk:identity:ods:RXX:Nurse-1", "555012345678", "ashby-ed", "Olga Operator"}
	bodies  = []string{"Dr Ann Example", "The High Court"}
	clients = []string{"ashby-general-ed", "bexley-walk-in"}
	places  = []string{"RXX", "RYY"}
	endings = []string{"found", "no_record", "not_sent"}
	idForms = []string{"", "uuid:", "urn:uuid:"}
)

// model is a log with all that is known of it otherwise.
type model struct {
	log   *audit.Log
	store audit.Store
	keys  *seal.Keys // with which it is read
	group int        // how many entries share a commit, if there are as many

	mu      sync.Mutex
	entries map[int64]audit.Entry
	signer  note.Signer
	locked  map[int64]bool // the key of the content is not among the keys
	removed map[int64]bool // the content was destroyed
}

type fataler interface {
	Helper()
	Fatal(args ...any)
}

func must[T any](t fataler, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func sealingKey(t fataler) seal.SealingKey {
	return must(t, must2(seal.ParseSealingKey, t, must2(seal.GenerateSealingKey, t, io.Reader(rand.Reader))), nil)
}

func indexKey(t fataler) seal.IndexKey {
	return must2(seal.ParseIndexKey, t, must2(seal.GenerateIndexKey, t, io.Reader(rand.Reader)))
}

func must2[A, B any](f func(A) (B, error), t fataler, a A) B {
	v, err := f(a)
	return must(t, v, err)
}

func pick[T any](r *mathrand.Rand, all []T) T { return all[r.IntN(len(all))] }

// newModel fills a store with a log of random entries: some of the first version of the
// form, then some sealed under a key that may not be at hand when it is read, then some
// under another; and destroys a few contents. The caller closes the log.
func newModel(t fataler, store audit.Store, r *mathrand.Rand, size int) *model {
	t.Helper()
	signerKey, _, err := audit.GenerateKey(origin, rand.Reader)
	signer := must2(note.NewSigner, t, must(t, signerKey, err))
	earlier, newer := sealingKey(t), sealingKey(t)
	firstIndex, secondIndex := indexKey(t), indexKey(t)
	m := &model{store: store, group: 256, entries: make(map[int64]audit.Entry), locked: make(map[int64]bool), removed: make(map[int64]bool)}

	m.signer = signer
	all := events(r, size)
	old, middle := 0, len(all)/2
	if r.IntN(2) == 0 {
		old = r.IntN(len(all)/3 + 1)
	}
	m.commitOld(t, all[:old], signer)
	keys := must2(func(k []seal.SealingKey) (*seal.Keys, error) { return seal.NewKeys(k, []seal.IndexKey{firstIndex}) }, t, []seal.SealingKey{earlier})
	m.open(t, signer, keys)
	m.appendAll(t, all[old:middle])
	must(t, 0, m.log.Close(context.Background()))

	sealing := []seal.SealingKey{newer, earlier}
	lost := r.IntN(2) == 0
	if lost {
		sealing = sealing[:1]
		for seq := int64(old); seq < int64(middle); seq++ {
			e := m.entries[seq]
			m.locked[seq] = hasContent(&e)
		}
	}
	m.keys = must2(func(k []seal.SealingKey) (*seal.Keys, error) {
		return seal.NewKeys(k, []seal.IndexKey{secondIndex, firstIndex})
	}, t, sealing)
	m.open(t, signer, m.keys)
	m.appendAll(t, all[middle:])
	for range len(all) / 20 {
		m.remove(t, int64(old+r.IntN(len(all)-old)))
	}
	return m
}

func hasContent(e *audit.Entry) bool {
	return e.NHSNumber != "" || e.Username != "" || e.Operator != "" || e.Authority != "" || e.Author != nil ||
		len(e.AuditIdentities) > 0 || len(e.Detail) > 0 || e.Purpose != ""
}

func (m *model) open(t fataler, signer note.Signer, keys *seal.Keys) {
	log, err := audit.Open(context.Background(), audit.Options{
		Store: m.store, Signer: signer, Keys: keys, Origin: origin, MaxGroup: m.group, Logger: slog.New(slog.DiscardHandler),
	})
	m.log = must(t, log, err)
}

// Append implements reading.Recorder.
func (m *model) Append(ctx context.Context, e audit.Entry) (int64, error) {
	seq, err := m.log.Append(ctx, e)
	if err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e.Time = e.Time.Truncate(time.Millisecond) // as it is kept
	m.entries[seq] = e
	return seq, nil
}

// appendAll appends many entries at once, so in some other order.
func (m *model) appendAll(t fataler, all []audit.Entry) {
	t.Helper()
	var wg sync.WaitGroup
	next := make(chan audit.Entry)
	errs := make(chan error, len(all))
	for range m.group {
		wg.Go(func() {
			for e := range next {
				_, err := m.Append(context.Background(), e)
				errs <- err
			}
		})
	}
	for _, e := range all {
		next <- e
	}
	close(next)
	wg.Wait()
	close(errs)
	for err := range errs {
		must(t, 0, err)
	}
}

// remove destroys the content of an entry that has one.
func (m *model) remove(t fataler, seq int64) {
	t.Helper()
	for row, err := range m.store.Rows(context.Background(), seq, seq+1) {
		must(t, 0, err)
		if row.Sealed == nil {
			return
		}
		terms := must2(seal.Terms, t, row.Sealed)
		e := audit.Entry{Kind: audit.Erased, Time: began, Authority: bodies[1], Entries: 1, Removed: []audit.Range{{First: seq, Last: seq}}}
		at, err := m.log.AppendRemoval(context.Background(), e, []audit.Removal{{Seq: seq, Terms: terms}})
		m.entries[must(t, at, err)] = e
		m.removed[seq] = true
	}
}

// commitOld writes entries in the first version of the form, as an earlier release did.
func (m *model) commitOld(t fataler, all []audit.Entry, signer note.Signer) {
	t.Helper()
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, i := range indexes {
			found = append(found, stored[i])
		}
		return found, nil
	})
	g := audit.Group{}
	for i, e := range all {
		seq := int64(i)
		e.Operator, e.Authority = "", "" // which it did not have
		row := audit.Row{Seq: seq, Leaf: oldLeaf(seq, e)}
		_, err := audit.ParseLeaf(row.Leaf)
		must(t, 0, err)
		hashes, err := tlog.StoredHashes(seq, row.Leaf, reader)
		row.Hashes = must(t, hashes, err)
		stored = append(stored, hashes...)
		g.Rows = append(g.Rows, row)
		m.entries[seq] = e
	}
	root, err := tlog.TreeHash(int64(len(all)), reader)
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, len(all), must(t, root, err))
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	g.Checkpoint = must(t, signed, err)
	must(t, 0, audittest.Commit(context.Background(), m.store, g))
}

// oldLeaf is a leaf of version 1.
func oldLeaf(seq int64, e audit.Entry) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"v":1,"seq":%d,"kind":"%s","time":"%s"`, seq, e.Kind, e.Time.Format("2006-01-02T15:04:05.000Z"))
	text := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, `,"%s":"%s"`, key, value)
		}
	}
	text("correlation", e.Correlation)
	text("client", e.Client)
	text("organisation", e.Organisation)
	text("username", e.Username)
	for _, i := range e.AuditIdentities {
		fmt.Fprintf(&b, `,"audit_identities":[{"uri":"%s"}]`, i.URI)
	}
	if a := e.Author; a != nil {
		fmt.Fprintf(&b, `,"author":{"form":"%s"`, a.Form)
		text("user_id", a.UserID)
		for _, p := range a.Authorities {
			fmt.Fprintf(&b, `,"authorities":[{"name":"%s"}]`, p.Name)
		}
		b.WriteByte('}')
	}
	text("nhs_number", e.NHSNumber)
	text("message_id", e.MessageID)
	text("tracking_id", e.TrackingID)
	text("query_id", e.QueryID)
	if len(e.SpineMessageIDs) > 0 {
		ids, _ := json.Marshal(e.SpineMessageIDs)
		fmt.Fprintf(&b, `,"spine_message_ids":%s`, ids)
	}
	text("outcome", e.Outcome)
	b.WriteByte('}')
	return []byte(b.String())
}

// events are entries as the provider and those who read the log write them, of a few
// people, by a few users, with the transactions in among each other.
func events(r *mathrand.Rand, size int) []audit.Entry {
	var all, open []audit.Entry
	for i := 0; i < size; i++ {
		e := audit.Entry{Time: began.Add(time.Duration(i)*time.Minute + time.Duration(r.IntN(7200)-3600)*time.Second).Truncate(time.Millisecond)}
		switch r.IntN(8) {
		case 0, 1, 2:
			question(r, &e, i)
			e.Kind = audit.Intent
			open = append(open, e)
			e.SpineMessageIDs = spineIDs(i)
		case 3, 4, 5:
			if len(open) == 0 {
				e.Kind = audit.Started
				break
			}
			at := r.IntN(len(open))
			when := e.Time
			e = open[at]
			e.Time, e.Outcome, e.Kind = when, pick(r, endings), pick(r, []audit.Kind{audit.Outcome, audit.Outcome, audit.Recovered, audit.Undelivered})
			e.SpineMessageIDs = spineIDs(len(all))[:1]
			if e.Kind != audit.Undelivered {
				open = append(open[:at], open[at+1:]...)
			}
		case 6:
			question(r, &e, i)
			e.Kind, e.Outcome = audit.Refused, "input_invalid"
			if r.IntN(2) == 0 && len(all) > 0 { // a message that is used again, or none at all
				used := pick(r, all)
				e.MessageID, e.TrackingID, e.QueryID = used.MessageID, used.TrackingID, ""
			}
			if r.IntN(4) == 0 {
				e.Correlation = ""
			}
		default:
			e.Kind = pick(r, []audit.Kind{audit.Started, audit.Read, audit.Held})
			if e.Kind != audit.Started {
				e.Operator, e.Authority = users[3], pick(r, append(bodies, ""))
			}
		}
		all = append(all, e)
	}
	return all
}

func spineIDs(i int) []string {
	return []string{fmt.Sprintf("C1D5F2AA-%04d-4C59-9C6C-6C0E2F9B7D01", i), fmt.Sprintf("C1D5F2AA-%04d-4C59-9C6C-6C0E2F9B7D02", i)}
}

func question(r *mathrand.Rand, e *audit.Entry, i int) {
	e.Correlation = fmt.Sprintf("5F0C9C2E-%04d-4F7A-9D6E-000000000000", i)
	e.Client, e.Organisation = pick(r, clients), pick(r, places)
	e.NHSNumber = pick(r, numbers)
	e.MessageID = pick(r, idForms) + fmt.Sprintf("0B3C8A2E-%04d-4B33-8C1B-9D1D3C1F7A11", i)
	e.TrackingID = fmt.Sprintf("6D1F4A77-%04d-4D3C-9C39-B54D4C1B2A90", i)
	e.QueryID = fmt.Sprintf("A4A9D7B3-%04d-4B0C-8D6A-1D55C2F0E6B7", i)
	switch r.IntN(3) {
	case 0:
		e.AuditIdentities = []audit.Identity{{URI: users[0]}}
		e.Author = &audit.Author{Form: "person", UserID: users[1]}
	case 1:
		e.Author = &audit.Author{Form: "system", Authorities: []audit.Authority{{Name: bodies[0]}}}
	default:
		e.Username = users[2]
	}
}

func discard(t *testing.T, m *model) {
	t.Helper()
	must(t, 0, m.log.Close(context.Background()))
}
