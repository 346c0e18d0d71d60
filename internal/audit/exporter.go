package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	// MaxWitnesses bounds the witnesses of one log.
	MaxWitnesses = 8

	maxCosigned = 1 << 10 // bytes that one witness may add to a checkpoint
)

// Destination is a place outside the store that takes checkpoints.
type Destination interface {
	// Name names the place in log lines and in Exported. It holds no secret.
	Name() string

	// Publish gives the place a signed checkpoint, which it must not alter, and
	// returns nil once the place has taken it. It returns soon after ctx ends.
	// It is not called again before it has returned.
	Publish(ctx context.Context, signed []byte, c Checkpoint) error
}

// Witness is somebody else who says that a log was only ever added to.
type Witness interface {
	// Name names the witness in log lines and in Exported.
	Name() string

	// Cosign asks the witness to cosign a signed checkpoint, which it must not
	// alter, and returns one or more signature lines of a note, checked, for the
	// end of that checkpoint: at most 1024 bytes. It returns soon after ctx ends.
	// It is not called again before it has returned.
	Cosign(ctx context.Context, signed []byte, c Checkpoint, prove Prove) (lines []byte, err error)
}

// Prove returns the proof that the entries of a checkpoint begin with the first
// from entries of its log (RFC 6962, section 2.1.2). It is empty from 0, and from
// as many as the checkpoint covers.
type Prove func(ctx context.Context, from int64) (tlog.TreeProof, error)

// Export says how one place of checkpoints or one witness stands.
type Export struct {
	Name string    // of the directory, the destination or the witness
	Size int64     // entries covered by the newest checkpoint that it took or cosigned
	Time time.Time // when it did; zero if not since the log was opened
	Err  error     // why the last attempt failed, nil if it did not
}

// Exported says how each directory stands, then each destination, then each
// witness. A failure does not stop the log or keep the checkpoint from the
// others, and is tried again after CheckpointEvery.
func (l *Log) Exported() []Export { return l.exporter.standings() }

// exporter has checkpoints cosigned and gives them to the places outside the
// store. One goroutine at a time exports: first that of Open, then its own, then
// that of Close.
type exporter struct {
	options     *Options
	known       note.Verifiers
	newest      func() *signed // the newest checkpoint
	directories []*place
	places      []*place // the directories, then the destinations
	witnesses   []*witness

	ctx     context.Context // ends what the exporter's own goroutine does
	stop    context.CancelFunc
	stopped chan struct{} // closed when that goroutine has ended

	mu sync.Mutex // guards the standing of each place and witness
}

// place is a directory or destination.
type place struct {
	Destination
	taken    []byte // the checkpoint that it took last, with its cosignatures
	standing Export
}

// witness is a witness and what it last cosigned.
type witness struct {
	Witness
	cosigned []byte // the checkpoint
	lines    []byte // its signature lines for that
	standing Export
}

func newExporter(options *Options, known note.Verifiers, newest func() *signed) *exporter {
	x := &exporter{options: options, known: known, newest: newest, stopped: make(chan struct{})}
	x.ctx, x.stop = context.WithCancel(context.Background())
	for _, path := range options.Checkpoints {
		d := newDirectory(path, options.CheckpointKeep, options.Now)
		x.directories = append(x.directories, newPlace(d))
	}
	x.places = slices.Clone(x.directories)
	for _, d := range options.Destinations {
		x.places = append(x.places, newPlace(d))
	}
	for _, w := range options.Witnesses {
		x.witnesses = append(x.witnesses, &witness{Witness: w, standing: Export{Name: w.Name()}})
	}
	return x
}

func newPlace(d Destination) *place {
	return &place{Destination: d, standing: Export{Name: d.Name()}}
}

// start writes the newest checkpoint to the directories and begins to export. A
// start must not hang on what is out of reach, so the witnesses and destinations
// are left to the goroutine.
func (x *exporter) start(ctx context.Context) error {
	c := x.newest()
	x.publish(ctx, x.directories, c.note, c.Checkpoint)
	err := x.failures()
	if err != nil {
		x.stop()
		return err
	}
	go x.run(c)
	return nil
}

// run exports the checkpoint of the start, then the newest every so often.
func (x *exporter) run(first *signed) {
	defer close(x.stopped)
	if len(x.places) == 0 && len(x.witnesses) == 0 {
		return
	}
	ticker := time.NewTicker(x.options.CheckpointEvery)
	defer ticker.Stop()
	x.export(x.ctx, first)
	for {
		select {
		case <-ticker.C:
			x.export(x.ctx, x.newest())
		case <-x.ctx.Done():
			return
		}
	}
}

// finish exports the last checkpoint, once nothing else is exported.
func (x *exporter) finish(ctx context.Context) error {
	<-x.stopped
	x.export(ctx, x.newest())
	return x.failures()
}

// export has a checkpoint cosigned by every witness that has not done so, then
// gives it to every place that does not have it with these cosignatures.
func (x *exporter) export(ctx context.Context, c *signed) {
	x.cosign(ctx, c)
	cosigned := slices.Clone(c.note)
	for _, w := range x.witnesses {
		if bytes.Equal(w.cosigned, c.note) {
			cosigned = append(cosigned, w.lines...)
		}
	}
	x.publish(ctx, x.places, cosigned, c.Checkpoint)
}

func (x *exporter) cosign(ctx context.Context, c *signed) {
	limit := x.options.ExportTimeout
	deadline, ok := ctx.Deadline()
	if ok {
		limit = min(limit, time.Until(deadline)/2) // the rest is for the places
	}
	var all sync.WaitGroup
	for _, w := range x.witnesses {
		if bytes.Equal(w.cosigned, c.note) {
			continue
		}
		all.Go(func() {
			limited, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			lines, err := w.ask(limited, c, x.prove(c.Checkpoint))
			if err == nil {
				err = x.checkLines(c, lines)
			}
			if err == nil {
				w.cosigned, w.lines = c.note, lines
			}
			x.settle(ctx, &w.standing, c.Size, "cosigned", err)
		})
	}
	all.Wait()
}

// ask asks the witness, unless there is no time left.
func (w *witness) ask(ctx context.Context, c *signed, prove Prove) ([]byte, error) {
	err := ctx.Err()
	if err != nil {
		return nil, err
	}
	return w.Cosign(ctx, slices.Clone(c.note), c.Checkpoint, prove)
}

// checkLines makes sure that a checkpoint stays what it is with a witness's lines
// at its end: whoever reads it back would refuse it otherwise.
func (x *exporter) checkLines(c *signed, lines []byte) error {
	if len(lines) == 0 || len(lines) > maxCosigned {
		return fmt.Errorf("the witness's lines are of %d bytes, not of 1 to %d", len(lines), maxCosigned)
	}
	again, err := OpenCheckpoint(slices.Concat(c.note, lines), x.known, c.Origin)
	if err != nil || again != c.Checkpoint {
		return errors.New("the witness's lines are not signatures of a note")
	}
	return nil
}

func (x *exporter) prove(c Checkpoint) Prove {
	return func(ctx context.Context, from int64) (tlog.TreeProof, error) {
		switch {
		case from < 0 || from > c.Size:
			return nil, fmt.Errorf("audit: the checkpoint of %d entries does not go on from %d", c.Size, from)
		case from == 0 || from == c.Size:
			return nil, nil
		}
		return tlog.ProveTree(c.Size, from, Hashes(ctx, x.options.Store))
	}
}

func (x *exporter) publish(ctx context.Context, places []*place, signed []byte, c Checkpoint) {
	var all sync.WaitGroup
	for _, p := range places {
		if bytes.Equal(p.taken, signed) {
			continue
		}
		all.Go(func() {
			limited, cancel := context.WithTimeout(ctx, x.options.ExportTimeout)
			defer cancel()
			err := p.give(limited, signed, c)
			if err == nil {
				p.taken = signed
			}
			x.settle(ctx, &p.standing, c.Size, "exported", err)
		})
	}
	all.Wait()
}

// give gives the place a checkpoint, unless there is no time left.
func (p *place) give(ctx context.Context, signed []byte, c Checkpoint) error {
	err := ctx.Err()
	if err != nil {
		return err
	}
	return p.Publish(ctx, slices.Clone(signed), c)
}

// settle notes and logs how an attempt ended.
func (x *exporter) settle(ctx context.Context, standing *Export, size int64, done string, err error) {
	if err != nil {
		err = fmt.Errorf("audit: the checkpoint of %d entries was not %s by %s: %w", size, done, standing.Name, err)
	}
	x.mu.Lock()
	was := standing.Err
	standing.Err = err
	if err == nil {
		standing.Size, standing.Time = size, x.options.Now()
	}
	x.mu.Unlock()
	logger := x.options.Logger
	switch {
	case err != nil && errors.Is(ctx.Err(), context.Canceled): // Close goes on from here
	case err != nil:
		logger.Error("audit: a checkpoint was not "+done, "event", "audit.export.failed", "place", standing.Name, "cause", err)
	case was != nil:
		logger.Info("audit: checkpoints are "+done+" again", "event", "audit.export.restored", "place", standing.Name, "entries", size)
	}
}

func (x *exporter) standings() []Export {
	x.mu.Lock()
	defer x.mu.Unlock()
	var all []Export
	for _, p := range x.places {
		all = append(all, p.standing)
	}
	for _, w := range x.witnesses {
		all = append(all, w.standing)
	}
	return all
}

// failures are those of the last attempts.
func (x *exporter) failures() error {
	var all []error
	for _, e := range x.standings() {
		all = append(all, e.Err)
	}
	return errors.Join(all...)
}
