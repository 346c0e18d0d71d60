//go:build !unix

package sqlite

import (
	"errors"
	"os"
)

// lock fails where a lock that ends with the process is not at hand: the log
// must not have two writers.
func lock(string) (*os.File, error) {
	return nil, errors.New("audit store: writing needs a Unix system")
}
