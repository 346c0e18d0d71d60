//go:build postgres

package standby_test

import (
	"context"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/postgres"
	"github.com/wardsmsp/ward/internal/audit/standby"
	"github.com/wardsmsp/ward/internal/audit/stores"
	"github.com/wardsmsp/ward/internal/pgtest"
)

// WRD-AUD-16: a server that is down is told of, and gets what it lacks when it is back.
func TestCopyInPostgres(t *testing.T) {
	server, err := pgtest.Start()
	must(t, err)
	defer server.Close()
	url, err := server.Database()
	must(t, err)
	s := newSite(t)
	defer s.close(t)
	s.ask(t, "before", 50)
	config := s.config()
	config.Make = func(ctx context.Context) (stores.Store, error) { return postgres.Make(ctx, url) }
	config.Every, config.Late = 20*time.Millisecond, time.Second
	c := standby.Start(config)
	defer c.Stop()
	s.whole(t, c)
	must(t, server.Stop())
	s.ask(t, "meanwhile", 50)
	s.says(t, "audit.copy_late", 1)
	must(t, server.Resume())
	s.says(t, "audit.copy_kept", 1)
	s.ask(t, "after", 50)
	s.whole(t, c)
	c.Stop()
	copied, err := postgres.OpenReadOnly(t.Context(), url)
	must(t, err)
	defer copied.Close()
	report, err := audit.Verify(t.Context(), copied, s.known, origin, nil)
	must(t, err)
	if report.Entries != s.log.Size() || report.Entries != 150 {
		t.Errorf("the copy has %d entries, the log %d", report.Entries, s.log.Size())
	}
}
