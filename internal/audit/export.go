package audit

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// The directory of exported checkpoints holds the newest in the file
// "checkpoint" and earlier ones in files named for the time of the export and
// the size, such as "checkpoint-20261102T093000.000Z-1200".
const (
	newestFile    = "checkpoint"
	historyPrefix = "checkpoint-"
	historyTime   = "20060102T150405.000Z"

	maxExported = 1 << 12 // bytes of an exported checkpoint
)

// exported is a checkpoint read back from the directory.
type exported struct {
	Checkpoint
	file string
}

// export writes a signed checkpoint of size entries to dir, as the newest and
// into the history, of which it then keeps the newest keep.
func export(dir string, signed []byte, size int64, now time.Time, keep int) error {
	name := fmt.Sprintf("%s%s-%d", historyPrefix, now.UTC().Format(historyTime), size)
	for _, file := range []string{name, newestFile} {
		err := writeFile(dir, file, signed)
		if err != nil {
			return fmt.Errorf("audit: export a checkpoint: %w", err)
		}
	}
	return prune(dir, keep)
}

// prune removes the oldest of the history beyond keep.
func prune(dir string, keep int) error {
	entries, err := os.ReadDir(dir) // sorted by name, so by time
	if err != nil {
		return fmt.Errorf("audit: read the exported checkpoints: %w", err)
	}
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool {
		return !strings.HasPrefix(e.Name(), historyPrefix)
	})
	for _, old := range entries[:max(0, len(entries)-keep)] {
		err := os.Remove(filepath.Join(dir, old.Name()))
		if err != nil {
			return fmt.Errorf("audit: remove an old checkpoint: %w", err)
		}
	}
	return nil
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

// readExported reads all checkpoints in dir, smallest first, and checks their
// signatures. It is an error if dir is not there.
func readExported(dir string, known note.Verifiers, origin string) ([]exported, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("audit: the directory of exported checkpoints: %w", err)
	}
	var all []exported
	for _, entry := range entries {
		if entry.Name() != newestFile && !strings.HasPrefix(entry.Name(), historyPrefix) {
			continue
		}
		signed, err := readFile(filepath.Join(dir, entry.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue // the history was pruned meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("audit: read an exported checkpoint: %w", err)
		}
		c, err := OpenCheckpoint(signed, known, origin)
		if err != nil {
			return nil, fmt.Errorf("audit: exported checkpoint %s: %w", entry.Name(), err)
		}
		all = append(all, exported{c, entry.Name()})
	}
	slices.SortFunc(all, func(a, b exported) int { return cmp.Compare(a.Size, b.Size) })
	return all, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxExported))
}

// exportNow exports the newest checkpoint if it is newer than the last exported.
func (l *Log) exportNow() error {
	l.exporting.Lock()
	defer l.exporting.Unlock()
	c := l.durable.Load()
	if !l.export.Time.IsZero() && l.export.Err == nil && c.Size == l.export.Size {
		return nil
	}
	now := l.options.Now()
	err := export(l.options.Checkpoints, c.note, c.Size, now, l.options.CheckpointKeep)
	l.export.Err = err
	if err == nil {
		l.export.Size, l.export.Time = c.Size, now
	}
	return err
}

// Exported says how the export of checkpoints stands. A failed export does not
// stop the log, and is tried again after CheckpointEvery.
func (l *Log) Exported() Export {
	l.exporting.Lock()
	defer l.exporting.Unlock()
	return l.export
}

func (l *Log) exportLoop() {
	defer close(l.stopped)
	if l.options.Checkpoints == "" {
		return
	}
	ticker := time.NewTicker(l.options.CheckpointEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			err := l.exportNow()
			if err != nil {
				l.options.Logger.Error("audit: a checkpoint was not exported", "event", "audit.export.failed", "cause", err)
			}
		case <-l.stop:
			return
		}
	}
}
