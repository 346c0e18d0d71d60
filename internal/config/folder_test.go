package config_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/publish/witnesstest"
	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/testpki"
)

// wardFile is in order and leaves out everything that may be left out.
const wardFile = `environment = "test"
ods_code = "Y99"
[listen]
address = "127.0.0.1:0"
certificate = "server.pem"
key = "server-key.pem"
client_ca = "ca.pem"
[limits]
[itk]
accepted_to = ["https://smsp.example.invalid/smsp/cpis"]
[nhs_number]
[codes]
[spine]
endpoint = "https://spine.example.invalid/sync-service"
certificate = "client.pem"
key = "client-key.pem"
ca = "ca.pem"
from_asid = "200000000183"
to_asid = "928942012545"
[audit]
database = "audit.db"
signing_key = "audit-key"
verifier_key = "audit-key.pub"
sealing_keys = ["sealing-key"]
index_keys = ["index-key"]
[operations]
[log]
[[clients]]
name = "ed"
organisations = ["RXX"]
setting = "emergency-department"
certificate_files = ["client.pem"]
usernames = ["ed-system"]
audit_identities = ["urn:nhs-uk:identity:ods:RXX"]
asid = "200000000290"
`

// clientFile is the same for `ward ask`.
const clientFile = `url = "https://smsp.example.invalid/smsp/cpis"
username = "ed-system"
audit_identity = "urn:nhs-uk:identity:ods:RXX:nurse"
organisation = "RXX"
organisation_name = "Example Hospital"
provider = "Y99"
certificate = "client.pem"
key = "client-key.pem"
ca = "ca.pem"
[system]
asid = "200000000290"
[system.responsible]
role_code = "R0580"
role_name = "Nurse Manager"
family = "Hartley"
`

// folder makes a folder with every file that the two configurations name, and some
// that are wrong.
func folder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	authority, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	must(t, authority.WriteRoot(dir, "ca"))
	list, err := authority.RootCRL(testpki.List{NextUpdate: time.Now().Add(-time.Second)}) // out of date is no problem
	must(t, err)
	must(t, testpki.WriteCRL(dir, "list", list))
	long := time.Now().Add(-48 * time.Hour)
	for name, request := range map[string]testpki.Request{
		"server":  {CommonName: "smsp.example.invalid", DNSNames: []string{"smsp.example.invalid"}, Server: true},
		"client":  {CommonName: "ed.example.invalid", DNSNames: []string{"ed.example.invalid"}, Client: true},
		"other":   {CommonName: "other.example.invalid", Client: true},
		"expired": {CommonName: "old.example.invalid", Server: true, NotBefore: long, NotAfter: long.Add(time.Hour)},
		"future":  {CommonName: "new.example.invalid", Server: true, NotBefore: time.Now().Add(time.Hour)},
	} {
		pair, err := authority.Issue(request)
		if err != nil {
			t.Fatal(err)
		}
		must(t, pair.WriteFiles(dir, name))
	}
	for _, name := range []string{"audit-key", "other-key"} {
		signer, verifier, err := audit.GenerateKey("smsp.example.invalid/audit", rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), signer+"\n", 0o600)
		write(t, filepath.Join(dir, name+".pub"), verifier+"\n", 0o644)
	}
	witness, err := witnesstest.New("witness.example.invalid/w", "smsp.example.invalid/audit", nil)
	must(t, err)
	write(t, filepath.Join(dir, "witness.pub"), witness.Key()+"\n", 0o644)
	sealing, err := seal.GenerateSealingKey(rand.Reader)
	must(t, err)
	write(t, filepath.Join(dir, "sealing-key"), sealing, 0o600)
	index, err := seal.GenerateIndexKey(rand.Reader)
	must(t, err)
	write(t, filepath.Join(dir, "index-key"), index, 0o600)
	open, err := os.ReadFile(filepath.Join(dir, "server-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "open-key.pem"), string(open), 0o644)
	write(t, filepath.Join(dir, "postgres-url"), "postgres://ward:pass-w0rd@127.0.0.1/ward\n", 0o600)
	write(t, filepath.Join(dir, "open-url"), "postgres://ward:pass-w0rd@127.0.0.1/ward\n", 0o644)
	write(t, filepath.Join(dir, "far-url"), "postgres://ward:pass-w0rd@db.example.invalid/ward?sslmode=require\n", 0o600)
	write(t, filepath.Join(dir, "text"), "nothing of the kind\n", 0o600)
	write(t, filepath.Join(dir, "block.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0o600)
	write(t, filepath.Join(dir, "huge"), strings.Repeat("#", config.MaxFile+1), 0o600)
	must(t, os.Mkdir(filepath.Join(dir, "checkpoints"), 0o755))
	return dir
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, path, content string, mode os.FileMode) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(content), mode))
}

// edit changes a configuration.
type edit func(t *testing.T, file string) string

// change replaces a text that must be there.
func change(old, new string) edit {
	return func(t *testing.T, file string) string {
		t.Helper()
		if !strings.Contains(file, old) {
			t.Fatalf("%q is not in the file", old)
		}
		return strings.Replace(file, old, new, 1)
	}
}

// in adds a line to a table.
func in(table, line string) edit { return change("["+table+"]\n", "["+table+"]\n"+line+"\n") }

// set gives a key that is there another value.
func set(key, value string) edit {
	return func(t *testing.T, file string) string {
		t.Helper()
		before, rest, found := strings.Cut(file, "\n"+key+" = ")
		_, after, _ := strings.Cut(rest, "\n")
		if !found {
			t.Fatalf("the key %q is not in the file", key)
		}
		return before + "\n" + key + " = " + value + "\n" + after
	}
}

// setLast is set for the last occurrence of a key.
func setLast(key, value string) edit {
	return func(t *testing.T, file string) string {
		t.Helper()
		at := strings.LastIndex(file, "\n"+key+" = ")
		if at < 0 {
			t.Fatalf("the key %q is not in the file", key)
		}
		return file[:at] + set(key, value)(t, file[at:])
	}
}

func all(edits ...edit) edit {
	return func(t *testing.T, file string) string {
		t.Helper()
		for _, e := range edits {
			file = e(t, file)
		}
		return file
	}
}

// put writes a configuration into the folder and returns its path.
func put(t testing.TB, dir, content string) string {
	t.Helper()
	path := filepath.Join(dir, "config.toml")
	write(t, path, content, 0o644)
	return path
}

// problemsOf takes the problems out of the error of a load.
func problemsOf(t testing.TB, err error) config.Problems {
	t.Helper()
	var problems config.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("expected problems, got %v", err)
	}
	return problems
}

// rule is one demand on a configuration and the one problem of a file that breaks it.
type rule struct {
	name   string
	breaks edit
	key    string
	reason string // part of it
}

func (r rule) test(t *testing.T, dir, file string, load func(path string) error) {
	t.Helper()
	err := load(put(t, dir, r.breaks(t, file)))
	problems := problemsOf(t, err)
	if len(problems) != 1 || problems[0].Key != r.key || !strings.Contains(problems[0].Reason, r.reason) {
		t.Errorf("expected one problem of %s with %q, got %d:\n%v", r.key, r.reason, len(problems), problems)
	}
}

// notPositive are the rules that a setting must be more than 0, each broken by an
// explicit 0, which must not pass for "left out", and by a negative value.
func notPositive(table, key string, isTime bool) []rule {
	zero, negative := "0", "-1"
	if isTime {
		zero, negative = `"0s"`, `"-1s"`
	}
	name := table + "." + key
	var rules []rule
	for _, value := range []string{zero, negative} {
		rules = append(rules, rule{fmt.Sprintf("%s is %s", name, value), in(table, key+" = "+value), name, "must be more than 0"})
	}
	return rules
}
