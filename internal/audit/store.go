package audit

import (
	"context"
	"errors"
	"iter"

	"golang.org/x/mod/sumdb/tlog"
)

// ErrMoved is what Commit returns when the store does not hold Base entries,
// because another writer added some. Nothing was written.
var ErrMoved = errors.New("audit: the store holds another number of entries than expected")

// Reader reads a store. Its methods may be called by several goroutines, and
// while entries are committed by this process or another.
type Reader interface {
	// Head returns the state of the store after the newest commit. All of it
	// belongs to one commit.
	Head(ctx context.Context) (Head, error)

	// Rows returns the stored rows with from <= seq < to in the order of their
	// sequence numbers, as they are: it neither checks them nor fills gaps.
	// The sequence ends at the first error.
	Rows(ctx context.Context, from, to int64) iter.Seq2[Row, error]
}

// Store keeps a log. Everything about the tree, the entries and the signatures
// is decided by Log; a store only keeps what it is given, durably and all at
// once.
type Store interface {
	Reader

	// Commit adds a group in one transaction and returns nil once it is on
	// stable storage. If the store does not hold g.Base entries it writes
	// nothing and returns ErrMoved. Any other error leaves open whether the
	// group was written, but never a part of it.
	Commit(ctx context.Context, g Group) error

	// Claimed returns which of the keys are claimed. The map is the caller's.
	Claimed(ctx context.Context, keys []ClaimKey) (map[ClaimKey]bool, error)
}

// Head is the state of a store.
type Head struct {
	Size       int64   // one more than the greatest sequence number, 0 without rows
	Checkpoint []byte  // as last committed, nil if none ever was
	Open       []int64 // sequence numbers of the open intents, rising
}

// Row is an entry as stored.
type Row struct {
	Seq    int64       // from 0, rising by one
	Leaf   []byte      // the hashed bytes
	Hashes []tlog.Hash // of the leaf and of each complete subtree that ends with it, smallest first
}

// Group is what one commit adds.
type Group struct {
	Base       int64   // the number of entries that the store must hold
	Rows       []Row   // their sequence numbers go on from Base; none to renew the checkpoint only
	Checkpoint []byte  // replaces the stored one
	Opened     []int64 // add these to the open intents,
	Closed     []int64 // then take these out
	Claims     []ClaimRow
	Forget     int64 // claims that end before this Unix time may go, at least as many as are added
}
