package handover

import (
	"context"
	"time"

	"github.com/wardsmsp/ward/internal/replies"
)

// Sweep sweeps once, now.
func Sweep(ctx context.Context, t *Table, after time.Duration, arrived func(replies.Left)) error {
	return t.sweep(ctx, after, arrived)
}
