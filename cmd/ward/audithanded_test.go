package main

import (
	"crypto/tls"
	"encoding/base64"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/stage"
)

// WRD-AUD-02, WRD-AUD-17: what is handed out is checked with the public key alone; what
// is personal is in it only with -open; and each handing out is recorded.
func TestAuditExport(t *testing.T) {
	s := asked(t, withPlan, withoutRecord)
	n := len(leaves(t, s))
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	key := filepath.Join(s.Dir, "audit-key.pub")
	audited(t, s, "export", "-to", "5", "-out", file("range"), "-reason", "for the auditor").expect(t, exitDone, "5 entries went to")
	audited(t, s, "export", "-nhs", withPlan, "-open", "-out", file("opened"), "-to", "5").expect(t, exitDone, "2 entries went to")
	audited(t, s, "prove", "-seq", "2", "-out", file("proof")).expect(t, exitDone)
	audited(t, s, "prove", "-seq", "2", "-open", "-out", file("told")).expect(t, exitDone)
	for name, open := range map[string]bool{"range": false, "opened": true, "proof": false, "told": true} {
		content := read(t, file(name))
		_, extra, ok := strings.Cut(content, "extra ") // of a proof, in base64
		if ok {
			line, _, _ := strings.Cut(extra, "\n")
			told, err := base64.StdEncoding.DecodeString(line)
			if err != nil {
				t.Fatal(err)
			}
			content = string(told)
		}
		info, err := os.Stat(file(name))
		if err != nil || info.Mode().Perm() != 0o600 || strings.Contains(content, withPlan) != open {
			t.Errorf("%s: mode %v, error %v, personal: %t", name, info.Mode(), err, !open)
		}
	}
	ward(t, "audit", "verify", "-key", key, "-export", file("range")).expect(t, exitDone, "The export verifies: 5 entries", "none of that range is missing")
	ward(t, "audit", "verify", "-key", key, "-export", file("opened")).expect(t, exitDone, "2 entries", "others may have been left out", "2 can be read")
	ward(t, "audit", "verify", "-key", key, "-proof", file("told")).expect(t, exitDone, "The proof holds: entry 2, intent of ")
	other := asked(t)
	wrong := filepath.Join(other.Dir, "audit-key.pub")
	ward(t, "audit", "verify", "-key", wrong, "-export", file("range")).expect(t, exitFailed, "DOES NOT VERIFY")
	ward(t, "audit", "verify", "-key", wrong, "-proof", file("proof")).expect(t, exitFailed, "DOES NOT HOLD")
	write(t, dir, "changed", strings.Replace(read(t, file("range")), "intent", "outcom", 1))
	ward(t, "audit", "verify", "-key", key, "-export", file("changed")).expect(t, exitFailed, "DOES NOT VERIFY")
	ward(t, "audit", "verify", "-key", key, "-consistency", file("proof")).expect(t, exitFailed, "DOES NOT HOLD")

	audited(t, s, "export", "-out", file("range")).expect(t, exitFailed, file("range"))
	audited(t, s, "prove", "-seq", "9999").expect(t, exitFailed, "the log has no entry 9999")
	dids := ""
	for _, l := range jsonLines(t, audited(t, s, "show", "-json", "-from", "0", "-n", "1000").out)[n:] {
		dids += l.Entry["detail"].(map[string]any)["did"].(string) + " "
	}
	if dids != "export exported export exported prove prove prove " {
		t.Errorf("what was handed out is recorded as %q", dids)
	}
}

// WRD-AUD-01: whoever kept a checkpoint can be shown that the log goes on from it.
func TestAuditConsistency(t *testing.T) {
	s := asked(t, withPlan)
	dir := t.TempDir()
	older := write(t, dir, "older", read(t, filepath.Join(s.Dir, "checkpoints", "checkpoint")))
	play(t, s)()
	proof, key := filepath.Join(dir, "proof"), filepath.Join(s.Dir, "audit-key.pub")
	audited(t, s, "prove", "-since", older, "-out", proof).expect(t, exitDone)
	ward(t, "audit", "verify", "-key", key, "-consistency", proof).expect(t, exitDone, "The proof holds", "begins with all 5 that an older checkpoint covers")
	foreign := write(t, dir, "foreign", read(t, filepath.Join(asked(t).Dir, "checkpoints", "checkpoint")))
	audited(t, s, "prove", "-since", foreign).expect(t, exitFailed, "checkpoint")
}

// WRD-AUD-15: the forms of others, without what is personal unless that is asked for.
func TestAuditExportForms(t *testing.T) {
	s := asked(t, withPlan)
	for form, part := range map[string]string{"fhir": `"resourceType":"AuditEvent"`, "atna": "<AuditMessage"} {
		e := audited(t, s, "export", "-format", form, "-from", "2", "-to", "4")
		e.expect(t, exitDone)
		if strings.Count(e.out, part) != 2 || strings.Count(e.out, "\n") != 2 || strings.Contains(e.out, withPlan) {
			t.Errorf("%s: %s", form, e.out)
		}
		e = audited(t, s, "export", "-format", form, "-from", "2", "-to", "4", "-open")
		if !strings.Contains(e.out, withPlan) {
			t.Errorf("%s: %s", form, e.out)
		}
	}
}

// What is sent to a collector arrives over TLS; one that is not there is an error that
// says where to go on.
func TestAuditExportToACollector(t *testing.T) {
	s := asked(t, withPlan)
	pair, err := tls.LoadX509KeyPair(filepath.Join(s.Dir, "spinesim.pem"), filepath.Join(s.Dir, "spinesim-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	received := make(chan string, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			received <- err.Error()
			return
		}
		defer conn.Close()
		received <- readAll(conn)
	}()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(s.Dir, "ca.pem")
	audited(t, s, "export", "-from", "2", "-to", "4", "-to-syslog", "localhost:"+port, "-syslog-ca", ca).expect(t, exitDone, "2 entries went to localhost:")
	if got := <-received; strings.Count(got, "<AuditMessage") != 2 || strings.Contains(got, withPlan) {
		t.Errorf("the collector received %q", got)
	}
	audited(t, s, "export", "-to-syslog", "localhost:"+port, "-syslog-ca", filepath.Join(s.Dir, "ward.toml")).expect(t, exitFailed, "holds no certificate")
}

// readAll reads until the other end has said farewell.
func readAll(conn net.Conn) string {
	var all strings.Builder
	b := make([]byte, 4096)
	for {
		n, err := conn.Read(b)
		all.Write(b[:n])
		if err != nil {
			return all.String()
		}
	}
}

func TestHandedOutUsage(t *testing.T) {
	s := set(t, stage.Options{})
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"verify", "-export", "x"}, "-key FILE"},
		{[]string{"verify", "-key", "x"}, "name one of -export"},
		{[]string{"verify", "-key", "x", "-export", "x", "-proof", "x"}, "name one of -export"},
		{[]string{"verify", "-key", "x", "-export", "x", "-config", s.WardConfig()}, "to check the log"},
		{[]string{"prove", "-config", s.WardConfig()}, "-seq NUMBER"},
		{[]string{"prove", "-config", s.WardConfig(), "-seq", "1", "-since", "x"}, "-since FILE"},
		{[]string{"export", "-config", "x", "-format", "pdf"}, "not a form of export"},
		{[]string{"export", "-config", "x", "-to-syslog", "x:1"}, "-syslog-ca FILE"},
		{[]string{"export", "-config", "x", "-syslog-ca", "x"}, "-to-syslog HOST:PORT"},
		{[]string{"export", "-config", "x", "-to-syslog", "x:1", "-out", "x"}, "one of -out and -to-syslog"},
		{[]string{"export", "-config", "x", "-to-syslog", "x:1", "-syslog-ca", "x", "-syslog-key", "x"}, "or neither"},
	} {
		ward(t, append([]string{"audit"}, test.args...)...).expect(t, exitUsage, test.says)
	}
	ward(t, "audit", "verify", "-key", filepath.Join(s.Dir, "ca.pem"), "-export", "x").expect(t, exitFailed, "not the public key of a log")
}
