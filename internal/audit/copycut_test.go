package audit_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
)

// watched is a store that counts how many readings of its rows are open.
type watched struct {
	audit.Reader
	open int
}

func (w *watched) Rows(ctx context.Context, from, to int64) iter.Seq2[audit.Row, error] {
	return func(yield func(audit.Row, error) bool) {
		w.open++
		defer func() { w.open-- }()
		for row, err := range w.Reader.Rows(ctx, from, to) {
			if !yield(row, err) {
				return
			}
		}
	}
}

// frail is a store of which only so many commits succeed, each after a look.
type frail struct {
	audit.Store
	left int
	look func()
}

var errFrail = errors.New("input/output error")

func (f *frail) Commit(ctx context.Context, compose func(audit.Turn) (audit.Group, error)) error {
	f.look()
	if f.left == 0 {
		return errFrail
	}
	f.left--
	return f.Store.Commit(ctx, compose)
}

// WRD-AUD-16: a copy that is cut off while it is brought up to date is still what it was
// before, contents that were to go among it; gone on with, it is all of the log, without
// them. Meanwhile a commit that hangs keeps nothing of the log open.
func TestCopyThatWasCutOff(t *testing.T) {
	k := newKeys(t)
	store, to := new(audittest.Memory), new(audittest.Memory)
	log := openLog(t, k.options(store))
	for i := range int64(100) {
		mustAppend(t, log, sample(i))
	}
	mustCopy(t, store, to, k)
	removeContent(t, log, store, 7) // of what the copy has, as an entry of the first part says
	parallel(64, 2100, func(i int64) error {
		_, err := log.Append(t.Context(), sample(i))
		return err
	}, t.Error)
	from := &watched{Reader: store}
	cut := &frail{Store: to, left: 1, look: func() {
		if from.open > 0 {
			t.Error("the log is being read while the copy commits")
		}
	}}
	_, err := audit.Copy(t.Context(), from, cut, k.public, origin)
	if !errors.Is(err, errFrail) {
		t.Fatalf("Copy = %v", err)
	}
	head, err := to.Head(t.Context())
	if err != nil || head.Size <= 100 || head.Size >= log.Size() {
		t.Fatalf("the copy holds %d entries, %v", head.Size, err)
	}
	_, err = audit.Copy(t.Context(), to, new(audittest.Memory), k.public, origin)
	if err == nil {
		t.Error("it was copied as if it were whole")
	}
	restored := new(audittest.Memory)
	copied, err := audit.Copy(t.Context(), audit.Covered(to, k.public, origin), restored, k.public, origin)
	if err != nil || copied.After != 100 {
		t.Fatalf("%+v, %v, want the 100 entries of before", copied, err)
	}
	if report := mustVerify(t, restored, k.public, ""); report.Removed != 0 {
		t.Errorf("%d contents are gone of what the copy had", report.Removed)
	}

	mustCopy(t, store, to, k)
	wantSame(t, store, to)
	if report := mustVerify(t, to, k.public, ""); report.Removed != 1 {
		t.Errorf("%d contents are gone, want one", report.Removed)
	}
}
