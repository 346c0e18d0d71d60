package removal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/removal"
	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
)

// IG-3.9.6a, WRD-AUD-10: what an order names is destroyed, and nothing else; the log
// verifies, says who did it on whose order, and not about whom.
func TestErase(t *testing.T) {
	b := newBench(t)
	b.append(audit.Entry{Kind: audit.Started})
	b.ask(bob, "urn:user:1")
	b.ask(alice, "urn:user:1")
	b.append(audit.Entry{Kind: audit.Read, NHSNumber: alice, Operator: "someone", Purpose: "a complaint"})
	b.ask(bob, "urn:user:2")
	b.ask(alice, "urn:user:2")
	before := b.records()
	file := signed(t, sampleOrder(), b.court)

	rehearsed, err := b.remover.Erase(t.Context(), file, b.order, true)
	if err != nil || rehearsed != (removal.Erasure{Entries: 5}) || b.log.Size() != int64(len(before)) {
		t.Fatalf("the rehearsal: %+v, %v", rehearsed, err)
	}
	if got, want := b.erase(file), (removal.Erasure{Entries: 5, Complete: true}); got != want {
		t.Errorf("Erase = %+v, want %+v", got, want)
	}

	report := b.verify()
	if diff := cmp.Diff([]int64{3, 4, 5, 8, 9}, b.removedOnes()); diff != "" || report.Removed != 5 {
		t.Errorf("%d removed (-want +got):\n%s", report.Removed, diff)
	}
	if len(b.found(alice)) > 0 || len(b.found(bob)) != 4 {
		t.Errorf("found %v and %v", b.found(alice), b.found(bob))
	}
	after := b.records()
	for i, record := range after[:len(before)] {
		if !bytes.Equal(record.Leaf, before[i].Leaf) {
			t.Errorf("leaf %d was changed", i)
		}
	}
	e := after[len(before)].Entry
	e.Content = [32]byte{}
	want := audit.Entry{Kind: audit.Erased, Time: b.now, Operator: "records.officer", Authority: sampleOrder().Authority,
		Entries: 5, Order: e.Order, Reason: "complete", Removed: []audit.Range{{First: 3, Last: 5}, {First: 8, Last: 9}},
		// IG-3.9.6b: an administrator who configures a key of their own leaves its name.
		Detail: fmt.Appendf(nil, `{"signed_by":"%s+%08x"}`, b.order.Name(), b.order.KeyHash())}
	if diff := cmp.Diff(want, e); diff != "" || len(e.Order) != 64 || len(after) != len(before)+1 {
		t.Errorf("the entry (-want +got):\n%s", diff)
	}

	// Neither what was sealed nor its terms are in the files, and what stays is.
	files := databaseFiles(t, b.path)
	for _, record := range before {
		if record.Sealed == nil {
			continue
		}
		gone := after[record.Seq].State == audit.Removed
		if gone == bytes.Contains(files, record.Sealed[len(record.Sealed)-40:]) {
			t.Errorf("entry %d is removed: %v, and its bytes are in the files the other way", record.Seq, gone)
		}
	}
}

func databaseFiles(t *testing.T, path string) []byte {
	t.Helper()
	var all []byte
	for _, suffix := range []string{"", "-wal", "-shm"} {
		content, err := os.ReadFile(path + suffix)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		all = append(all, content...)
	}
	return all
}

// IG-3.9.6a: an order is good for its log, its time, its entries, and once.
func TestOrderIsGoodForWhatItSays(t *testing.T) {
	tests := map[string]struct {
		change func(*removal.Order)
		says   string
	}{
		"another log":   {func(o *removal.Order) { o.Origin = "other.example/audit" }, "other.example/audit"},
		"still to come": {func(o *removal.Order) { o.Issued = date(2026, 11, 3) }, "check the clock"},
		"ended":         {func(o *removal.Order) { o.Issued, o.Until = date(2026, 10, 1), date(2026, 11, 1) }, "ask for a new one"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := benchOn(t, new(audittest.Memory))
			b.ask(alice, "u")
			o := sampleOrder()
			tt.change(&o)
			_, err := b.remover.Erase(t.Context(), signed(t, o, b.court), b.order, false)
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), alice) || b.log.Size() != 2 {
				t.Errorf("Erase = %v", err)
			}
		})
	}
	b := benchOn(t, new(audittest.Memory))
	b.ask(alice, "u")
	b.ask(alice, "u")
	b.ask(alice, "u")
	o := sampleOrder()
	o.Issued, o.Until, o.Entries = date(2026, 11, 2), date(2026, 11, 2), &audit.Range{First: 1, Last: 3}
	file := signed(t, o, b.court)
	b.erase(file)
	if diff := cmp.Diff([]int64{1, 2, 3}, b.removedOnes()); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	_, err := b.remover.Erase(t.Context(), file, b.order, false)
	if err == nil || !strings.Contains(err.Error(), "carried out before, as entry 6 says") {
		t.Errorf("the second time: %v", err)
	}
	b.verify()
}

// WRD-AUD-10: an order about which the log knows nothing is carried out by saying so.
func TestEraseNothing(t *testing.T) {
	b := benchOn(t, new(audittest.Memory))
	b.ask(bob, "u")
	got := b.erase(signed(t, sampleOrder(), b.court))
	if got != (removal.Erasure{Complete: true}) || b.log.Size() != 3 {
		t.Errorf("Erase = %+v", got)
	}
	b.verify()
}

// WRD-AUD-11: a hold on the person, a user, the organisation or the time of any of the
// entries stops an order, by name, until it is lifted.
func TestHoldStopsErasure(t *testing.T) {
	for name, c := range map[string]removal.Criteria{
		"person":       {NHSNumber: alice},
		"user":         {User: "URN:user:7"},
		"organisation": {Organisation: "rxx"},
		"period":       {Since: date(2026, 11, 2), Until: date(2026, 11, 3)},
		"both":         {NHSNumber: alice, User: "urn:user:7"},
	} {
		t.Run(name, func(t *testing.T) {
			b := benchOn(t, new(audittest.Memory))
			b.ask(alice, "urn:user:6")
			b.ask(alice, "urn:user:7")
			b.lay("inquest 1", c)
			file := signed(t, sampleOrder(), b.court)
			_, err := b.remover.Erase(t.Context(), file, b.order, false)
			if err == nil || !strings.Contains(err.Error(), `"inquest 1"`) || len(b.removedOnes()) > 0 {
				t.Fatalf("Erase under a hold = %v, removed %v", err, b.removedOnes())
			}
			b.release("inquest 1")
			b.erase(file)
			if got := len(b.removedOnes()); got < 4 || len(b.found(alice)) > 0 {
				t.Errorf("after the release %d are removed", got)
			}
			b.verify()
		})
	}
}

// WRD-AUD-11: a hold on others stops nothing.
func TestHoldOnOthersStopsNothing(t *testing.T) {
	b := benchOn(t, new(audittest.Memory))
	b.ask(alice, "urn:user:6")
	for name, c := range map[string]removal.Criteria{
		"person": {NHSNumber: bob}, "user": {User: "urn:user:8"}, "organisation": {Organisation: "RYY"},
		"before": {Until: date(2026, 11, 2)}, "after": {Since: date(2026, 11, 3)}, "both": {NHSNumber: alice, User: "urn:user:8"},
	} {
		b.lay(name, c)
	}
	// The last hold is about her: its own entry is covered by it.
	_, err := b.remover.Erase(t.Context(), signed(t, sampleOrder(), b.court), b.order, false)
	if err == nil || !strings.Contains(err.Error(), `"both"`) {
		t.Fatalf("Erase = %v", err)
	}
	b.release("both")
	if got := b.erase(signed(t, sampleOrder(), b.court)); got.Entries != 3 {
		t.Errorf("Erase = %+v", got)
	}
}

// WRD-AUD-11: a hold that cannot be read counts as covering everything.
func TestUnreadableHoldCoversEverything(t *testing.T) {
	b := benchOn(t, new(audittest.Memory))
	b.ask(alice, "u")
	b.lay("inquest 1", removal.Criteria{NHSNumber: bob})
	sealing, err := seal.ParseSealingKey("WARD-SEALING-KEY-1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=")
	if err != nil {
		t.Fatal(err)
	}
	index, err := seal.ParseIndexKey("WARD-INDEX-KEY-1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=")
	if err != nil {
		t.Fatal(err)
	}
	r := b.newRemover(b.store)
	r.Keys, err = seal.NewKeys([]seal.SealingKey{sealing}, []seal.IndexKey{index})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Erase(t.Context(), signed(t, sampleOrder(), b.court), b.order, false)
	if err == nil || !strings.Contains(err.Error(), `"inquest 1"`) {
		t.Errorf("Erase = %v", err)
	}
	b.release("inquest 1")
	// Without their key the entries stay, and the order stays good.
	got, err := r.Erase(t.Context(), signed(t, sampleOrder(), b.court), b.order, false)
	if err != nil || got != (removal.Erasure{Locked: 2}) {
		t.Errorf("Erase without the key = %+v, %v", got, err)
	}
	if got := b.erase(signed(t, sampleOrder(), b.court)); got != (removal.Erasure{Entries: 2, Complete: true}) {
		t.Errorf("Erase = %+v", got)
	}
}

// WRD-AUD-10: a question under way is not touched, and the order waits for it.
func TestEraseWaitsForOpenIntents(t *testing.T) {
	b := benchOn(t, new(audittest.Memory))
	b.ask(alice, "u")
	b.append(audit.Entry{Kind: audit.Intent, Correlation: "open", NHSNumber: alice})
	file := signed(t, sampleOrder(), b.court)
	if got := b.erase(file); got != (removal.Erasure{Entries: 2, Open: 1}) {
		t.Errorf("Erase = %+v", got)
	}
	b.append(audit.Entry{Kind: audit.Recovered, Correlation: "open", NHSNumber: alice})
	if got := b.erase(file); got != (removal.Erasure{Entries: 2, Complete: true}) {
		t.Errorf("Erase again = %+v", got)
	}
	b.verify()
}

// asking has a question asked as soon as its head has been read often enough.
type asking struct {
	audit.Reader
	heads int
	ask   func()
}

func (a *asking) Head(ctx context.Context) (audit.Head, error) {
	head, err := a.Reader.Head(ctx)
	a.heads--
	if a.heads == 0 {
		a.ask()
	}
	return head, err
}

// WRD-AUD-10: a question that is asked while an order is carried out keeps its content,
// without which nobody could say what became of it.
func TestEraseSparesWhatIsAskedMeanwhile(t *testing.T) {
	for heads := 1; heads <= 4; heads++ {
		b := benchOn(t, new(audittest.Memory))
		b.ask(alice, "u")
		asked := int64(-1)
		store := &asking{Reader: b.store, heads: heads, ask: func() {
			asked = b.append(audit.Entry{Kind: audit.Intent, Correlation: "meanwhile", NHSNumber: alice})
		}}
		_, err := b.newRemover(store).Erase(t.Context(), signed(t, sampleOrder(), b.court), b.order, false)
		if err != nil {
			t.Fatal(err)
		}
		if asked >= 0 && b.records()[asked].State != audit.Whole {
			t.Errorf("asked after head %d: its content is %s", heads, b.records()[asked].State)
		}
		b.verify()
	}
}

// killed fails every commit after the first ones: before it, or after it was done.
type killed struct {
	audit.Store
	left  int
	after bool
}

var errKilled = errors.New("killed")

func (k *killed) Commit(ctx context.Context, compose func(audit.Turn) (audit.Group, error)) error {
	var after error
	err := k.Store.Commit(ctx, func(turn audit.Turn) (audit.Group, error) {
		g, err := compose(turn)
		if err != nil || len(g.Removals) == 0 {
			return g, err
		}
		k.left--
		if k.left == 0 && k.after {
			after = errKilled
		} else if k.left <= 0 {
			err = errKilled
		}
		return g, err
	})
	return errors.Join(err, after)
}

// WRD-AUD-10: wherever a run ends, the log verifies, and the next run goes on to the
// same end.
func TestKilledErasureIsCompleted(t *testing.T) {
	for _, after := range []bool{false, true} {
		for left := 1; left <= 3; left++ {
			k := &killed{Store: new(audittest.Memory), left: 1 << 30}
			b := benchOn(t, k)
			for range 1200 { // entries of three transactions
				b.ask(alice, "u")
				if b.log.Size()%100 == 0 {
					b.ask(bob, "u")
				}
			}
			file := signed(t, sampleOrder(), b.court)
			k.left, k.after = left, after
			_, err := b.remover.Erase(t.Context(), file, b.order, false)
			if !errors.Is(err, errKilled) {
				t.Fatalf("Erase = %v", err)
			}
			b.verify()
			k.left = 1 << 30
			_, err = b.newRemover(b.store).Erase(t.Context(), file, b.order, false)
			if err != nil && (!after || left < 3) {
				t.Fatalf("the second run: %v", err)
			}
			report := b.verify()
			if report.Removed != 2400 || len(b.found(alice)) > 0 {
				t.Errorf("killed at %d: %d removed, %d found", left, report.Removed, len(b.found(alice)))
			}
		}
	}
}

// MSCA-AUD-01a: a content that was deleted without an entry is found.
func TestDeletionWithoutAnEntryIsFound(t *testing.T) {
	var memory audittest.Memory
	b := benchOn(t, &memory)
	b.ask(alice, "u")
	b.ask(bob, "u")
	b.erase(signed(t, sampleOrder(), b.court))
	b.verify()
	head, err := memory.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	terms, err := seal.Terms(b.records()[2].Sealed)
	if err != nil {
		t.Fatal(err)
	}
	err = audittest.Commit(t.Context(), &memory, audit.Group{Base: head.Size, Checkpoint: head.Checkpoint, Removals: []audit.Removal{{Seq: 2, Terms: terms}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = audit.Verify(t.Context(), &memory, b.known, origin, nil)
	var m *audit.Mismatch
	if !errors.As(err, &m) || m.First != 2 || m.Last != 2 {
		t.Errorf("Verify = %v, want a mismatch at entry 2", err)
	}
}

// WRD-AUD-10, WRD-AUD-02: a log verifies at any time while contents are being removed.
func TestVerifyWhileErasing(t *testing.T) {
	b := benchOn(t, new(audittest.Memory))
	const people = 40
	number := func(i int) string { return fmt.Sprintf("999%07d", i) }
	for i := range 4 * people {
		b.ask(number(i%people), "u")
	}
	done := make(chan error, 1)
	go func() {
		for i := range people {
			o := sampleOrder()
			o.NHSNumber = number(i)
			file, err := o.Sign(b.court)
			if err == nil {
				_, err = b.remover.Erase(context.Background(), file, b.order, false)
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for {
		report := b.verify()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			if report = b.verify(); report.Removed != 8*people {
				t.Errorf("%d contents were removed, want %d", report.Removed, 8*people)
			}
			return
		default:
		}
	}
}

// WRD-AUD-10: an entry of somebody else that shares a term by chance is not touched.
func TestTermOfTwoNumbersErasesOne(t *testing.T) {
	var memory audittest.Memory
	b := benchOn(t, &memory)
	b.ask(alice, "u")
	b.ask(bob, "u")
	head, err := memory.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	shared := audit.TermRow{Term: audit.TermsOf(b.keys, audit.FieldNHSNumber, alice)[0], Seq: 2}
	err = audittest.Commit(t.Context(), &memory, audit.Group{Base: head.Size, Checkpoint: head.Checkpoint, Terms: []audit.TermRow{shared}})
	if err != nil {
		t.Fatal(err)
	}
	b.erase(signed(t, sampleOrder(), b.court))
	if diff := cmp.Diff([]int64{0, 1}, b.removedOnes()); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
}

// IG-3.9.6: what was indexed with an earlier key is found, too.
func TestEraseUnderEveryIndexKey(t *testing.T) {
	var memory audittest.Memory
	b := benchOn(t, &memory)
	b.ask(alice, "u")
	earlier, err := seal.ParseIndexKey("WARD-INDEX-KEY-1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=")
	if err != nil {
		t.Fatal(err)
	}
	later, err := seal.ParseIndexKey("WARD-INDEX-KEY-1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if err != nil {
		t.Fatal(err)
	}
	sealing, err := seal.ParseSealingKey("WARD-SEALING-KEY-1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if err != nil {
		t.Fatal(err)
	}
	err = b.log.Close(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.keys, err = seal.NewKeys([]seal.SealingKey{sealing}, []seal.IndexKey{later, earlier})
	if err != nil {
		t.Fatal(err)
	}
	b.open(b.signer)
	b.ask(alice, "u")
	if got := b.erase(signed(t, sampleOrder(), b.court)); got.Entries != 4 {
		t.Errorf("Erase = %+v", got)
	}
	b.verify()
}

// WRD-AUD-10: entries of the first forms hold what is personal in the tree. They are
// counted, told, and stay.
func TestEarlierEntriesCannotBeErased(t *testing.T) {
	const (
		secret = "PRIVATE+KEY+ward.example/audit+f0ce6207+ATpNwS5W9kaTNqKUCUs7ITwfM0FZKCnw0VHBPsiFLOls"
		public = "ward.example/audit+f0ce6207+AXokt5YIymlW5DN0quqLRGcZR+Us6Y4u4ykE/QvLE3v4"
	)
	dir := t.TempDir()
	err := os.CopyFS(dir, os.DirFS("../testdata/v1"))
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(filepath.Join(dir, "audit.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	b := benchOn(t, new(audittest.Memory))
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	b.store, b.known = store, note.VerifierList(verifier)
	b.open(signer)
	inline := 0
	const number = "9990000018"
	for _, record := range b.records() {
		if record.Entry.NHSNumber == number {
			inline++
		}
	}
	b.ask(number, "u")
	o := sampleOrder()
	o.NHSNumber = number
	if got := b.erase(signed(t, o, b.court)); inline == 0 || got != (removal.Erasure{Entries: 2, Inline: inline, Complete: true}) {
		t.Errorf("Erase = %+v, want %d inline", got, inline)
	}
	b.verify()
}
