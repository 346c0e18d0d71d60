package config_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/config"
)

// keysOf are the dotted names of all settings of a type, told from their tags.
func keysOf(prefix string, file reflect.Type) []string {
	var keys []string
	for i := range file.NumField() {
		field := file.Field(i)
		key := prefix + field.Tag.Get("toml")
		switch {
		case field.Type.Kind() == reflect.Struct:
			keys = append(keys, keysOf(key+".", field.Type)...)
		case field.Type == reflect.TypeFor[[]config.Client]():
			keys = append(keys, keysOf(key+".ed.", field.Type.Elem())...)
		default:
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// IG-3.9.11: every setting that there is has a fact, and there is no other.
func TestEverySettingHasAFact(t *testing.T) {
	facts := mustLoad(t, put(t, folder(t), wardFile)).Facts()
	want := keysOf("", reflect.TypeFor[config.File]())
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(facts))); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

// A fact is the value in force, whether it stands in the file or is a default.
func TestFactsAreTheValuesInForce(t *testing.T) {
	dir := folder(t)
	file := all(
		in("limits", `per_second = 2.5`), in("codes", `map = { unknown = "CPIS-9999", spine_ack_only = "CPIS-9999" }`),
		in("spine", `connect_retries = 0`), in("nhs_number", `exempt = ["9990000018"]`),
	)(t, wardFile)
	facts := mustLoad(t, put(t, dir, file)).Facts()
	want := map[string]string{
		"environment":                       "test",
		"listen.address":                    "127.0.0.1:0",
		"listen.client_crls":                "[]",
		"limits.per_second":                 "2.5",
		"limits.body":                       "262144",
		"limits.drain_timeout":              "15s",
		"itk.accepted_to":                   `["https://smsp.example.invalid/smsp/cpis"]`,
		"nhs_number.exempt":                 `["9990000018"]`,
		"nhs_number.reject_repeated_digits": "false",
		"codes.map":                         `{"spine_ack_only":"CPIS-9999","unknown":"CPIS-9999"}`,
		"spine.connect_retries":             "0",
		"spine.server_name":                 "",
		"audit.database":                    filepath.Join(dir, "audit.db"),
		"audit.group_wait":                  "1ms",
		"clients.ed.organisations":          `["RXX"]`,
		"clients.ed.notification_spec_off":  "false",
		"clients.ed.verify_number":          "none",
		"clients.ed.burst":                  "40",
	}
	for key, value := range want {
		if facts[key] != value {
			t.Errorf("%s is %q, want %q", key, facts[key], value)
		}
	}
}

// IG-3.9.11: a file with a key or a certificate is a fact by its fingerprint, so that
// a renewal in the same place shows, and nothing secret is in it.
func TestFactsHaveFingerprintsOfKeys(t *testing.T) {
	dir := folder(t)
	path := put(t, dir, wardFile)
	facts := mustLoad(t, path).Facts()
	certificate := func(name string) *x509.Certificate {
		content, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		block, _ := pem.Decode(content)
		parsed, err := x509.ParseCertificate(block.Bytes)
		must(t, err)
		return parsed
	}
	sha := func(content []byte) string {
		sum := sha256.Sum256(content)
		return hex.EncodeToString(sum[:])
	}
	verifier, err := os.ReadFile(filepath.Join(dir, "audit-key.pub"))
	must(t, err)
	parts := strings.SplitN(string(verifier), "+", 3) // name, key hash, key
	key := parts[0] + "+" + parts[1]
	want := map[string]string{
		"listen.key":                   "spki:" + sha(certificate("server.pem").RawSubjectPublicKeyInfo),
		"listen.client_ca":             `["sha256:` + sha(certificate("ca.pem").Raw) + `"]`,
		"spine.key":                    "spki:" + sha(certificate("client.pem").RawSubjectPublicKeyInfo),
		"spine.ca":                     `["sha256:` + sha(certificate("ca.pem").Raw) + `"]`,
		"audit.signing_key":            string(key),
		"audit.verifier_key":           string(key),
		"clients.ed.certificate_files": `["sha256:` + sha(certificate("client.pem").Raw) + `"]`,
	}
	for key, value := range want {
		if facts[key] != value {
			t.Errorf("%s is %q, want %q", key, facts[key], value)
		}
	}
	for _, key := range []string{"listen.certificate", "spine.certificate"} {
		name := map[string]string{"listen.certificate": "server.pem", "spine.certificate": "client.pem"}[key]
		if !strings.HasPrefix(facts[key], `["sha256:`+sha(certificate(name).Raw)+`"`) {
			t.Errorf("%s is %q", key, facts[key])
		}
	}
	for _, name := range []string{"server.pem", "server-key.pem"} {
		other := map[string]string{"server.pem": "client.pem", "server-key.pem": "client-key.pem"}[name]
		must(t, os.Rename(filepath.Join(dir, other), filepath.Join(dir, name)))
	}
	must(t, os.WriteFile(path, []byte(strings.ReplaceAll(strings.ReplaceAll(wardFile, "client.pem", "server.pem"), "client-key.pem", "server-key.pem")), 0o600))
	renewed := mustLoad(t, path).Facts()
	if renewed["listen.certificate"] == facts["listen.certificate"] || renewed["listen.key"] == facts["listen.key"] {
		t.Error("a certificate renewed in the same place is no other fact")
	}
}

func TestFactsHoldNothingSecret(t *testing.T) { // IG-3.9.11, WRD-SEC-11
	dir := folder(t)
	var facts strings.Builder
	for key, value := range mustLoad(t, put(t, dir, wardFile)).Facts() {
		facts.WriteString(key + "=" + value + "\n")
	}
	for _, name := range []string{"server-key.pem", "client-key.pem", "audit-key"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		secret := 0
		for _, piece := range strings.FieldsFunc(string(content), func(r rune) bool { return r == '\n' || r == '+' }) {
			if len(piece) < 8 || strings.ContainsAny(piece, "-.") || strings.Contains(facts.String(), "audit+"+piece) {
				continue // PEM's own words, and the name and the hash of a key
			}
			secret++
			if strings.Contains(facts.String(), piece) {
				t.Errorf("a piece of %s is in the facts", name)
			}
		}
		if secret == 0 {
			t.Errorf("the test found nothing secret in %s", name)
		}
		sum := sha256.Sum256(content)
		if strings.Contains(facts.String(), hex.EncodeToString(sum[:])) {
			t.Errorf("the hash of %s itself is in the facts", name)
		}
	}
}

// The same configuration always has the same facts.
func TestFactsAreStable(t *testing.T) {
	path := put(t, folder(t), wardFile)
	first := mustLoad(t, path).Facts()
	if diff := cmp.Diff(first, mustLoad(t, path).Facts()); diff != "" {
		t.Errorf("loaded twice (-first +second):\n%s", diff)
	}
}

// IG-3.9.11: who may order erasures and who cosigns, and where the log is, are facts that
// change with the content of their files; a password is none.
func TestFactsOfTheAuditLog(t *testing.T) {
	dir := folder(t)
	path := put(t, dir, set("database", `""`+"\npostgres = \"postgres-url\"\nerasure_key = \"other-key.pub\"")(t, wardFile)+`
[[audit.witnesses]]
url = "https://witness.example.invalid/submit"
key = "witness.pub"
`)
	facts := mustLoad(t, path).Facts()
	name := func(file string) string {
		content, err := os.ReadFile(filepath.Join(dir, file))
		must(t, err)
		parts := strings.SplitN(string(content), "+", 3)
		return parts[0] + "+" + parts[1]
	}
	for key, want := range map[string]string{
		"audit.postgres":        "postgres://127.0.0.1/ward",
		"audit.erasure_key":     name("other-key.pub"),
		"audit.witnesses.1.key": name("witness.pub"),
	} {
		if facts[key] != want {
			t.Errorf("%s is %q, want %q", key, facts[key], want)
		}
	}
	for key, value := range facts {
		if strings.Contains(value, "pass-w0rd") {
			t.Errorf("%s is %q", key, value)
		}
	}
}
