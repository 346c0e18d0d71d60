package reading

import (
	"context"
	"errors"
	"testing"

	"github.com/wardsmsp/ward/internal/audit"
)

type neverRecorder struct{ t *testing.T }

func (n neverRecorder) Append(context.Context, audit.Entry) (int64, error) {
	n.t.Error("the reading is recorded")
	return 0, nil
}

// Rule 3: of a detail that is too long the log would keep nothing, so such a reading is
// not recorded, and nothing is shown.
func TestAReadingTooLongToBeRecorded(t *testing.T) {
	var shown []int64
	for seq := range int64(20_000) {
		shown = append(shown, 10_000_000+2*seq)
	}
	r := New(nil, nil, neverRecorder{t})
	err := r.append(t.Context(), Who{Operator: "Pat Officer"}, detail{Did: "viewers", Shown: runsOf(shown)}, "", len(shown))
	if !errors.Is(err, ErrNotRecorded) || !errors.Is(err, errTooMany) {
		t.Errorf("append = %v", err)
	}
}
