package evidence_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/evidence"
	"github.com/wardsmsp/ward/internal/audit/evidence/evidencetest"
)

// WRD-AUD-17: every entry can be handed over with a proof that it is in the log of any
// checkpoint that covers it.
func TestEveryEntryCanBeProved(t *testing.T) {
	g := evidencetest.Mixed(t)
	for _, size := range []int64{1, 2, 13, 32, 40} {
		for seq := range size {
			for _, contents := range []evidence.Contents{evidence.Sealed, evidence.None, evidence.Opened} {
				o := g.Options(contents)
				o.Checkpoint = g.History[size]
				proof, err := evidence.Prove(t.Context(), g.Store, seq, o)
				must(t, err)
				p, err := evidence.VerifyProof(proof, g.Known, evidencetest.Origin)
				must(t, err)
				there := seq%18/2 != 5 && !strings.Contains(",3,5,7,9,", string(rune('0'+seq))) && contents != evidence.None
				if p.Leaf.Seq != seq || p.Checkpoint.Size != size || (p.Sealed != nil) != there && seq < 10 {
					t.Fatalf("entry %d of %d: %+v", seq, size, p)
				}
				if (p.Content != nil) != (contents == evidence.Opened && p.Sealed != nil) {
					t.Fatalf("entry %d of %d, contents %q: opened %v", seq, size, contents, p.Content != nil)
				}
			}
		}
		_, err := evidence.Prove(t.Context(), g.Store, size, evidence.Options{Known: g.Known, Origin: evidencetest.Origin, Checkpoint: g.History[size]})
		if err == nil {
			t.Errorf("an entry was proved that the checkpoint of %d does not cover", size)
		}
	}
}

// WRD-AUD-01: that the log only grew is proved between any two checkpoints, and of
// another log it cannot be.
func TestGrowthCanBeProved(t *testing.T) {
	g := evidencetest.Mixed(t)
	for newer := range 41 {
		for older := range newer + 1 {
			o := g.Options(evidence.Sealed)
			o.Checkpoint = g.History[newer]
			proof, err := evidence.ProveConsistency(t.Context(), g.Store, g.History[older], o)
			must(t, err)
			grown, err := evidence.VerifyConsistency(proof, g.Known, evidencetest.Origin)
			if err != nil || grown.Older.Size != int64(older) || grown.Newer.Size != int64(newer) {
				t.Fatalf("%d to %d: %+v, %v", older, newer, grown, err)
			}
		}
		o := g.Options(evidence.Sealed)
		o.Checkpoint = g.History[newer]
		if newer < 40 {
			_, err := evidence.ProveConsistency(t.Context(), g.Store, g.History[newer+1], o)
			if err == nil {
				t.Fatalf("a log of %d was proved to have grown to %d", newer+1, newer)
			}
		}
	}
	// Another history under the same key.
	other := g.Again(t, new(audittest.Memory), 40)
	_, err := evidence.ProveConsistency(t.Context(), other.Store, g.History[20], g.Options(evidence.Sealed))
	if err == nil || !strings.Contains(err.Error(), "are not those of the older") {
		t.Errorf("a log was proved to have grown out of another: %v", err)
	}
}

// Every change of one byte of a proof is found, and every cut.
func TestProofsHaveOneSpelling(t *testing.T) {
	g := evidencetest.Mixed(t)
	inclusion, err := evidence.Prove(t.Context(), g.Store, 11, g.Options(evidence.Opened))
	must(t, err)
	consistency, err := evidence.ProveConsistency(t.Context(), g.Store, g.History[11], g.Options(evidence.Sealed))
	must(t, err)
	r := rand.New(rand.NewPCG(5, 6))
	for name, tt := range map[string]struct {
		proof  []byte
		verify func([]byte) error
	}{
		"inclusion": {inclusion, func(b []byte) error {
			_, err := evidence.VerifyProof(b, g.Known, evidencetest.Origin)
			return err
		}},
		"consistency": {consistency, func(b []byte) error {
			_, err := evidence.VerifyConsistency(b, g.Known, evidencetest.Origin)
			return err
		}},
	} {
		must(t, tt.verify(tt.proof))
		for i := range tt.proof {
			for _, b := range []byte{tt.proof[i] ^ byte(1+r.IntN(255)), neighbour(tt.proof[i])} {
				changed := bytes.Clone(tt.proof)
				changed[i] = b
				if tt.verify(changed) == nil {
					t.Errorf("%s: %q became %q at byte %d unseen", name, tt.proof[i], b, i)
				}
			}
			if tt.verify(tt.proof[:i]) == nil {
				t.Errorf("%s: cut at byte %d unseen", name, i)
			}
			if i%16 == 0 && tt.verify(append(append(bytes.Clone(tt.proof[:i]), '\n'), tt.proof[i:]...)) == nil {
				t.Errorf("%s: a newline at byte %d unseen", name, i)
			}
		}
		if tt.verify(append(bytes.Clone(tt.proof), '\n')) == nil || tt.verify(make([]byte, evidence.MaxProof+1)) == nil {
			t.Errorf("%s: something that is none was accepted", name)
		}
	}
}

// FuzzVerifyProof: nothing panics, and no entry is proved that is not in the log.
func FuzzVerifyProof(f *testing.F) {
	g := evidencetest.Grow(f, new(audittest.Memory), 3)
	for _, contents := range []evidence.Contents{evidence.Sealed, evidence.None, evidence.Opened} {
		proof, err := evidence.Prove(f.Context(), g.Store, 1, g.Options(contents))
		must(f, err)
		f.Add(proof)
	}
	f.Fuzz(func(t *testing.T, proof []byte) {
		p, err := evidence.VerifyProof(proof, g.Known, evidencetest.Origin)
		if err == nil && (p.Checkpoint.Size > 3 || p.Leaf.Seq >= 3) {
			t.Fatalf("accepted %q as %+v", proof, p)
		}
	})
}

// FuzzVerifyConsistency: nothing panics, and a log is proved to have grown only from
// what it was.
func FuzzVerifyConsistency(f *testing.F) {
	g := evidencetest.Grow(f, new(audittest.Memory), 3)
	for _, older := range g.History {
		proof, err := evidence.ProveConsistency(f.Context(), g.Store, older, g.Options(evidence.Sealed))
		must(f, err)
		f.Add(proof)
	}
	f.Fuzz(func(t *testing.T, proof []byte) {
		grown, err := evidence.VerifyConsistency(proof, g.Known, evidencetest.Origin)
		if err == nil && (grown.Newer.Size > 3 || grown.Older.Size > grown.Newer.Size) {
			t.Fatalf("accepted %q as %+v", proof, grown)
		}
	})
}
