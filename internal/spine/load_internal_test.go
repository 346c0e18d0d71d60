package spine

import (
	"testing"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/spine/circuit"
)

// WRD-OPS-17: what opens the circuit is that the Spine does not answer, and nothing else.
func TestVerdict(t *testing.T) {
	t.Parallel()
	failed := map[cpis.Outcome]bool{cpis.NotSent: true, cpis.SentNoAnswer: true, cpis.AsyncNotAcked: true, cpis.AsyncNoReply: true, cpis.SpineHTTPError: true}
	answered := map[cpis.Outcome]bool{
		cpis.AuthorRejectedBySpine: true, cpis.SpineFaultConfig: true, cpis.SpineFault: true, cpis.SpineReject: true, cpis.SpineDuplicate: true,
		cpis.SpineError: true, cpis.SpineAckOnly: true, cpis.ResponseInvalid: true,
	}
	for _, o := range cpis.Outcomes() {
		if o == cpis.Found || o == cpis.NoRecord {
			continue // cannot be made without a reply
		}
		want := circuit.Neither
		switch {
		case failed[o]:
			want = circuit.Failed
		case answered[o]:
			want = circuit.Answered
		}
		if got := verdict(cpis.Failed(o, "the Spine could not be connected to")); got != want {
			t.Errorf("%s says %d, want %d", o, got, want)
		}
	}
	for _, reason := range []string{noneFree, noTimeLeft, notAwaited} {
		if verdict(cpis.Failed(cpis.NotSent, reason)) != circuit.Neither {
			t.Errorf("%q is taken for a failure of the Spine", reason)
		}
	}
	noRecord := cpis.DefaultRules().FailedQuery([]cpis.Reason{{Code: "1"}})
	if noRecord.Outcome() != cpis.NoRecord || verdict(noRecord) != circuit.Answered {
		t.Errorf("%s says %d", noRecord.Outcome(), verdict(noRecord))
	}
}
