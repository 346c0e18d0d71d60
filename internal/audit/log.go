package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit/merkle"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

var (
	// ErrBusy is returned by Append when MaxQueue entries already wait.
	ErrBusy = errors.New("audit: too many entries wait to be written")
	// ErrClosed is returned by Append once Close was called.
	ErrClosed = errors.New("audit: the log is closed")
)

// Options say how a log is kept. Store, Signer and Keys are required; zero values of
// the others mean the defaults given.
type Options struct {
	Store  Store
	Signer note.Signer // signs the checkpoints; Ed25519
	Keys   *seal.Keys  // seal what is personal
	Origin string      // names the log in its checkpoints; the signer's name
	// Instance names this one of several writers of the store, in its entries.
	Instance string

	MaxGroup int           // entries in one commit; 256
	MaxWait  time.Duration // how long to wait for as many entries as came last time; 1 ms
	MaxQueue int           // entries that may wait for a commit; 4096

	// Checkpoints are existing directories outside the store, at best on other
	// machines, to which checkpoints are exported.
	Checkpoints  []string
	Destinations []Destination // to which they are exported too
	Witnesses    []Witness     // who are asked to cosign them first; at most MaxWitnesses

	CheckpointEvery time.Duration // how often, if anything was added; 1 minute
	CheckpointKeep  int           // how many of the history in each directory; 1024
	ExportTimeout   time.Duration // that one place or witness may take each time; 10 s

	RetryEvery time.Duration        // how often a failed commit is tried again when nothing is appended; 1 s
	Now        func() time.Time     // names exported files, and forgets claims; time.Now
	Uptime     func() time.Duration // since some moment, whatever the clock is set to; since the log was opened
	Logger     *slog.Logger         // slog.Default()

	// Committed hears of each commit, how long it took and whether it failed. It must
	// not wait. May be nil.
	Committed func(took time.Duration, err error)
}

func (o *Options) complete() error {
	if o.Store == nil || o.Signer == nil || o.Keys == nil {
		return errors.New("audit: a log needs a store, a signer and keys")
	}
	if len(o.Witnesses) > MaxWitnesses {
		return fmt.Errorf("audit: a log has at most %d witnesses", MaxWitnesses)
	}
	if o.Origin == "" {
		o.Origin = o.Signer.Name()
	}
	o.MaxGroup = positive(o.MaxGroup, 256)
	o.MaxWait = positive(o.MaxWait, time.Millisecond)
	o.MaxQueue = positive(o.MaxQueue, 4096)
	o.CheckpointEvery = positive(o.CheckpointEvery, time.Minute)
	o.CheckpointKeep = positive(o.CheckpointKeep, 1024)
	o.ExportTimeout = positive(o.ExportTimeout, 10*time.Second)
	o.RetryEvery = positive(o.RetryEvery, time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Uptime == nil {
		opened := time.Now()
		o.Uptime = func() time.Duration { return time.Since(opened) }
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Committed == nil {
		o.Committed = func(time.Duration, error) {}
	}
	return nil
}

func positive[T int | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// Log is an open audit log. Its methods may be called by several goroutines.
type Log struct {
	options Options
	known   note.Verifiers
	queue   chan *pending
	failure atomic.Pointer[error]     // why the last commit failed
	writing atomic.Pointer[time.Time] // when the commit under way began, nil if none is
	durable atomic.Pointer[signed]    // the newest checkpoint
	state   *merkle.Edge              // of the store's tree; nil when in doubt; of the writing goroutine
	asking  int                       // intents of this log that wait for their outcome; of the writing goroutine
	clock   clock                     // at the newest commit of entries; of the writing goroutine
	ctx     context.Context           // ends what the writing goroutine does
	cancel  context.CancelFunc
	written chan struct{} // closed when the writing goroutine has ended

	mu     sync.RWMutex // held to add to the queue, held alone to close it
	closed bool

	exporter *exporter
}

// signed is a checkpoint with its signed form.
type signed struct {
	Checkpoint
	note []byte
}

// Open opens a log. An empty store becomes a new log. A store in a doubtful
// state is refused: when its checkpoint was not signed by the Signer, does not
// cover exactly the stored entries or has another root than they do, and when a
// checkpoint in one of the Checkpoints directories is not signed, is newer than
// the store, or is of other entries. Open reads only the edge of the tree;
// [Verify] reads everything.
//
// Each of the directories must be there and take a checkpoint. Destinations and
// witnesses are not waited for.
//
// The caller closes the store, after the log.
func Open(ctx context.Context, options Options) (*Log, error) {
	err := options.complete()
	if err != nil {
		return nil, err
	}
	l := &Log{
		options: options,
		known:   note.VerifierList(own{options.Signer}),
		queue:   make(chan *pending, options.MaxQueue),
		written: make(chan struct{}),
	}
	// Read before the store, which must then be at least as new.
	newest := make([]*Exported, len(options.Checkpoints))
	for i, dir := range options.Checkpoints {
		all, err := ReadExported(dir, l.known, options.Origin)
		if err != nil {
			return nil, err
		}
		if len(all) > 0 {
			newest[i] = &all[len(all)-1]
		}
	}
	l.state, err = l.read(ctx)
	if err != nil {
		return nil, err
	}
	l.clock, err = l.startClock(ctx)
	if err != nil {
		return nil, err
	}
	_, err = l.OpenIntents(ctx)
	if err != nil {
		return nil, err
	}
	for i, dir := range options.Checkpoints {
		if newest[i] == nil && l.state.Size > 0 {
			options.Logger.Warn("audit: no exported checkpoint to compare the log with", "event", "audit.uncompared", "directory", dir, "entries", l.state.Size)
		}
		if newest[i] == nil {
			continue
		}
		err := beginsWith(ctx, options.Store, l.state.Size, newest[i].Checkpoint)
		if err != nil {
			return nil, fmt.Errorf("audit: the exported checkpoint %s: %w", newest[i].Path, err)
		}
	}
	// Shows that the store can be written, and signs the empty tree of a new log.
	err = l.write(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("audit: the store cannot be written: %w", err)
	}
	l.exporter = newExporter(&l.options, l.known, l.durable.Load)
	err = l.exporter.start(ctx)
	if err != nil {
		return nil, err
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	go l.run()
	return l, nil
}

// Append adds an entry and returns its sequence number, which counts from 0,
// once the entry is durable.
//
// After an error the entry must be taken as not recorded, although it may be in
// the log: when the commit failed in a way that leaves its end open, or when
// ctx ended after the commit began. An entry that ctx ended before that is not
// written. A full queue is an error at once, ErrBusy. Values that are too long
// or not UTF-8 are altered to fit (see Entry.Altered), never refused.
func (l *Log) Append(ctx context.Context, e Entry) (seq int64, err error) {
	return l.append(ctx, e, nil, nil)
}

func (l *Log) append(ctx context.Context, e Entry, claims []ClaimRow, removals []Removal) (seq int64, err error) {
	err = e.check()
	if err != nil {
		return 0, err
	}
	err = ctx.Err()
	if err != nil {
		return 0, fmt.Errorf("audit: the entry was not recorded: %w", err)
	}
	e.Instance = l.options.Instance
	p, err := newPending(e, l.options.Keys)
	if err != nil {
		return 0, fmt.Errorf("audit: the entry was not recorded: %w", err)
	}
	p.claims, p.removals = claims, removals
	err = l.enqueue(p)
	if err != nil {
		return 0, err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		if p.abandon() {
			return 0, fmt.Errorf("audit: the entry was not recorded: %w", ctx.Err())
		}
		select {
		case <-p.done: // it is decided after all
		default:
			return 0, fmt.Errorf("audit: whether the entry was recorded is not known: %w", ctx.Err())
		}
	}
	if p.err != nil {
		return 0, fmt.Errorf("audit: the entry was not recorded: %w", p.err)
	}
	return p.seq, nil
}

func (l *Log) enqueue(p *pending) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return ErrClosed
	}
	select {
	case l.queue <- p:
		return nil
	default:
		return ErrBusy
	}
}

// stalled is how long a commit may take before the log is not healthy: a disc that
// hangs gives no error.
const stalled = 5 * time.Second

// Healthy returns nil, or why the last commit failed, or that the one under way does
// not come to an end. While there is a failure the log tries again by itself, so that
// it recovers without traffic.
func (l *Log) Healthy() error {
	began := l.writing.Load()
	if began != nil && time.Since(*began) > stalled {
		return fmt.Errorf("audit: a commit has been under way for %v: the disc hangs, or another process locks the database", time.Since(*began).Round(time.Second))
	}
	return l.failed()
}

// failed is why the last commit failed.
func (l *Log) failed() error {
	err := l.failure.Load()
	if err == nil {
		return nil
	}
	return *err
}

// Size returns the number of durable entries of this log.
func (l *Log) Size() int64 { return l.durable.Load().Size }

// Queued returns how many entries wait for a commit.
func (l *Log) Queued() int { return len(l.queue) }

// OpenIntents returns the intents of this instance without an outcome, oldest first,
// in time proportional to the number of all. After a restart these are the questions
// whose outcome is unknown (WRD-AUD-05); recording a Recovered entry with the same
// correlation closes them. Those of other instances are under way, or for them to
// close. Those without an instance are of a store that had one writer, before it was
// moved to one with several: that writer is gone. A log without an instance is the
// only writer, and has all of them.
func (l *Log) OpenIntents(ctx context.Context) ([]Entry, error) {
	head, err := l.options.Store.Head(ctx)
	if err != nil {
		return nil, err
	}
	var open []Entry
	for _, opened := range head.Open {
		e, err := readIntent(ctx, l.options.Store, l.options.Keys, opened)
		if err != nil {
			return nil, err
		}
		if l.options.Instance == "" || e.Instance == "" || e.Instance == l.options.Instance {
			open = append(open, e)
		}
	}
	return open, nil
}

// Record is an entry of the log with its place and its stored bytes.
type Record struct {
	Seq    int64
	Leaf   []byte // the hashed bytes
	Sealed []byte // the content as stored, nil if there is none
	Entry  Entry
	State  State // whether Entry is all there is
}

// Entries returns the durable entries with from <= seq < to. It ends at the
// first error. It checks the form of each leaf but not the tree.
func (l *Log) Entries(ctx context.Context, from, to int64) iter.Seq2[Record, error] {
	return Entries(ctx, l.options.Store, l.options.Keys, from, to)
}

// Entries returns the entries of a store with from <= seq < to, as Log.Entries.
// Without keys what is personal stays sealed.
func Entries(ctx context.Context, store Reader, keys *seal.Keys, from, to int64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for row, err := range rows(ctx, store, from, to) {
			var record Record
			if err == nil {
				record, err = ReadRow(row, keys)
			}
			if !yield(record, err) || err != nil {
				return
			}
		}
	}
}

// ReadRow reads one row, and opens its content if there are keys.
func ReadRow(row Row, keys *seal.Keys) (Record, error) {
	leaf, err := parseRow(row)
	if err != nil {
		return Record{}, err
	}
	state, err := leaf.open(row, keys)
	return Record{row.Seq, row.Leaf, row.Sealed, leaf.Entry, state}, err
}

// Close stops taking entries, writes those that wait, exports a last checkpoint
// and ends the log's goroutines. If ctx ends first the entries that still wait
// fail. A place that did not take the last checkpoint, or a witness that did not
// cosign it, is an error too. Only the first call does anything.
func (l *Log) Close(ctx context.Context) error {
	l.mu.Lock()
	first := !l.closed
	l.closed = true
	if first {
		close(l.queue)
		l.exporter.stop()
	}
	l.mu.Unlock()
	if !first {
		return nil
	}
	defer l.cancel()
	select {
	case <-l.written:
	case <-ctx.Done():
		l.cancel()
		return fmt.Errorf("audit: the log was not closed in order: %w", ctx.Err())
	}
	return errors.Join(l.Healthy(), l.exporter.finish(ctx))
}
