package crash_test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
)

// WRD-OPS-01, MSCA-AUD-03e: a second provider over the same database is turned away
// with a sentence that says why, while the first serves on.
func TestSecondProviderIsTurnedAway(t *testing.T) {
	c := newCampaign(t, build(t), inSQLite(), 0)
	first, err := c.start(t)
	if err != nil {
		t.Fatal(err)
	}
	err = first.WaitServing()
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.start(t)
	if err != nil {
		t.Fatal(err)
	}
	err = second.WaitServing()
	if err == nil || !strings.Contains(err.Error(), "already open for writing") {
		t.Errorf("the second provider: %v, want that the database is already open", err)
	}
	t.Log(second.Tail())
	c.ask(t)
	err = first.Stop()
	if err != nil {
		t.Fatal(err)
	}
	third, err := c.start(t)
	if err != nil {
		t.Fatal(err)
	}
	err = third.WaitServing()
	if err != nil {
		t.Errorf("once the first has stopped: %v", err)
	}
	err = third.Stop()
	if err != nil {
		t.Fatal(err)
	}
	err = c.stage.Verify(c.program)
	if err != nil {
		t.Error(err)
	}
}

// ask asks until an answer comes whole.
func (c *campaign) ask(t *testing.T) {
	t.Helper()
	clients, err := newLoad(c.stage, c.numbers, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer clients.end()
	for end := time.Now().Add(30 * time.Second); !clients.answered(); {
		if time.Now().After(end) {
			t.Fatal("the first provider answers no more")
		}
		clients.ask()
	}
}

// WRD-AUD-04: without the keys of its log, or with those of another, a provider does
// not start, and says which setting to look at.
func TestWrongKeysAreRefused(t *testing.T) {
	c := newCampaign(t, build(t), inSQLite(), 0)
	p, err := c.start(t)
	if err != nil {
		t.Fatal(err)
	}
	err = p.WaitServing()
	if err != nil {
		t.Fatal(err)
	}
	err = p.Stop()
	if err != nil {
		t.Fatal(err)
	}
	signer, verifier, err := audit.GenerateKey("smsp.example.invalid/audit", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		files map[string]string // what they hold instead; nothing at all if ""
		says  string
	}{
		{"no signing key", map[string]string{"audit-key": ""}, "audit.signing_key"},
		{"another signing key", map[string]string{"audit-key": signer}, "audit.verifier_key"},
		{"another pair of keys", map[string]string{"audit-key": signer, "audit-key.pub": verifier}, "is not signed by a known key"},
		{"no sealing key", map[string]string{"sealing-key": ""}, "audit.sealing_keys"},
		{"no index key", map[string]string{"index-key": ""}, "audit.index_keys"},
		{"no directory of checkpoints", map[string]string{"checkpoints": ""}, "audit.checkpoints"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for file, content := range tt.files {
				path := filepath.Join(c.stage.Dir, file)
				err := os.Rename(path, path+".kept")
				if err == nil && content != "" {
					err = os.WriteFile(path, []byte(content+"\n"), 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
				defer os.Rename(path+".kept", path)
			}
			p, err := c.start(t)
			if err != nil {
				t.Fatal(err)
			}
			err = p.WaitServing()
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("the provider: %v, want %q", err, tt.says)
			}
			t.Log(p.Tail())
			p.Kill()
		})
	}
	p, err = c.start(t)
	if err != nil {
		t.Fatal(err)
	}
	err = p.WaitServing()
	if err != nil {
		t.Errorf("with everything in its place again: %v", err)
	}
	err = p.Stop()
	if err != nil {
		t.Fatal(err)
	}
}
