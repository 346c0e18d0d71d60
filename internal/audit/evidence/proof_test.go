package evidence_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/evidence"
)

// WRD-AUD-17: every entry can be handed over with a proof that it is in the log of any
// checkpoint that covers it.
func TestEveryEntryCanBeProved(t *testing.T) {
	g := mixed(t)
	for _, size := range []int64{1, 2, 13, 32, 40} {
		for seq := range size {
			for _, contents := range []evidence.Contents{evidence.Sealed, evidence.None, evidence.Opened} {
				o := g.options(contents)
				o.Checkpoint = g.history[size]
				proof, err := evidence.Prove(t.Context(), g.store, seq, o)
				must(t, err)
				p, err := evidence.VerifyProof(proof, g.known, origin)
				must(t, err)
				there := seq%9 != 8 && !strings.Contains(",3,5,7,9,", string(rune('0'+seq))) && contents != evidence.None
				if p.Leaf.Seq != seq || p.Checkpoint.Size != size || (p.Sealed != nil) != there && seq < 10 {
					t.Fatalf("entry %d of %d: %+v", seq, size, p)
				}
				if (p.Content != nil) != (contents == evidence.Opened && p.Sealed != nil) {
					t.Fatalf("entry %d of %d, contents %q: opened %v", seq, size, contents, p.Content != nil)
				}
			}
		}
		_, err := evidence.Prove(t.Context(), g.store, size, evidence.Options{Known: g.known, Origin: origin, Checkpoint: g.history[size]})
		if err == nil {
			t.Errorf("an entry was proved that the checkpoint of %d does not cover", size)
		}
	}
}

// WRD-AUD-01: that the log only grew is proved between any two checkpoints, and of
// another log it cannot be.
func TestGrowthCanBeProved(t *testing.T) {
	g := mixed(t)
	for newer := range 41 {
		for older := range newer + 1 {
			o := g.options(evidence.Sealed)
			o.Checkpoint = g.history[newer]
			proof, err := evidence.ProveConsistency(t.Context(), g.store, g.history[older], o)
			must(t, err)
			grown, err := evidence.VerifyConsistency(proof, g.known, origin)
			if err != nil || grown.Older.Size != int64(older) || grown.Newer.Size != int64(newer) {
				t.Fatalf("%d to %d: %+v, %v", older, newer, grown, err)
			}
		}
		o := g.options(evidence.Sealed)
		o.Checkpoint = g.history[newer]
		if newer < 40 {
			_, err := evidence.ProveConsistency(t.Context(), g.store, g.history[newer+1], o)
			if err == nil {
				t.Fatalf("a log of %d was proved to have grown to %d", newer+1, newer)
			}
		}
	}
	// A log that was written anew under the same key from some entry on.
	other := mixed(t)
	fork := *g
	fork.store = other.store
	_, err := evidence.ProveConsistency(t.Context(), fork.store, g.history[20], g.options(evidence.Sealed))
	if err == nil {
		t.Error("a log was proved to have grown out of another")
	}
}

// Every change of one byte of a proof is found, and every cut.
func TestProofsHaveOneSpelling(t *testing.T) {
	g := mixed(t)
	inclusion, err := evidence.Prove(t.Context(), g.store, 11, g.options(evidence.Opened))
	must(t, err)
	consistency, err := evidence.ProveConsistency(t.Context(), g.store, g.history[11], g.options(evidence.Sealed))
	must(t, err)
	r := rand.New(rand.NewPCG(5, 6))
	for name, tt := range map[string]struct {
		proof  []byte
		verify func([]byte) error
	}{
		"inclusion": {inclusion, func(b []byte) error {
			_, err := evidence.VerifyProof(b, g.known, origin)
			return err
		}},
		"consistency": {consistency, func(b []byte) error {
			_, err := evidence.VerifyConsistency(b, g.known, origin)
			return err
		}},
	} {
		must(t, tt.verify(tt.proof))
		for i := range tt.proof {
			changed := bytes.Clone(tt.proof)
			changed[i] ^= byte(1 + r.IntN(255))
			if tt.verify(changed) == nil {
				t.Errorf("%s: %q became %q at byte %d unseen", name, tt.proof[i], changed[i], i)
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
	g := grow(f, new(audittest.Memory), 3)
	for _, contents := range []evidence.Contents{evidence.Sealed, evidence.None, evidence.Opened} {
		proof, err := evidence.Prove(f.Context(), g.store, 1, g.options(contents))
		must(f, err)
		f.Add(proof)
	}
	f.Fuzz(func(t *testing.T, proof []byte) {
		p, err := evidence.VerifyProof(proof, g.known, origin)
		if err == nil && (p.Checkpoint.Size > 3 || p.Leaf.Seq >= 3) {
			t.Fatalf("accepted %q as %+v", proof, p)
		}
	})
}

// FuzzVerifyConsistency: nothing panics, and a log is proved to have grown only from
// what it was.
func FuzzVerifyConsistency(f *testing.F) {
	g := grow(f, new(audittest.Memory), 3)
	for _, older := range g.history {
		proof, err := evidence.ProveConsistency(f.Context(), g.store, older, g.options(evidence.Sealed))
		must(f, err)
		f.Add(proof)
	}
	f.Fuzz(func(t *testing.T, proof []byte) {
		grown, err := evidence.VerifyConsistency(proof, g.known, origin)
		if err == nil && (grown.Newer.Size > 3 || grown.Older.Size > grown.Newer.Size) {
			t.Fatalf("accepted %q as %+v", proof, grown)
		}
	})
}
