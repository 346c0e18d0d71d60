package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit/seal"
)

// ErrConflict is what Commit returns when the database took the commit back for the
// sake of another. Nothing was written, and it may be tried again.
var ErrConflict = errors.New("audit: the database took the commit back for the sake of another")

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

	// Hashes returns the stored hashes of the entries seqs, in their order; it is an
	// error if one is not there.
	Hashes(ctx context.Context, seqs []int64) ([][]tlog.Hash, error)

	// Find returns the sequence numbers, falling, at most limit of them, of the
	// entries with from <= seq < to that have one term of each list.
	Find(ctx context.Context, all [][]seal.Term, from, to int64, limit int) ([]int64, error)

	// Terms returns the stored terms of the entries of one block of BlockSize.
	Terms(ctx context.Context, block int64) ([]TermRow, error)

	// Claims returns the stored claims whose keys are greater than after, by rising
	// key. The sequence ends at the first error.
	Claims(ctx context.Context, after ClaimKey) iter.Seq2[ClaimRow, error]

	// Spans returns the stored spans that have a time within since <= t < until,
	// in the order of their numbers.
	Spans(ctx context.Context, since, until int64) ([]Span, error)
}

// Checker is a Reader that can tell what reading entries does not show: damage to how
// they are kept, and contents, terms, spans and open intents that belong to no entry.
// What is kept under the number of an entry, in the block or span of that number, need
// not be looked at: Verify compares it.
type Checker interface {
	// Check is a *Mismatch if it can name an entry, another error if it cannot, and
	// nil if all is right. Everything it says is of one state of the store.
	Check(ctx context.Context) error
}

// Store keeps a log. Everything about the tree, the entries and the signatures
// is decided by Log; a store only keeps what it is given, durably and all at
// once.
type Store interface {
	Reader

	// Commit waits for the turn of this writer, in which no other one commits, calls
	// compose once, adds the group that it returns in one transaction, and returns nil
	// once that is on stable storage. The end of ctx ends the waiting.
	//
	// An error of compose comes back, a group that does not follow on what the store
	// holds is an error, and so is ErrConflict: then nothing was written. Any other
	// error leaves open whether the group was written, but never a part of it.
	//
	// Others wait while compose runs. It may read the store, but not commit to it.
	Commit(ctx context.Context, compose func(Turn) (Group, error)) error
}

// Turn is what one writer alone may add to, until the end of its commit.
type Turn interface {
	// Size returns how many entries the store holds.
	Size() int64

	// Checkpoint returns the checkpoint of the store, nil if none ever was committed.
	Checkpoint(ctx context.Context) ([]byte, error)

	// Claimed returns which of the keys are claimed. The map is the caller's.
	Claimed(ctx context.Context, keys []ClaimKey) (map[ClaimKey]bool, error)
}

// Head is the state of a store.
type Head struct {
	Size       int64    // one more than the greatest sequence number, 0 without rows
	Checkpoint []byte   // as last committed, nil if none ever was
	Open       []Opened // the open intents, by rising sequence number
}

// Opened is an intent without an outcome.
type Opened struct {
	Seq         int64
	Correlation string
}

// Row is an entry as stored.
type Row struct {
	Seq    int64       // from 0, rising by one
	Leaf   []byte      // the hashed bytes
	Sealed []byte      // the content, nil if there is none any more or there never was
	Hashes []tlog.Hash // of the leaf and of each complete subtree that ends with it, smallest first
}

// BlockSize is how many entries share a block. The terms are kept block by block, so
// that adding one costs the same however long the log is: a search looks into one
// block after another. A larger block makes searches faster and commits slower.
const BlockSize = 1 << 14

// TermRow is a term of an entry.
type TermRow struct {
	Term seal.Term
	Seq  int64
}

// Block is the number of the block to which an entry belongs.
func (t TermRow) Block() int64 { return t.Seq / BlockSize }

// SpanSize is how many entries share a span.
const SpanSize = 1 << 10

// Span is the times of the entries of one span, of which a clock that was set back
// may make a mess.
type Span struct {
	Number      int64 // sequence number / SpanSize
	First, Last int64 // the least and the greatest time, Unix milliseconds
}

// Removal takes the content and its terms from an entry and leaves its leaf.
type Removal struct {
	Seq   int64
	Terms []seal.Term
}

// Group is what one commit adds.
type Group struct {
	Base       int64     // the number of entries that the store must hold
	Rows       []Row     // their sequence numbers go on from Base; none to renew the checkpoint only
	Checkpoint []byte    // replaces the stored one
	Opened     []Opened  // add these to the open intents,
	Closed     []Opened  // then take out those of these correlations that are of smaller numbers
	Terms      []TermRow // of Rows, by rising term and sequence number
	Spans      []Span    // of Rows: to widen the stored ones with
	Removals   []Removal // what entries before Base lose
	Claims     []ClaimRow
	Forget     int64 // claims that end before this Unix time may go, at least as many as are added
}

// Follows returns nil if the group can be added to a store that holds size entries.
func (g Group) Follows(size int64) error {
	if g.Base != size {
		return fmt.Errorf("audit: the store holds %d entries where the group follows on %d: something else writes to it", size, g.Base)
	}
	return nil
}
