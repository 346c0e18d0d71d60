package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/stores"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
	"github.com/wardsmsp/ward/internal/wording"
)

// show asks as a client would, and shows answers as a nurse would want them.
type show struct {
	stage    *stage.Stage
	settings *config.ClientSettings
	client   *client.Client
	uk       *time.Location
	out      io.Writer
}

func newShow(s *stage.Stage, out io.Writer) (*show, error) {
	settings, err := config.LoadClient(s.ClientConfig())
	if err != nil {
		return nil, err
	}
	asker, err := client.New(client.Config{
		URL: settings.URL, To: settings.To, TLS: settings.TLS, Username: settings.Username,
		Organisation: settings.Organisation, Provider: settings.Provider,
	})
	if err != nil {
		return nil, err
	}
	uk, err := time.LoadLocation("Europe/London")
	if err != nil {
		return nil, err
	}
	return &show{stage: s, settings: settings, client: asker, uk: uk, out: out}, nil
}

func (s *show) close() { s.client.Close() }

func (s *show) ask(ctx context.Context, number string) (client.Result, error) {
	n, err := cpis.ParseNHSNumber(number)
	if err != nil {
		return client.Result{}, err
	}
	return s.client.Ask(ctx, client.Question{Number: n, Author: s.settings.Author, AuditIdentities: s.settings.AuditIdentities}), nil
}

func (s *show) print(r client.Result) error {
	return wording.Describe(r.Answer, wording.Context{
		Number: r.Asked, Reference: r.Correlation, CheckedAt: r.AskedAt, Location: s.uk,
		Contacts: s.settings.Contacts, ServiceDesk: s.settings.ServiceDesk,
	}).Text(s.out, 80)
}

// one asks one question and then waits, so that others can ask.
func (s *show) one(ctx context.Context) error {
	first := s.stage.Children(1)[0]
	fmt.Fprintf(s.out, "Asking CP-IS about %s (%s)\n\n", first.NHSNumber, first.Situation)
	r, err := s.ask(ctx, first.NHSNumber)
	if err != nil {
		return err
	}
	err = s.print(r)
	if err != nil {
		return err
	}
	dir := s.stage.Dir
	fmt.Fprintf(s.out, `
The provider answers at %s
Everything is in %s; the children to ask about are in endpoints.json. Try:

  go run ./cmd/ward ask -config %s/client.toml 9990000034
  go run ./cmd/ward ask -config %s/client.toml -json 9990000026
  go run ./cmd/ward audit show -config %s/ward.toml
  go run ./cmd/ward audit verify -config %s/ward.toml
  go run ./cmd/ward conform -config %s/client.toml -html conformance.html
  curl http://%s/notifications

Stop with Ctrl-C.
`, s.stage.URL, dir, dir, dir, dir, dir, dir, s.stage.Simulator.ManagementAddr())
	<-ctx.Done()
	return nil
}

// atOnce is how many questions are asked at a time: the simulator stalls on some.
const atOnce = 16

// everyone asks about every seeded child, shows each answer in their order, and
// verifies the audit log. It fails if any answer is not the expected one.
func (s *show) everyone(ctx context.Context) error {
	children := s.stage.Children(0)
	results := make([]client.Result, len(children))
	failures := make([]error, len(children))
	var all sync.WaitGroup
	turns := make(chan struct{}, atOnce)
	for i, c := range children {
		if answersAnother(c) {
			continue
		}
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			results[i], failures[i] = s.ask(ctx, c.NHSNumber)
		})
	}
	all.Wait()
	for i, c := range children {
		if answersAnother(c) {
			results[i], failures[i] = s.ask(ctx, c.NHSNumber)
		}
	}
	err := errors.Join(failures...)
	if err != nil {
		return err
	}
	var wrong []error
	for i, c := range children {
		got := results[i].Code
		fmt.Fprintf(s.out, "\n=== %s: %s\n=== expected %s, answered %s\n\n", c.NHSNumber, c.Situation, c.Code, got)
		err := s.print(results[i])
		if err != nil {
			return err
		}
		if string(got) != c.Code {
			wrong = append(wrong, fmt.Errorf("%s (%s): expected %s, answered %s", c.NHSNumber, c.Situation, c.Code, got))
		}
	}
	counted, err := s.verify(ctx)
	if err != nil {
		return errors.Join(append(wrong, err)...)
	}
	fmt.Fprintf(s.out, "\n%d questions asked, %d answered as expected. The Spine made %d notifications.\nThe audit log verifies: %d entries, %d questions left open.\n",
		len(children), len(children)-len(wrong), s.stage.Simulator.Counters().Notifications, counted.Entries, counted.OpenIntents)
	return errors.Join(wrong...)
}

// answersAnother reports that the reply about a child answers the question before, which
// must have its own answer by then.
func answersAnother(c spinesim.ChildView) bool {
	return c.Behaviour == "previous-answer" || c.Behaviour == spinesim.Late("previous-answer")
}

// verify checks the whole audit log as anybody with the public key could.
func (s *show) verify(ctx context.Context) (audit.Report, error) {
	file, err := config.LoadAudit(s.stage.WardConfig())
	if err != nil {
		return audit.Report{}, err
	}
	store, err := stores.Read(ctx, file.Store)
	if err != nil {
		return audit.Report{}, err
	}
	defer store.Close()
	report, err := audit.Verify(ctx, store, note.VerifierList(file.Verifier), file.Verifier.Name(), file.Checkpoints)
	if err == nil && report.OpenIntents > 0 {
		err = fmt.Errorf("%d questions have no outcome in the audit log", report.OpenIntents)
	}
	return report, err
}
