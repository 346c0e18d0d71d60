package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// A directory of exported checkpoints holds the newest in the file
// "checkpoint" and earlier ones in files named for the time of the export and
// the size, such as "checkpoint-20261102T093000.000Z-1200".
const (
	newestFile    = "checkpoint"
	historyPrefix = "checkpoint-"
	historyTime   = "20060102T150405.000Z"

	maxExported = 1 << 14 // bytes of an exported checkpoint with its cosignatures
)

// Exported is a checkpoint read back from a directory.
type Exported struct {
	Checkpoint
	Path string // of its file
}

// directory is a directory of exported checkpoints. It is a Destination.
type directory struct {
	path string
	keep int // of the history
	now  func() time.Time
	busy chan struct{} // holds one while a write is under way
}

func newDirectory(path string, keep int, now func() time.Time) *directory {
	return &directory{path: path, keep: keep, now: now, busy: make(chan struct{}, 1)}
}

// Name implements Destination.
func (d *directory) Name() string { return d.path }

// Publish implements Destination. A network file system may keep a write for as
// long as it likes: that is waited for no longer than ctx lasts, and no other
// write begins meanwhile.
func (d *directory) Publish(ctx context.Context, signed []byte, c Checkpoint) error {
	select {
	case d.busy <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("an earlier write to the directory has not come back; check its file system: %w", ctx.Err())
	}
	written := make(chan error, 1)
	go func() {
		err := export(d.path, signed, c.Size, d.now(), d.keep)
		<-d.busy
		written <- err
	}()
	select {
	case err := <-written:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the write to the directory does not come back; check its file system: %w", ctx.Err())
	}
}

// export writes a signed checkpoint of size entries to dir, as the newest and
// into the history, of which it then keeps the newest keep.
func export(dir string, signed []byte, size int64, now time.Time, keep int) error {
	name := fmt.Sprintf("%s%s-%d", historyPrefix, now.UTC().Format(historyTime), size)
	for _, file := range []string{name, newestFile} {
		err := writeFile(dir, file, signed)
		if err != nil {
			return err
		}
	}
	return prune(dir, keep)
}

// prune removes the oldest of the history beyond keep: those of fewest entries, since
// the times in the names are those of a clock that may have been wrong.
func prune(dir string, keep int) error {
	entries, err := os.ReadDir(dir) // sorted by name, so by time
	if err != nil {
		return fmt.Errorf("read the history of checkpoints: %w", err)
	}
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool {
		return !strings.HasPrefix(e.Name(), historyPrefix)
	})
	slices.SortStableFunc(entries, func(a, b os.DirEntry) int { return cmp.Compare(sizeOf(a.Name()), sizeOf(b.Name())) })
	for _, old := range entries[:max(0, len(entries)-keep)] {
		err := os.Remove(filepath.Join(dir, old.Name()))
		if err != nil {
			return fmt.Errorf("remove an old checkpoint: %w", err)
		}
	}
	return nil
}

// sizeOf is the number of entries in the name of a file of the history, 0 if it has
// none: who put it there is not the log.
func sizeOf(name string) int64 {
	size, err := strconv.ParseInt(name[strings.LastIndexByte(name, '-')+1:], 10, 64)
	if err != nil {
		return 0
	}
	return size
}

// writeFile writes a file so that at any instant, and after a loss of power,
// it is there with its old content or with its new.
func writeFile(dir, name string, content []byte) error {
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // does nothing once the file is renamed
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(0o644) // a checkpoint holds nothing personal and is there to be read
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err != nil {
		return err
	}
	err = os.Rename(f.Name(), filepath.Join(dir, name))
	if err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ReadExported reads all exported checkpoints in dir, smallest first, and checks their
// signatures. It is an error if dir is not there.
func ReadExported(dir string, known note.Verifiers, origin string) ([]Exported, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("audit: the directory of exported checkpoints: %w", err)
	}
	var all []Exported
	for _, entry := range entries {
		if entry.Name() != newestFile && !strings.HasPrefix(entry.Name(), historyPrefix) {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		signed, err := readFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // the history was pruned meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("audit: read an exported checkpoint: %w", err)
		}
		c, err := OpenCheckpoint(signed, known, origin)
		if err != nil {
			return nil, fmt.Errorf("audit: exported checkpoint %s: %w", path, err)
		}
		all = append(all, Exported{c, path})
	}
	sortBySize(all)
	return all, nil
}

func sortBySize(all []Exported) {
	slices.SortStableFunc(all, func(a, b Exported) int { return cmp.Compare(a.Size, b.Size) })
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxExported))
}
