package provider

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/config"
)

// instance is a provider that has no more than its log.
func instance(t *testing.T, name string, store *audittest.Memory, signer note.Signer, keys *seal.Keys) *Provider {
	t.Helper()
	log, err := audit.Open(t.Context(), audit.Options{Store: store, Signer: signer, Keys: keys, Instance: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close(context.Background()) })
	settings := &config.Settings{Keys: keys}
	settings.Store.Instance = name
	return &Provider{settings: settings, store: unclosed{store}, log: log}
}

type unclosed struct{ audit.Store }

func (unclosed) Close() error { return nil }

// WRD-AUD-07, IG-3.9.11: where several instances share a log, each goes on from its own
// last run and its own last configuration, however often the others have started since.
func TestHistoryIsOfTheInstance(t *testing.T) {
	secret, _, err := audit.GenerateKey("ward.example/audit", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	var store audittest.Memory
	keys := someKeys(t)
	started := func(name string) *Provider { return instance(t, name, &store, signer, keys) }
	write := func(p *Provider, kind audit.Kind, detail string) {
		t.Helper()
		_, err := p.log.Append(t.Context(), audit.Entry{Kind: kind, Time: time.Now(), Detail: json.RawMessage(detail)})
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(name string, run, detail string) {
		t.Helper()
		p := started(name)
		got, err := p.lastRun(t.Context())
		last, found, failed := p.lastConfiguration(t.Context())
		if err != nil || failed != nil || got != run || string(last) != detail || found != (detail != "") {
			t.Errorf("%s: last run %q, configuration %s (%t), %v, %v; want %q, %s", name, got, last, found, err, failed, run, detail)
		}
	}
	want("ward-0", "", "")
	one := started("ward-0")
	write(one, audit.Started, "")
	write(one, audit.Configured, `{"one":1}`)
	want("ward-1", "", "") // the other runs, which is no matter here
	other := started("ward-1")
	for i := range 40 {
		write(other, audit.Started, "")
		write(other, audit.Configured, fmt.Sprintf(`{"other":%d}`, i))
		write(other, audit.Stopped, "")
	}
	want("ward-0", reasonNotStopped, `{"one":1}`)
	want("ward-1", "", `{"other":39}`)
}

func someKeys(t *testing.T) *seal.Keys {
	t.Helper()
	sealing, err := seal.GenerateSealingKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	index, err := seal.GenerateIndexKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	one, err := seal.ParseSealingKey(sealing)
	if err != nil {
		t.Fatal(err)
	}
	two, err := seal.ParseIndexKey(index)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.NewKeys([]seal.SealingKey{one}, []seal.IndexKey{two})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
