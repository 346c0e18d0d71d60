// Package provider puts the parts of Ward together and runs them: what `ward serve`
// does, in one place that the demonstration and the tests can use too.
package provider

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/publish"
	"github.com/wardsmsp/ward/internal/audit/standby"
	"github.com/wardsmsp/ward/internal/audit/stores"
	"github.com/wardsmsp/ward/internal/budget"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/gateway"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/pds"
	"github.com/wardsmsp/ward/internal/sds"
	"github.com/wardsmsp/ward/internal/server"
	"github.com/wardsmsp/ward/internal/spine"
	"github.com/wardsmsp/ward/internal/telemetry"
	"github.com/wardsmsp/ward/internal/wsdl"
)

// Provider is a running SMSP.
type Provider struct {
	settings *config.Settings
	logger   *slog.Logger

	metrics      *telemetry.Metrics
	store        stores.Store
	log          *audit.Log
	copy         *standby.Copy // of the log; nil if none is kept
	budgets      *budget.Set
	directory    *sds.Directory // nil if it is not used
	demographics *pds.Client    // nil if it is not used
	replies      *inbox         // of the asynchronous pattern; nil if it cannot be used
	spine        *spine.Client
	server       *server.Server

	listener   net.Listener
	operations *http.Server
	failed     chan error
	failure    atomic.Pointer[error] // what was sent to failed first

	started bool           // in the log
	running sync.WaitGroup // what goes on until the end
	end     func()
}

// Start opens the audit log, closes what an earlier run left open, and serves. The
// returned error says in one sentence what to do.
func Start(ctx context.Context, settings *config.Settings, logger *slog.Logger, build string) (*Provider, error) {
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	p := &Provider{settings: settings, logger: logger, metrics: telemetry.NewMetrics(), failed: make(chan error, 2), end: end}
	err := p.start(ctx, build)
	if err != nil {
		p.recordFailedStart(ctx)
		p.release()
		return nil, err
	}
	p.run(running)
	p.logger.Info("serving", "event", "provider.started", "address", p.listener.Addr().String(),
		"environment", settings.Environment, "build", build)
	return p, nil
}

func (p *Provider) start(ctx context.Context, build string) error {
	err := p.openLog(ctx)
	if err != nil {
		return err
	}
	p.listener, err = net.Listen("tcp", p.settings.Listen.Address)
	if err != nil {
		return fmt.Errorf("the address listen.address cannot be listened on: %w", err)
	}
	p.budgets, err = p.openBudgets(ctx)
	if err != nil {
		return err
	}
	log := measuredLog{p.log, p.metrics}
	err = p.openLookups(log)
	if err != nil {
		return err
	}
	err = p.openReplies(ctx)
	if err != nil {
		return err
	}
	p.spine = spine.New(p.spineConfig())
	gate := gateway.New(p.gatewayConfig(), measuredSpine{p.spine, p.metrics}, log)
	err = p.recordStart(ctx, build)
	if err != nil {
		return err
	}
	err = p.recordConfiguration(ctx)
	if err != nil {
		return err
	}
	documents, err := wsdl.Documents(server.Path, p.settings.ITK.AcceptedTo[0])
	if err != nil {
		return err
	}
	p.server = server.New(p.serverConfig(gate, log, documents))
	p.keepCopy()
	return p.startOperations()
}

// lookEvery is how soon a revocation list that changed, or is out of date, is noticed.
const lookEvery = 2 * time.Second

// run begins what goes on until end: from here on questions are asked.
func (p *Provider) run(ctx context.Context) {
	p.running.Go(func() { p.settings.Trust.Clients.Watch(ctx, p.logger, "clients", lookEvery) })
	p.running.Go(func() { p.settings.Trust.Spine.Watch(ctx, p.logger, "spine", lookEvery) })
	p.running.Go(func() { p.settings.Trust.Directory.Watch(ctx, p.logger, "directory", lookEvery) })
	p.running.Go(func() {
		err := p.server.Serve(p.listener)
		if err != nil {
			p.fail(err)
		}
	})
	if p.replies == nil {
		return
	}
	p.running.Go(func() { p.settings.Trust.Replies.Watch(ctx, p.logger, "replies", lookEvery) })
	p.running.Go(func() {
		err := p.replies.server.Serve(p.replies.listener)
		if err != nil {
			p.fail(err)
		}
	})
}

func (p *Provider) fail(err error) {
	p.failure.CompareAndSwap(nil, &err)
	p.failed <- err
}

func (p *Provider) openLog(ctx context.Context) (err error) {
	p.store, p.log, err = openLog(ctx, p.settings, p.logger, p.metrics.Committed)
	return err
}

// openLog opens the store and the log in it. If only the log cannot be opened the
// store is returned all the same.
func openLog(ctx context.Context, settings *config.Settings, logger *slog.Logger, committed func(time.Duration, error)) (stores.Store, *audit.Log, error) {
	store, err := stores.Open(ctx, settings.Store)
	if err != nil {
		return nil, nil, fmt.Errorf("the audit log cannot be opened: %w", err)
	}
	options := audit.Options{
		Store:           store,
		Signer:          settings.Signer,
		Keys:            settings.Keys,
		Instance:        settings.Store.Instance,
		Checkpoints:     settings.Audit.Checkpoints,
		CheckpointEvery: settings.Audit.Every,
		MaxWait:         settings.Audit.GroupWait,
		Logger:          logger,
		Committed:       committed,
	}
	for _, d := range settings.Remote.Destinations {
		options.Destinations = append(options.Destinations, publish.NewEndpoint(d.URL, d.TLS))
	}
	for _, w := range settings.Remote.Witnesses {
		options.Witnesses = append(options.Witnesses, publish.NewWitness(w.URL, w.Key, w.TLS))
	}
	log, err := audit.Open(ctx, options)
	if err != nil {
		return store, nil, fmt.Errorf("the audit log cannot be trusted to go on: %w", err)
	}
	return store, log, nil
}

// recordStart writes the start, and closes every question that an earlier run left
// open, before the first new one is taken.
func (p *Provider) recordStart(ctx context.Context, build string) error {
	before, err := p.lastRun(ctx)
	if err != nil {
		return err
	}
	_, err = p.log.Append(ctx, audit.Entry{Kind: audit.Started, Time: time.Now(), Software: build, Reason: before})
	if err != nil {
		return fmt.Errorf("the start cannot be recorded: %w", err)
	}
	p.started = true
	recovered, err := recoverOpen(ctx, p.log)
	if err != nil {
		return err
	}
	if recovered > 0 {
		p.logger.Warn("an earlier run ended without recording outcomes: they are unknown",
			"event", "audit.recovered", "questions", recovered)
	}
	return nil
}

// recoverOpen closes the questions of this instance that nobody will end any more.
func recoverOpen(ctx context.Context, log *audit.Log) (int, error) {
	open, err := log.OpenIntents(ctx)
	if err != nil {
		return 0, fmt.Errorf("the audit log cannot be read: %w", err)
	}
	return gateway.Recover(ctx, log, open, time.Now)
}

// Recover takes over the name of an instance that will not come back, whose process
// can record, ask and tell nothing from then on, and closes the questions that it left
// open. It returns how many there were.
func Recover(ctx context.Context, settings *config.Settings, instance string, logger *slog.Logger) (int, error) {
	s := *settings
	s.Store.Instance = instance
	store, log, err := openLog(ctx, &s, logger, nil)
	if store != nil {
		defer store.Close()
	}
	if err != nil {
		return 0, err
	}
	recovered, err := recoverOpen(ctx, log)
	return recovered, errors.Join(err, log.Close(ctx))
}

// NewID returns a random UUID in the upper case that both wires ask for.
func NewID() string { return strings.ToUpper(uuid.NewString()) }

func (p *Provider) spineConfig() spine.Config {
	s := p.settings.Spine
	return spine.Config{
		Routes:           p.routes(),
		Replies:          p.replies.waiting(),
		To:               s.To,
		From:             s.From,
		TLS:              p.settings.SpineTLS,
		FromASID:         s.FromASID,
		VersionCode:      s.VersionCode,
		Rules:            p.settings.Rules,
		ConnectTimeout:   s.ConnectTimeout,
		WriteTimeout:     s.WriteTimeout,
		FirstByteTimeout: s.FirstByteTimeout,
		IdleTimeout:      s.IdleTimeout,
		MaxConnections:   s.Connections,
		Waiting:          *s.Waiting,
		Places:           p.places(),
		MaxReply:         s.MaxReply,
		BreakerFailures:  s.BreakerFailures,
		BreakerPause:     s.BreakerPause,
		OnCircuit:        p.circuitChanged,
		Now:              time.Now,
		NewID:            NewID,
	}
}

// places bounds the questions under way: a reply that comes later occupies no connection.
func (p *Provider) places() int {
	if p.settings.Spine.Pattern == "sync" {
		return 0
	}
	return p.settings.Limits.Questions
}

func (p *Provider) gatewayConfig() gateway.Config {
	budget := p.settings.ITK.RequestBudget
	return gateway.Config{
		Numbers:        p.settings.Numbers,
		Codes:          p.settings.CodeTable,
		Budget:         budget,
		RecordReserve:  min(budget/5, time.Second),
		ConnectRetries: *p.settings.Spine.ConnectRetries,
		ReplayCode:     strconv.Itoa(itk.Replayed().ErrorCode),
		Checks:         p.checks(),
		Now:            time.Now,
		NewID:          NewID,
	}
}

func (p *Provider) serverConfig(gate *gateway.Gateway, log gateway.Log, documents map[string][]byte) server.Config {
	l := p.settings.Limits
	return server.Config{
		TLS:      p.settings.ListenTLS,
		Trust:    p.settings.Trust.Clients,
		Register: p.settings.Register,
		Gateway:  gate,
		Log:      log,
		Place:    p.spine.Place,
		Spend:    p.spend,
		Meter:    p.metrics,
		Limits: server.Limits{
			Connections:   l.Connections,
			PerAddress:    l.PerAddress,
			Questions:     l.Questions,
			Body:          l.Body,
			Header:        l.Header,
			HeaderTimeout: l.HeaderTime,
			BodyTimeout:   l.BodyTime,
			WriteTimeout:  l.WriteTime,
			IdleTimeout:   l.IdleTime,
			PerSecond:     l.PerSecond,
			Burst:         l.Burst,
			RetryAfter:    l.BusyInterval,
		},
		Expect: itk.Expectations{
			Skew:         p.settings.ITK.ClockSkew,
			MaxLifetime:  p.settings.ITK.MaxTTL,
			To:           p.settings.ITK.AcceptedTo,
			Profiles:     p.settings.ITK.RequestProfiles,
			Interactions: p.settings.ITK.RequestInteractions,
		},
		Provider:  p.settings.ODSCode,
		Codes:     p.settings.CodeTable,
		Documents: documents,
		Logger:    p.logger,
		Now:       time.Now,
		NewID:     NewID,
	}
}

func (p *Provider) startOperations() error {
	if p.settings.Operations.Address == "" {
		return nil
	}
	health := &server.Health{
		Server:       p.server,
		LogHealthy:   p.log.Healthy,
		Reachable:    p.spine.Reachable,
		Certificates: []tls.Certificate{p.settings.ListenTLS.Certificates[0], p.settings.SpineTLS.Certificates[0]},
		ClientLists:  p.settings.Trust.Clients,
		SpineLists:   p.settings.Trust.Spine,
		Now:          time.Now,
		CheckEvery:   10 * time.Second,
	}
	if p.copy != nil {
		health.CopyLate = func() bool { return p.copy.State().Late }
	}
	p.watchMetrics()
	mux := http.NewServeMux()
	mux.Handle("/", health.Handler())
	mux.Handle("GET /metrics", p.metrics.Handler())
	listener, err := net.Listen("tcp", p.settings.Operations.Address)
	if err != nil {
		return fmt.Errorf("the address operations.address cannot be listened on: %w", err)
	}
	p.operations = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      15 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    8 << 10,
	}
	go func() {
		err := p.operations.Serve(listener)
		if !errors.Is(err, http.ErrServerClosed) {
			p.fail(err)
		}
	}()
	return nil
}

// Address is where clients are answered.
func (p *Provider) Address() net.Addr { return p.listener.Addr() }

// Failed delivers the error that ended serving before Stop was called.
func (p *Provider) Failed() <-chan error { return p.failed }

// Stop takes no new request, finishes those under way within ctx, records the stop
// and closes the log (WRD-OPS-12).
func (p *Provider) Stop(ctx context.Context) error {
	drained := p.server.Shutdown(ctx)
	p.replies.shutdown(ctx) // until now it brought what the questions waited for
	if drained != nil {
		p.logger.Warn("requests were still under way at the end of the time to drain", "event", "provider.drain")
	}
	p.end()
	p.running.Wait()
	p.endLookUps()
	reason := ""
	failure := p.failure.Load()
	if failure != nil {
		reason = reasonFailed + (*failure).Error() // of a listener, and so without content
	}
	record, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, recorded := p.log.Append(record, audit.Entry{Kind: audit.Stopped, Time: time.Now(), Reason: reason})
	closed := p.log.Close(record)
	p.copy.Stop() // with the last entry in it
	p.release()
	p.logger.Info("stopped", "event", "provider.stopped")
	return errors.Join(drained, recorded, closed)
}

// recordFailedStart records that a start which is in the log came to nothing, so that
// the next one does not take it for a run that was cut off. Why it failed is told to
// the caller, who needs not hear that this could not be recorded either.
func (p *Provider) recordFailedStart(ctx context.Context) {
	if !p.started {
		return
	}
	record, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, _ = p.log.Append(record, audit.Entry{Kind: audit.Stopped, Time: time.Now(), Reason: reasonNotServing})
}

// endLookUps ends what is asked beside the questions, and whoever asks for that: what
// has left the machine is recorded while there is a log to record it in (IG-3.9.2a).
func (p *Provider) endLookUps() {
	if p.operations != nil {
		p.operations.Close()
	}
	if p.spine != nil {
		p.spine.Close()
	}
	if p.directory != nil {
		p.directory.Close()
	}
}

// release lets go of what was opened.
func (p *Provider) release() {
	p.end()
	if p.listener != nil {
		p.listener.Close()
	}
	if p.server != nil {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		p.server.Shutdown(ended)
	}
	p.endLookUps()
	p.replies.release()
	if p.budgets != nil {
		p.budgets.Close()
	}
	p.copy.Stop()
	if p.log != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		p.log.Close(ctx)
	}
	if p.store != nil {
		p.store.Close()
	}
}
