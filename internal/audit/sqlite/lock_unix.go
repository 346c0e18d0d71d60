//go:build unix

package sqlite

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock takes the right to write the database at path, held until the returned
// file is closed or the process ends. It locks a file of its own beside the
// database, not the database, so that others can go on reading.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit store: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errors.New("it is already open for writing, by this or another process")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("audit store %s: %w", path, err)
	}
	return f, nil
}
