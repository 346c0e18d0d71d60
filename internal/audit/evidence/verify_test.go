package evidence_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/evidence"
	"github.com/wardsmsp/ward/internal/audit/evidence/evidencetest"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

// WRD-AUD-02: any range of any log verifies with the public key only, and says what
// was in it.
func TestAnyRangeVerifies(t *testing.T) {
	g := evidencetest.Grow(t, new(audittest.Memory), 70)
	rapid.Check(t, func(r *rapid.T) {
		size := rapid.Int64Range(0, 70).Draw(r, "size")
		end := rapid.Int64Range(0, size).Draw(r, "end")
		o := g.Options(rapid.SampledFrom([]evidence.Contents{evidence.Sealed, evidence.None, evidence.Opened}).Draw(r, "contents"))
		o.Checkpoint = g.History[size]
		o.First, o.End = rapid.Int64Range(0, end).Draw(r, "first"), end
		if end == 0 {
			o.End = size
		}
		report, err := g.Verify(g.Export(t, o))
		if err != nil {
			r.Fatal(err)
		}
		want := evidence.Report{
			Contents: o.Contents, First: o.First, End: o.End, Entries: o.End - o.First, Checkpoint: report.Checkpoint,
		}
		for i := o.First; i < o.End; i++ {
			if i == o.First || evidencetest.At(i).Before(want.Earliest) {
				want.Earliest = evidencetest.At(i)
			}
			want.Latest = evidencetest.At(i)
			if i%18/2 != 5 && o.Contents != evidence.None {
				want.Included++
			}
		}
		if o.Contents == evidence.Opened {
			want.Opened = want.Included
		}
		if diff := cmp.Diff(want, report); diff != "" || report.Checkpoint.Size != size {
			r.Fatalf("report (-want +got):\n%s", diff)
		}
	})
}

// WRD-AUD-17: each entry of a selection is proved for itself.
func TestAnySelectionVerifies(t *testing.T) {
	g := evidencetest.Grow(t, new(audittest.Memory), 70)
	rapid.Check(t, func(r *rapid.T) {
		size := rapid.Int64Range(0, 70).Draw(r, "size")
		var seqs []int64
		for seq := range size {
			if rapid.Bool().Draw(r, "selected") {
				seqs = append(seqs, seq)
			}
		}
		o := g.Options(rapid.SampledFrom([]evidence.Contents{evidence.Sealed, evidence.None, evidence.Opened}).Draw(r, "contents"))
		o.Checkpoint = g.History[size]
		report, err := g.Verify(g.Selection(t, o, seqs...))
		if err != nil || report.Entries != int64(len(seqs)) || !report.Selection {
			r.Fatalf("%+v, %v", report, err)
		}
	})
}

// WRD-AUD-10: contents that were removed are told from contents that are lost.
func TestRemovedContents(t *testing.T) {
	g := evidencetest.Mixed(t)
	for _, tt := range []struct {
		name                 string
		first, end           int64
		removed, unaccounted int64
	}{
		{"all", 0, 0, 4, 0},
		{"the end", 5, 0, 3, 0},
		{"without the entry that says so", 0, 38, 0, 4},
		{"only the entry that says so", 38, 39, 0, 0},
	} {
		o := g.Options(evidence.Opened)
		o.First, o.End = tt.first, tt.end
		report, err := g.Verify(g.Export(t, o))
		if err != nil || report.Removed != tt.removed || report.Unaccounted != tt.unaccounted {
			t.Errorf("%s: %+v, %v", tt.name, report, err)
		}
	}
	report, err := g.Verify(g.Selection(t, g.Options(evidence.Sealed), 2, 3, 9, 38))
	if err != nil || report.Removed != 2 || report.Included != 2 {
		t.Errorf("a selection: %+v, %v", report, err)
	}
	report, err = g.Verify(g.Export(t, g.Options(evidence.None)))
	if err != nil || report.Removed+report.Unaccounted+report.Included != 0 {
		t.Errorf("without contents: %+v, %v", report, err)
	}

	// A content that somebody took away is an error where the export reaches the end.
	export := string(g.Export(t, g.Options(evidence.Sealed)))
	before, after, _ := strings.Cut(export, `"sealed":`)
	_, after, _ = strings.Cut(after, ",")
	_, err = g.Verify([]byte(before + after))
	var m *audit.Mismatch
	if !errors.As(err, &m) || m.First != 0 {
		t.Errorf("a content taken away: %v", err)
	}
	// So it is where it is written.
	lost := g.Store.(*audittest.Memory)
	must(t, audittest.Commit(t.Context(), lost, audit.Group{Base: 40, Checkpoint: g.History[40], Removals: []audit.Removal{{Seq: 0}}}))
	_, err = evidence.Write(t.Context(), io.Discard, lost, g.Options(evidence.Sealed))
	if !errors.As(err, &m) || m.First != 0 {
		t.Errorf("a content lost in the store: %v", err)
	}
}

// WRD-AUD-14: what is exported without opening it says nothing about anybody.
func TestAnExportDisclosesNothing(t *testing.T) {
	g := evidencetest.Mixed(t)
	for _, contents := range []evidence.Contents{evidence.Sealed, evidence.None, evidence.Opened} {
		proof, err := evidence.Prove(t.Context(), g.Store, 1, g.Options(contents))
		must(t, err)
		for _, export := range [][]byte{g.Export(t, g.Options(contents)), g.Selection(t, g.Options(contents), 1), proof} {
			for _, personal := range []string{"9990000018", "Nurse", "555012345678", "plan of protection"} {
				if bytes.Contains(export, []byte(personal)) && contents != evidence.Opened {
					t.Errorf("an export with contents %q shows %q", contents, personal)
				}
			}
			if bytes.Contains(export, []byte(`"sealed":`)) && contents == evidence.None {
				t.Error("an export without contents has contents")
			}
		}
	}
	if !bytes.Contains(g.Export(t, g.Options(evidence.Opened)), []byte("9990000018")) {
		t.Error("an opened export does not show the NHS number")
	}
}

// A content of which the key is not at hand stays sealed, and the export says so.
func TestLockedContents(t *testing.T) {
	g := evidencetest.Grow(t, new(audittest.Memory), 3)
	sealing, err := seal.ParseSealingKey("WARD-SEALING-KEY-1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=")
	must(t, err)
	index, err := seal.ParseIndexKey("WARD-INDEX-KEY-1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=")
	must(t, err)
	g.Keys, err = seal.NewKeys([]seal.SealingKey{sealing}, []seal.IndexKey{index})
	must(t, err)
	export := g.Export(t, g.Options(evidence.Opened))
	report, err := g.Verify(export)
	if err != nil || report.Included != 3 || report.Opened != 0 {
		t.Errorf("%+v, %v", report, err)
	}
	_, err = g.Verify(bytes.Replace(export, []byte(`"locked":true,`), nil, 1))
	if err == nil {
		t.Error("a line that should say that it is locked was accepted without")
	}
	proof, err := evidence.Prove(t.Context(), g.Store, 1, g.Options(evidence.Opened))
	must(t, err)
	p, err := evidence.VerifyProof(proof, g.Known, evidencetest.Origin)
	if err != nil || p.Sealed == nil || p.Content != nil {
		t.Errorf("a proof: %+v, %v", p, err)
	}
}

// What cannot be handed over is refused.
func TestOptions(t *testing.T) {
	g := evidencetest.Mixed(t)
	ok := g.Options(evidence.Sealed)
	for name, change := range map[string]func(*evidence.Options){
		"no key":                   func(o *evidence.Options) { o.Known = nil },
		"no origin":                func(o *evidence.Options) { o.Origin = "" },
		"another origin":           func(o *evidence.Options) { o.Origin = "other" },
		"another choice":           func(o *evidence.Options) { o.Contents = "all" },
		"opened without keys":      func(o *evidence.Options) { o.Contents, o.Keys = evidence.Opened, nil },
		"before the first":         func(o *evidence.Options) { o.First = -1 },
		"backwards":                func(o *evidence.Options) { o.First, o.End = 5, 4 },
		"beyond the checkpoint":    func(o *evidence.Options) { o.Checkpoint, o.End = g.History[7], 8 },
		"a checkpoint not signed":  func(o *evidence.Options) { o.Checkpoint = []byte("x") },
		"a checkpoint of another":  func(o *evidence.Options) { o.Checkpoint = evidencetest.Grow(t, new(audittest.Memory), 1).History[1] },
		"a checkpoint of no store": func(o *evidence.Options) { o.Checkpoint = nil },
	} {
		o, store := ok, g.Store
		change(&o)
		if name == "a checkpoint of no store" {
			store = new(audittest.Memory)
		}
		_, err := evidence.Write(t.Context(), io.Discard, store, o)
		if err == nil {
			t.Errorf("%s: an export was written", name)
		}
	}
	for _, seqs := range [][]int64{{3, 3}, {4, 3}, {-1}, {40}} {
		_, err := evidence.WriteSelection(t.Context(), io.Discard, g.Store, seqs, ok)
		if err == nil {
			t.Errorf("a selection of %v was written", seqs)
		}
	}
}

// An error of the reader is not one of the export.
func TestReaderFails(t *testing.T) {
	g := evidencetest.Mixed(t)
	export := g.Export(t, g.Options(evidence.Sealed))
	var wrong *evidence.Error
	for _, n := range []int{0, 10, 5000, len(export)} {
		_, err := evidence.Verify(io.MultiReader(bytes.NewReader(export[:n]), iotest.ErrReader(io.ErrNoProgress)), g.Known, evidencetest.Origin)
		if !errors.Is(err, io.ErrNoProgress) || errors.As(err, &wrong) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
	_, err := evidence.Verify(strings.NewReader(strings.Repeat("x", 3<<20)), g.Known, evidencetest.Origin)
	if !errors.As(err, &wrong) || wrong.Line != 1 {
		t.Errorf("a line without end: %v", err)
	}
}
