package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// line is one kept connection of the load generator. It does as little as can be
// done, so that it is not what is measured.
type line struct {
	conn   *tls.Conn
	reader *bufio.Reader
	body   []byte // reused
}

// dial opens a connection by mutual TLS.
func (s *scene) dial(ctx context.Context, address string) (*line, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var dialer net.Dialer
	raw, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	config := s.client
	if address == s.simulatorAddress {
		config = config.Clone()
		config.ServerName = "simulator.example.invalid"
	}
	c := tls.Client(raw, config)
	err = c.HandshakeContext(ctx)
	if err != nil {
		raw.Close()
		return nil, err
	}
	return &line{conn: c, reader: bufio.NewReaderSize(c, 32<<10)}, nil
}

func (l *line) close() {
	l.conn.SetDeadline(time.Now().Add(100 * time.Millisecond))
	l.conn.Close()
}

// exchange sends a request and reads the response: the HTTP status and the body,
// which is overwritten by the next exchange.
func (l *line) exchange(request []byte) (status int, body []byte, err error) {
	_, err = l.conn.Write(request)
	if err != nil {
		return 0, nil, err
	}
	first, err := l.reader.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(first) < 12 {
		return 0, nil, errors.New("the response does not begin as one")
	}
	status, err = strconv.Atoi(string(first[9:12]))
	if err != nil {
		return 0, nil, err
	}
	length, err := l.readHeader()
	if err != nil {
		return 0, nil, err
	}
	l.body = slices.Grow(l.body[:0], length)[:length]
	_, err = io.ReadFull(l.reader, l.body)
	return status, l.body, err
}

func (l *line) readHeader() (length int, err error) {
	const name = "content-length:"
	length = -1
	for {
		field, err := l.reader.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		field = bytes.TrimRight(field, "\r\n")
		if len(field) == 0 {
			break
		}
		if len(field) > len(name) && bytes.EqualFold(field[:len(name)], []byte(name)) {
			length, err = strconv.Atoi(string(bytes.TrimSpace(field[len(name):])))
			if err != nil {
				return 0, err
			}
		}
	}
	if length < 0 {
		return 0, errors.New("the response has no Content-Length")
	}
	return length, nil
}

// load is a closed loop of questions to one contender.
type load struct {
	scene     *scene
	contender *contender
	simulator *process

	connections int
	seconds     time.Duration // measured
	least       int64         // questions measured, for which it may take longer
	tolerant    bool          // failures are counted, and do not end the run

	done      atomic.Int64 // questions
	received  atomic.Int64 // bytes of bodies
	measuring atomic.Bool
	ending    atomic.Bool

	mu     sync.Mutex
	failed map[string]int // while measuring, by what was answered
}

// sample is what one contender did in one round.
type sample struct {
	questions  int64
	elapsed    time.Duration
	latencies  []time.Duration // sorted
	failed     map[string]int  // questions, by what was answered
	contender  time.Duration   // processor time
	simulator  time.Duration
	generator  time.Duration
	bodyBytes  int64
	memory     memory
	cipher     string
	tlsVersion string
}

// perSecond is the number of questions in a second.
func (s sample) perSecond() float64 { return float64(s.questions) / s.elapsed.Seconds() }

// perQuestion is a processor time for each question, in microseconds.
func (s sample) perQuestion(d time.Duration) float64 {
	return float64(d.Microseconds()) / float64(s.questions)
}

// percentile is the latency that p of 100 questions did not exceed.
func (s sample) percentile(p float64) time.Duration {
	return s.latencies[min(len(s.latencies)-1, int(float64(len(s.latencies))*p/100))]
}

// run asks with every connection at once: first to warm up, then measured.
func (l *load) run(ctx context.Context) (sample, error) {
	const dialledAtOnce = 16
	lines := make([]*line, l.connections)
	latencies := make([][]time.Duration, l.connections)
	failures := make(chan error, l.connections)
	dialling := make(chan struct{}, dialledAtOnce)
	var opened, asking sync.WaitGroup
	opened.Add(l.connections)
	for i := range lines {
		asking.Go(func() {
			dialling <- struct{}{}
			line, err := l.scene.dial(ctx, l.contender.address)
			<-dialling
			lines[i] = line
			opened.Done()
			if err != nil {
				failures <- fmt.Errorf("cannot be connected to: %w", err)
				return
			}
			latencies[i], err = l.ask(ctx, line, i)
			if err != nil {
				failures <- err
			}
		})
	}
	opened.Wait()
	s, err := l.watch(ctx, failures)
	l.ending.Store(true)
	asking.Wait()
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w", l.contender.name, err)
	}
	s.failed = l.failed
	s.latencies = slices.Concat(latencies...)
	slices.Sort(s.latencies)
	if len(s.latencies) == 0 || s.contender == 0 {
		return sample{}, fmt.Errorf("%s answered too little in the time measured", l.contender.name)
	}
	state := lines[0].conn.ConnectionState()
	s.cipher, s.tlsVersion = tls.CipherSuiteName(state.CipherSuite), tls.VersionName(state.Version)
	return s, nil
}

// watch waits for the end of the warm-up and of the measurement, and reads the
// clocks at both.
func (l *load) watch(ctx context.Context, failures <-chan error) (sample, error) {
	err := wait(ctx, l.scene.options.warm, failures)
	if err != nil {
		return sample{}, err
	}
	l.measuring.Store(true)
	before, began := l.clocks(), time.Now()
	err = wait(ctx, l.seconds, failures)
	// A disc that stalls may leave too little for a figure: then it takes longer.
	enough := before.questions + l.least
	for err == nil && l.done.Load() < enough && time.Since(began) < 2*patience {
		err = wait(ctx, 50*time.Millisecond, failures)
	}
	if err != nil {
		return sample{}, err
	}
	after := l.clocks()
	l.measuring.Store(false)
	after.elapsed = time.Since(began)
	after.questions -= before.questions
	after.bodyBytes -= before.bodyBytes
	after.contender -= before.contender
	after.simulator -= before.simulator
	after.generator -= before.generator
	after.memory = l.contender.process.memory()
	return after, nil
}

func (l *load) clocks() sample {
	return sample{
		questions: l.done.Load(),
		bodyBytes: l.received.Load(),
		contender: l.contender.process.processorTime(),
		simulator: l.simulator.processorTime(),
		generator: ownProcessorTime(),
	}
}

func wait(ctx context.Context, d time.Duration, failures <-chan error) error {
	select {
	case <-time.After(d):
		return nil
	case err := <-failures:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask asks one question after the other over one connection, and closes it. After a
// failure that does not end the run it goes on over a new one.
func (l *load) ask(ctx context.Context, c *line, number int) ([]time.Duration, error) {
	defer func() { c.close() }()
	request := l.contender.request.copyFor()
	latencies := make([]time.Duration, 0, 1<<14)
	for i := number; !l.ending.Load(); i++ {
		child := l.scene.children[i%len(l.scene.children)]
		began := time.Now()
		c.conn.SetDeadline(began.Add(patience))
		status, body, err := c.exchange(request.fill(l.scene.count.Add(1), child.number))
		if err == nil && (status != 200 || !bytes.Contains(body, l.contender.success)) {
			err = fmt.Errorf("status %d, and not the answer expected: %.600s", status, body)
		}
		if err != nil && !l.tolerant {
			return nil, err
		}
		if err != nil {
			l.note(status, body)
			c.close()
			again, err := l.scene.dial(ctx, l.contender.address)
			if err != nil {
				return nil, fmt.Errorf("cannot be connected to again: %w", err)
			}
			c = again
			continue
		}
		if l.measuring.Load() {
			latencies = append(latencies, time.Since(began))
		}
		l.done.Add(1)
		l.received.Add(int64(len(body)))
	}
	return latencies, nil
}

// note counts a failure.
func (l *load) note(status int, body []byte) {
	if !l.measuring.Load() {
		return
	}
	what := "no answer"
	if status != 0 {
		what = fmt.Sprintf("HTTP %d %s", status, responseCode.Find(body))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil {
		l.failed = map[string]int{}
	}
	l.failed[what]++
}

var responseCode = regexp.MustCompile(`(SMSP|CPIS)-[0-9]{4}`)
