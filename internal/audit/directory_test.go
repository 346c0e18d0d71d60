package audit

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A write that the file system keeps is waited for no longer than the caller
// likes, and the next begins when it has come back.
func TestDirectoryThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck, writes := make(chan struct{}), 0
		d := newDirectory(t.TempDir(), 9, func() time.Time {
			writes++
			<-stuck
			return time.Now()
		})
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			err := d.Publish(ctx, []byte("note"), Checkpoint{})
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Publish = %v", err)
			}
		}
		synctest.Wait()
		if writes != 1 {
			t.Errorf("%d writes are under way", writes)
		}
		close(stuck)
		err := d.Publish(t.Context(), []byte("note"), Checkpoint{})
		if err != nil || writes != 2 {
			t.Errorf("after %d writes: %v", writes, err)
		}
	})
}
