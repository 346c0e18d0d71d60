package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/stage"
)

// Numbers of `ward conform client`.
const (
	conformPlan = "9990200017"
	conformBusy = "9990200238"
)

// conformConfig writes a configuration of `ward conform client` in the place of the
// stage's provider, and returns its path.
func conformConfig(t *testing.T, s *stage.Stage) string {
	t.Helper()
	return write(t, s.Dir, "conform.toml", fmt.Sprintf(`ods_code = %q
accepted_to = [%q]
window = "1s"
[listen]
address = %q
certificate = "ward.pem"
key = "ward-key.pem"
client_ca = "ca.pem"
[client]
name = "ward ask"
organisations = [%q]
setting = "emergency-department"
certificate_files = ["client.pem"]
usernames = [%q]
audit_identities = ["urn:nhs-uk:identity:ods:%s"]
asid = %q
`, stage.ProviderODS, s.URL, s.Address, stage.ClientODS, stage.Username, stage.ClientODS, stage.ClientASID))
}

// WRD-SUP-05, WRD-SAF-02: a client is tested without a Spine, and the report says what
// was seen, what a person confirmed, and what stays open.
func TestConformClient(t *testing.T) {
	s := set(t, stage.Options{})
	confirm := filepath.Join(s.Dir, "confirm.toml") // written while the run is under way
	args := []string{"conform", "client", "-config", conformConfig(t, s), "-confirm", confirm}
	for _, ending := range []string{"json", "junit", "html"} {
		args = append(args, "-"+ending, filepath.Join(s.Dir, "report."+ending))
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	log := &lines{}
	ran := make(chan ended, 1)
	go func() {
		var out bytes.Buffer
		code := run(ctx, args, &out, log)
		ran <- ended{code, out.String(), log.String()}
	}()
	waitForListener(t, s.Address)
	ward(t, "ask", "-config", s.ClientConfig(), conformPlan).expect(t, exitDone, "Child protection information found")
	ward(t, "ask", "-config", s.ClientConfig(), conformBusy).expect(t, exitNotChecked, "The service is busy")
	write(t, s.Dir, "confirm.toml", "tester = \"Sam Specimen, test manager\"\nseen = [\"screen-busy\"]\n")
	log.wait(t, "situation=plan-current")
	log.wait(t, "situation=busy")
	time.Sleep(1500 * time.Millisecond) // longer than the window
	stop()
	e := <-ran
	e.expect(t, exitDone, "There is no Spine", conformPlan+"  current plan", "Incomplete: ", "Self-assessed",
		"passed   plan-current", "passed   busy", "passed   screen-busy", "not run  screen-plan-current", "not run  no-record")
	if n := s.Simulator.Counters().Connections; n != 0 {
		t.Errorf("%d connections reached the Spine", n)
	}
	if strings.Contains(e.log, conformPlan) || !strings.Contains(e.log, "situation=plan-current") {
		t.Errorf("the log is %s", e.log)
	}
	var report struct {
		Suite, Subject string
		Failed, Passed int
	}
	content, err := os.ReadFile(filepath.Join(s.Dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	err = json.Unmarshal(content, &report)
	if err != nil || report.Suite != "client" || report.Subject != "ward ask" || report.Failed != 0 || report.Passed < 30 {
		t.Errorf("the report is %+v, %v", report, err)
	}
	for ending, begins := range map[string]string{"junit": "<?xml", "html": "<!DOCTYPE html>"} {
		content, err := os.ReadFile(filepath.Join(s.Dir, "report."+ending))
		if err != nil || !bytes.HasPrefix(content, []byte(begins)) {
			t.Errorf("report.%s begins %.20q, %v", ending, content, err)
		}
	}
}

// waitForListener waits until somebody listens. It sends nothing.
func waitForListener(t *testing.T, address string) {
	t.Helper()
	for range 600 {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			connection.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("nobody listens")
}

// A run in which nothing was asked has shown nothing, and is no success.
func TestConformClientWithoutAClient(t *testing.T) {
	s := set(t, stage.Options{})
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var out, log bytes.Buffer
	code := run(ctx, []string{"conform", "client", "-config", conformConfig(t, s)}, &out, &log)
	ended{code, out.String(), log.String()}.expect(t, exitFailed, "0 cases of", "nothing connected")
}

// What is wrong is told before anybody asks.
func TestConformClientRefusesWhatIsWrong(t *testing.T) {
	s := set(t, stage.Options{})
	config := conformConfig(t, s)
	ward(t, "conform", "client", "-config", write(t, s.Dir, "wrong.toml", "spine = 1\n")).expect(t, exitFailed, "spine: is not a known setting", "ods_code", "client.asid")
	ward(t, "conform", "client", "-config", config, "-confirm", write(t, s.Dir, "c.toml", "seen = [\"screen-all\"]\n")).expect(t, exitFailed, "screen-all", "tester")
	busy, err := net.Listen("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	ward(t, "conform", "client", "-config", config).expect(t, exitFailed, "listen.address cannot be listened on")
}

// A connection that stays open and says nothing takes the report away from nobody.
func TestConformClientReportsInSpiteOfAnOpenConnection(t *testing.T) {
	s := set(t, stage.Options{})
	args := []string{"conform", "client", "-config", conformConfig(t, s)}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	log := &lines{}
	ran := make(chan ended, 1)
	go func() {
		var out bytes.Buffer
		code := run(ctx, args, &out, log)
		ran <- ended{code, out.String(), log.String()}
	}()
	waitForListener(t, s.Address)
	ward(t, "ask", "-config", s.ClientConfig(), conformPlan).expect(t, exitDone)
	log.wait(t, "situation=plan-current")
	time.Sleep(1500 * time.Millisecond) // longer than the window
	open, err := net.Dial("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	time.Sleep(100 * time.Millisecond) // so that it is taken
	stop()
	e := <-ran
	e.expect(t, exitDone, "passed   plan-current", "Self-assessed")
}

// WRD-SUP-05: what a person confirmed of an earlier run says nothing of this one.
func TestConformClientRefusesOldConfirmations(t *testing.T) {
	s := set(t, stage.Options{})
	confirm := write(t, s.Dir, "confirm.toml", "tester = \"Sam Specimen, test manager\"\nseen = [\"screen-busy\"]\n")
	before := time.Now().Add(-time.Hour)
	err := os.Chtimes(confirm, before, before)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var out, log bytes.Buffer
	code := run(ctx, []string{"conform", "client", "-config", conformConfig(t, s), "-confirm", confirm}, &out, &log)
	ended{code, out.String(), log.String()}.expect(t, exitFailed, "older than this run", "Self-assessed")
}

// A report that cannot be written is told, and does not take the others with it.
func TestConformClientKeepsWhatItCan(t *testing.T) {
	s := set(t, stage.Options{})
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var out, log bytes.Buffer
	page := filepath.Join(s.Dir, "report.html")
	code := run(ctx, []string{"conform", "client", "-config", conformConfig(t, s), "-json", s.Dir, "-html", page, "-confirm", filepath.Join(s.Dir, "none.toml")}, &out, &log)
	ended{code, out.String(), log.String()}.expect(t, exitFailed, "Self-assessed", "could not be written", "none.toml")
	_, err := os.Stat(page)
	if err != nil {
		t.Error(err)
	}
}
