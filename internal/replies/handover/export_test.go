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

// Succeed ends once what an earlier process of the same instance has left.
func Succeed(ctx context.Context, t *Table, arrived func(replies.Left)) error {
	return t.succeed(ctx, arrived)
}
