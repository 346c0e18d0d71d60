package provider

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/replies"
)

// astray is an Exchange that gives out, as it ends, a reply to a question of a process
// that is gone.
type astray struct{}

func (astray) Expect(context.Context, replies.Question, time.Duration) error { return nil }

func (astray) End(context.Context, string, bool) (replies.Left, bool, error) {
	return replies.Left{}, false, nil
}

func (astray) Leave(context.Context, string, replies.Reply) (replies.Fate, string, error) {
	return replies.Unasked, "", nil
}

func (astray) Run(ctx context.Context, arrived func(replies.Left)) {
	<-ctx.Done()
	arrived(replies.Left{RefTo: "A"})
}

// WRD-SPN-17, WRD-OPS-12: once the inbox is shut, and before the log is closed, every
// reply that was taken out of the shared table has been told.
func TestInboxTellsEverythingBeforeTheLogCloses(t *testing.T) {
	told := 0
	i := &inbox{
		room:   replies.NewRoom(replies.Options{Now: time.Now, Exchange: astray{}, Untaken: func(replies.Discard) { told++ }}),
		server: replies.New(replies.Config{Logger: slog.New(slog.DiscardHandler)}),
	}
	i.shutdown(t.Context())
	if told != 1 {
		t.Errorf("%d replies were told, want 1", told)
	}
	i.release()
}
