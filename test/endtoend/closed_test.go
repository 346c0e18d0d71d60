package endtoend_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/stage"
)

// tamper runs SQL on the audit database behind the provider's back.
func (w *ward) tamper(t *testing.T, script string) {
	t.Helper()
	file, err := config.LoadAudit(w.WardConfig())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := sqlite.OpenConn(file.Store.Database, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = sqlitex.ExecuteScript(conn, script, nil)
	if err != nil {
		t.Fatal(err)
	}
}

// breakLog makes every write to the audit log fail, as a full disk does.
func (w *ward) breakLog(t *testing.T) {
	w.tamper(t, "CREATE TRIGGER broken BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'no space'); END")
}

func (w *ward) mendLog(t *testing.T) { w.tamper(t, "DROP TRIGGER broken") }

// WRD-AUD-04, N37: while the log cannot be written nothing is asked, whatever is
// sent, and as soon as it can be all is well again.
func TestNothingIsAskedWhileTheLogCannotBeWritten(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{})
	c := w.client(t)
	w.breakLog(t)
	for range 3 {
		r := w.ask(t, c, withPlan)
		if r.Answer.Outcome() != cpis.AuditFailedBefore || r.Answer.Notified() != cpis.NotifiedNo || !strings.Contains(string(r.Raw), ">2100</") {
			t.Errorf("%s, notified %s: %s", r.Answer.Outcome(), r.Answer.Notified(), r.Raw)
		}
	}
	stranger := w.dial(t, w.tls)
	stranger.send(t, post(4000, "Content-Encoding: gzip"))
	if a := stranger.read(t); a.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("status %d: a refusal that discloses nothing does not depend on the log", a.StatusCode)
	}
	if n := w.Simulator.Counters().Connections; n != 0 {
		t.Errorf("%d connections to the Spine", n)
	}
	w.mendLog(t)
	r := w.ask(t, c, withPlan)
	if r.Answer.Outcome() != cpis.Found {
		t.Errorf("afterwards: %s, %v", r.Answer.Outcome(), r.Cause)
	}
	if n := kinds(w.entries(t)); n[audit.Intent] != 1 || n[audit.Outcome] != 1 {
		t.Errorf("entries %v", n)
	}
}

// WRD-AUD-05: an outcome that cannot be recorded is not told, but that somebody was
// notified is. The question stays open until the next start closes it as unknown.
func TestNothingIsToldThatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	w, letGo := startHeld(t, stage.Options{})
	c := w.client(t)
	var r client.Result
	var question sync.WaitGroup
	question.Go(func() { r = w.ask(t, c, withPlan) })
	await(t, "the question is under way", func() bool { return w.Simulator.Counters().RequestsRead == 1 })
	w.breakLog(t)
	letGo()
	question.Wait()
	_, data := r.Answer.Findings()
	if code(r.Answer.Outcome()) != "SMSP-9999" || r.Answer.Notified() != cpis.NotifiedYes || onTheWire(r.Raw) != "yes" || data {
		t.Errorf("%s, notified %s, %q on the wire, data %t", r.Answer.Outcome(), r.Answer.Notified(), onTheWire(r.Raw), data)
	}
	child, _ := w.Simulator.Child(withPlan)
	for _, secret := range []string{child.NHSNumber, child.Family, child.Records[0].AuthorityName} {
		if strings.Contains(string(r.Raw), secret) {
			t.Errorf("the reply holds %q", secret)
		}
	}
	w.mendLog(t)
	w.stop(t)
	if n := kinds(w.entries(t)); n[audit.Intent] != 1 || n[audit.Outcome] != 0 {
		t.Errorf("entries %v", n)
	}
	w.start(t)
	w.recovered(t, 1)
}
