package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit/merkle"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

// pending is an entry on its way into the log.
type pending struct {
	kind        Kind
	correlation string // as it is kept
	time        int64  // Unix milliseconds
	content     encoded
	claims      []ClaimRow
	removals    []Removal
	refused     bool         // its ids were claimed before; of the writing goroutine
	owner       atomic.Int32 // who decides about it: the queue, the caller or the writing goroutine

	done chan struct{} // closed when seq and err are set
	seq  int64
	err  error
}

const (
	queued int32 = iota
	abandoned
	taken
)

func newPending(e Entry, keys *seal.Keys) (*pending, error) {
	content, err := encode(e, keys)
	if err != nil {
		return nil, err
	}
	correlation, _ := fit(e.Correlation)
	return &pending{
		kind:        e.Kind,
		correlation: correlation,
		time:        e.Time.UnixMilli(),
		content:     content,
		done:        make(chan struct{}),
	}, nil
}

// abandon reports whether the entry will certainly not be written.
func (p *pending) abandon() bool { return p.owner.CompareAndSwap(queued, abandoned) }
func (p *pending) take() bool    { return p.owner.CompareAndSwap(queued, taken) }

func (p *pending) settle(seq int64, err error) {
	p.seq, p.err = seq, err
	close(p.done)
}

// run is the goroutine that writes. It ends when the queue is closed and empty.
//
// A group is expected to be as large as the last one, and no smaller than half
// the open intents: each of them will append once more, and a log that looked at
// its last group alone would keep small groups small. While entries come so slowly
// that hardly one would come in time, nothing more is expected.
func (l *Log) run() {
	defer close(l.written)
	var retry <-chan time.Time // set while the last commit failed
	var pace pace
	expected := 1
	for {
		var group []*pending
		select {
		case p, ok := <-l.queue:
			if !ok {
				return
			}
			if pace.within(l.options.MaxWait) < 1 {
				expected = 1
			}
			group = l.collect(p, expected)
			if len(group) == 0 {
				continue
			}
			pace.add(len(group), time.Now())
			expected = len(group)
		case <-retry:
		}
		err := l.write(l.ctx, group)
		retry = nil
		l.asking = max(0, l.asking+opens(group, err == nil))
		expected = max(expected, l.asking/2)
		if err != nil {
			retry = time.After(l.options.RetryEvery)
		}
	}
}

// pace is how fast entries came of late: the newest groups count most.
type pace struct {
	last             time.Time
	entries, seconds float64
}

// add counts a group that was complete at a time. A pause says little about what
// comes after it, and counts for a tenth of a second at most.
func (p *pace) add(entries int, at time.Time) {
	const kept = 0.9
	p.entries = kept*p.entries + float64(entries)
	p.seconds = kept*p.seconds + min(at.Sub(p.last).Seconds(), 0.1)
	p.last = at
}

// within is how many more entries are likely to come within d.
func (p *pace) within(d time.Duration) float64 {
	if p.seconds == 0 {
		return 0
	}
	return p.entries / p.seconds * d.Seconds()
}

// opens is how many more questions a group begins than it ends. One that was not
// recorded does not begin, but has ended all the same.
func opens(group []*pending, recorded bool) int {
	n := 0
	for _, p := range group {
		switch {
		case p.refused && recorded, p.kind == Intent && !recorded:
		case p.kind == Intent:
			n++
		case p.kind.closes():
			n--
		}
	}
	return n
}

// collect gathers a group that begins with first: what waits already, and what
// comes within MaxWait as long as the group is smaller than expected.
// So a lone appender never waits, and many share a commit.
func (l *Log) collect(first *pending, expected int) []*pending {
	var group []*pending
	if first.take() {
		group = append(group, first)
	}
	var timeout <-chan time.Time
	for len(group) < l.options.MaxGroup {
		var p *pending
		var ok bool
		select {
		case p, ok = <-l.queue:
		default:
			if len(group) == 0 || len(group) >= expected {
				return group
			}
			if timeout == nil {
				timer := time.NewTimer(l.options.MaxWait)
				defer timer.Stop()
				timeout = timer.C
			}
			select {
			case p, ok = <-l.queue:
			case <-timeout:
				return group
			}
		}
		if !ok {
			return group
		}
		if p.take() {
			group = append(group, p)
		}
	}
	return group
}

// write commits a group, which may be empty, and settles its entries.
func (l *Log) write(ctx context.Context, group []*pending) error {
	now := l.clock.at(l.options.Now(), l.options.Uptime())
	base, err := int64(0), error(nil)
	if len(group) > 0 {
		var step *pending
		step, err = stepped(l.clock, now, l.options.Instance, l.options.Keys)
		if step != nil {
			group = slices.Insert(group, 0, step)
		}
	}
	if err == nil {
		began := time.Now()
		l.writing.Store(&began)
		base, err = l.commit(ctx, group, now.sure)
		l.writing.Store(nil)
		l.options.Committed(time.Since(began), err)
	}
	if err == nil && len(group) > 0 {
		l.clock = now
	}
	was := l.failed()
	if err != nil {
		l.failure.Store(&err)
		if was == nil {
			l.options.Logger.Error("audit: the log cannot be written", "event", "audit.failed", "cause", err, "entries", len(group))
		}
	} else {
		l.failure.Store(nil)
		if was != nil {
			l.options.Logger.Info("audit: the log can be written again", "event", "audit.restored", "entries", base)
		}
	}
	for _, p := range group {
		switch {
		case err != nil:
			p.settle(0, err)
		case p.refused:
			p.settle(0, ErrClaimed)
		default:
			p.settle(base, nil)
			base++
		}
	}
	return err
}

// maxConflicts is how often one commit is tried while the database takes it back.
const maxConflicts = 10

// commit commits a group and returns the sequence number of its first entry. Claims
// that ended before forget may go.
func (l *Log) commit(ctx context.Context, group []*pending, forget time.Time) (base int64, err error) {
	for range maxConflicts {
		base, err = l.commitOnce(ctx, group, forget)
		if !errors.Is(err, ErrConflict) {
			return base, err
		}
	}
	return 0, err
}

// commitOnce waits for its turn and commits what it then makes of a group.
// After a failure, which may have left the group in the store or not, the next
// commit first reads what the store holds. It does so before its turn: that takes
// longer than to follow, and others would have to wait for it.
func (l *Log) commitOnce(ctx context.Context, group []*pending, forget time.Time) (base int64, err error) {
	at := l.state
	l.state = nil // until it is known to be that of the store again
	if at == nil {
		at, err = l.read(ctx)
		if err != nil {
			return 0, err
		}
	}
	var added signed
	err = l.options.Store.Commit(ctx, func(turn Turn) (g Group, err error) {
		if at.Size != turn.Size() {
			at, err = l.follow(ctx, *at, turn)
			if err != nil {
				return Group{}, err
			}
		}
		base = at.Size
		err = admit(ctx, turn, group)
		if err != nil {
			return Group{}, err
		}
		g = compose(at, group, forget)
		added.Checkpoint = Checkpoint{Origin: l.options.Origin, Size: at.Size, Root: at.Root()}
		added.note, err = added.sign(l.options.Signer)
		g.Checkpoint = added.note
		return g, err
	})
	if err != nil {
		return 0, err
	}
	l.state = at
	l.durable.Store(&added)
	return base, nil
}

// maxFollow is how many entries of others are read one by one; after more, the edge
// is read as a whole.
const maxFollow = 1 << 12

// follow adds to the edge of what this log knew what other writers have added since,
// and checks that their checkpoint is of just that. It costs one reading, where read
// costs some for every level of the tree: all others wait meanwhile.
func (l *Log) follow(ctx context.Context, at merkle.Edge, turn Turn) (*merkle.Edge, error) {
	note, err := turn.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	head := Head{Size: turn.Size(), Checkpoint: note}
	if head.Size <= at.Size || head.Size > at.Size+maxFollow {
		return l.read(ctx)
	}
	c, err := l.checkpoint(head)
	if err != nil {
		return nil, err
	}
	var hashes []tlog.Hash
	for row, err := range rows(ctx, l.options.Store, at.Size, head.Size) {
		if err != nil {
			return nil, err
		}
		if row.Seq != at.Size {
			return nil, missing(at.Size, row.Seq-1)
		}
		hashes = at.Add(row.Leaf, hashes[:0])
	}
	if at.Size < head.Size {
		return nil, missing(at.Size, head.Size-1)
	}
	if at.Root() != c.Root {
		return nil, fmt.Errorf("audit: the store's %d entries do not go on from those that were there before", head.Size)
	}
	return &at, nil
}

// checkpoint opens the checkpoint of a store, which must cover what the store holds.
func (l *Log) checkpoint(head Head) (Checkpoint, error) {
	c, err := OpenCheckpoint(head.Checkpoint, l.known, l.options.Origin)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("the store: %w", err)
	}
	if c.Size != head.Size {
		return Checkpoint{}, fmt.Errorf("audit: the store holds %d entries but its checkpoint covers %d", head.Size, c.Size)
	}
	return c, nil
}

// compose adds the admitted entries of a group to the edge of the tree.
func compose(at *merkle.Edge, group []*pending, forget time.Time) Group {
	g := Group{Base: at.Size, Rows: make([]Row, 0, len(group)), Forget: forget.Unix()}
	for _, p := range group {
		if !p.refused {
			g.add(at, p)
		}
	}
	slices.SortFunc(g.Terms, compareTerms)
	return g
}

// add adds an entry to a group and to the edge of the tree.
func (g *Group) add(at *merkle.Edge, p *pending) {
	seq := at.Size
	leaf := p.content.leaf(seq)
	hashes := at.Add(leaf, nil)
	g.Rows = append(g.Rows, Row{Seq: seq, Leaf: leaf, Sealed: p.content.sealed, Hashes: hashes})
	g.Claims = append(g.Claims, p.claims...)
	g.Removals = append(g.Removals, p.removals...)
	for _, term := range p.content.terms {
		g.Terms = append(g.Terms, TermRow{term, seq})
	}
	g.Spans = widen(g.Spans, seq, p.time)
	switch {
	case p.kind == Intent:
		g.Opened = append(g.Opened, Opened{seq, p.correlation})
	case p.kind.closes():
		g.Closed = append(g.Closed, Opened{seq, p.correlation})
	}
}

// widen makes the last of some spans hold one more time, or begins another.
func widen(spans []Span, seq, time int64) []Span {
	number := seq / SpanSize
	if len(spans) == 0 || spans[len(spans)-1].Number != number {
		return append(spans, Span{number, time, time})
	}
	last := &spans[len(spans)-1]
	last.First, last.Last = min(last.First, time), max(last.Last, time)
	return spans
}

func compareTerms(a, b TermRow) int {
	return cmp.Or(cmp.Compare(a.Term, b.Term), cmp.Compare(a.Seq, b.Seq))
}

// read reads the edge of the store's tree and refuses a doubtful store, and one that
// does not begin with what this log already made durable.
func (l *Log) read(ctx context.Context) (*merkle.Edge, error) {
	head, err := l.options.Store.Head(ctx)
	if err != nil {
		return nil, err
	}
	durable := l.durable.Load()
	if head.Size == 0 && head.Checkpoint == nil && len(head.Open) == 0 && durable == nil {
		return &merkle.Edge{}, nil
	}
	c, err := l.checkpoint(head)
	if err != nil {
		return nil, err
	}
	at, err := readEdge(ctx, l.options.Store, head.Size)
	if err != nil {
		return nil, err
	}
	if at.Root() != c.Root {
		return nil, fmt.Errorf("audit: the stored tree of %d entries has another root than its checkpoint", head.Size)
	}
	if durable != nil {
		err := beginsWith(ctx, l.options.Store, head.Size, durable.Checkpoint)
		if err != nil {
			return nil, fmt.Errorf("audit: the store is not that of before: %w", err)
		}
	}
	return &at, nil
}

// beginsWith checks that the first entries of a store that holds size of them
// are those of a checkpoint.
func beginsWith(ctx context.Context, store Reader, size int64, c Checkpoint) error {
	if c.Size > size {
		return fmt.Errorf("the checkpoint covers %d entries but the store holds %d: "+
			"the store was cut short or replaced by an older copy", c.Size, size)
	}
	e, err := readEdge(ctx, store, c.Size)
	if err != nil {
		return err
	}
	if e.Root() != c.Root {
		return fmt.Errorf("the store's first %d entries are not those of the checkpoint", c.Size)
	}
	return nil
}

func readIntent(ctx context.Context, store Reader, keys *seal.Keys, opened Opened) (Entry, error) {
	row, err := readRow(ctx, store, opened.Seq)
	if err != nil {
		return Entry{}, err
	}
	record, err := ReadRow(row, keys)
	if err != nil {
		return Entry{}, err
	}
	if record.Entry.Kind != Intent || record.Entry.Correlation != opened.Correlation {
		return Entry{}, &Mismatch{First: row.Seq, Last: row.Seq, Reason: "is in the list of open intents but is not that intent"}
	}
	return record.Entry, nil
}

// parseRow reads a row's leaf, which must be that of its place.
func parseRow(row Row) (Leaf, error) {
	var r LeafReader
	leaf, err := readLeaf(&r, row)
	if err != nil {
		return Leaf{}, err
	}
	return *leaf, nil
}

func readLeaf(r *LeafReader, row Row) (*Leaf, error) {
	leaf, err := r.Read(row.Leaf)
	switch {
	case err != nil:
		return nil, &Mismatch{First: row.Seq, Last: row.Seq, Reason: "cannot be read: " + err.Error()}
	case leaf.Seq != row.Seq:
		return nil, &Mismatch{First: row.Seq, Last: row.Seq, Reason: fmt.Sprintf("holds the sequence number %d", leaf.Seq)}
	}
	return leaf, nil
}
