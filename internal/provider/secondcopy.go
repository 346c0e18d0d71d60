package provider

import (
	"context"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit/standby"
	"github.com/wardsmsp/ward/internal/audit/stores"
	"github.com/wardsmsp/ward/internal/config"
)

// keepCopy begins to keep the log's copy in a second place (WRD-AUD-16), if there is to
// be one.
func (p *Provider) keepCopy() {
	s := p.settings
	if s.Copy == (config.Store{}) {
		return
	}
	p.copy = standby.Start(standby.Config{
		Read:   func(ctx context.Context) (stores.Reader, error) { return stores.Read(ctx, s.Store) },
		Make:   func(ctx context.Context) (stores.Store, error) { return stores.Make(ctx, s.Copy) },
		Known:  note.VerifierList(s.Verifier),
		Origin: s.Verifier.Name(),
		Every:  s.Audit.Copy.Every,
		Late:   s.Audit.Copy.Late,
		Logger: p.logger,
	})
}
