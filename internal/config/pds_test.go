package config_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/pds"
)

// pdsFile is wardFile with a client whose numbers are verified.
const pdsFile = wardFile + `verify_number = "pds"
[pds]
url = "https://int.api.service.nhs.uk/personal-demographics/FHIR/R4"
token_url = "https://int.api.service.nhs.uk/oauth2/token"
api_key = "api-key"
key = "pds-key.pem"
key_id = "ward-1"
`

// livePDS is the same in a live environment.
func livePDS(file string) string {
	file = strings.ReplaceAll(file, "//int.api.", "//api.")
	return strings.Replace(file, `"test"`, `"live"`, 1)
}

// pdsFolder is folder with the files of pdsFile, and some that are wrong.
func pdsFolder(t testing.TB) string {
	t.Helper()
	dir := folder(t)
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(long)
	must(t, err)
	block := func(kind string, content []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}))
	}
	write(t, filepath.Join(dir, "pds-key.pem"), block("PRIVATE KEY", pkcs8), 0o600)
	write(t, filepath.Join(dir, "pds-key-1.pem"), block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(long)), 0o600)
	write(t, filepath.Join(dir, "pds-short.pem"), block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(short)), 0o600)
	write(t, filepath.Join(dir, "pds-public.pem"), block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&long.PublicKey)), 0o600)
	write(t, filepath.Join(dir, "pds-open.pem"), block("PRIVATE KEY", pkcs8), 0o644)
	write(t, filepath.Join(dir, "api-key"), "Kq7nT2-synthetic-api-key\n", 0o600)
	write(t, filepath.Join(dir, "api-open"), "Kq7nT2-synthetic-api-key\n", 0o644)
	write(t, filepath.Join(dir, "api-empty"), "\n", 0o600)
	write(t, filepath.Join(dir, "api-long"), strings.Repeat("k", 257), 0o600)
	return dir
}

// WRD-OPS-15, WRD-SAF-17: each rule on the demographics service.
func TestEveryRuleOfPDS(t *testing.T) {
	dir := pdsFolder(t)
	must(t, loadWard(put(t, dir, pdsFile)))
	must(t, loadWard(put(t, dir, livePDS(pdsFile))))
	for _, r := range pdsRules() {
		t.Run(r.name, func(t *testing.T) { r.test(t, dir, pdsFile, loadWard) })
	}
	for name, host := range map[string]string{
		"integration": "int.api.service.nhs.uk", "the sandbox": "sandbox.api.service.nhs.uk", "a deployment": "DEP.api.service.nhs.uk.",
		"the other sandbox": "sandbox.service.nhs.uk",
	} {
		r := rule{name + " when live (WRD-SAF-17)", change("//api.service.nhs.uk/personal", "//"+host+"/personal"), "pds.url", "for tests in a live environment"}
		t.Run(r.name, func(t *testing.T) { r.test(t, dir, livePDS(pdsFile), loadWard) })
	}
}

func pdsRules() []rule {
	url := func(text string) edit { return set("url", `"`+text+`"`) }
	rules := []rule{
		{"an unknown way to verify", set("verify_number", `"sds"`), "clients.ed.verify_number", "none, pds"},
		{"no URL", url(""), "pds.url", "https URL"},
		{"a URL without TLS", url("http://int.api.service.nhs.uk/x"), "pds.url", "https URL"},
		{"a URL with a password", url("https://a:b@int.api.service.nhs.uk/x"), "pds.url", "https URL"},
		{"a URL with a query", url("https://int.api.service.nhs.uk/x?a=b"), "pds.url", "https URL"},
		{"the live service in a test (WRD-SAF-17)", url("https://api.service.nhs.uk/x"), "pds.url", "WRD-SAF-17"},
		{"the live service in other words (WRD-SAF-17)", url("https://API.service.nhs.uk.:443/x"), "pds.url", "WRD-SAF-17"},
		{"the live Spine (WRD-SAF-17)", url("https://pds.national.ncrs.nhs.uk/x"), "pds.url", "WRD-SAF-17"},
		{"no token URL", set("token_url", `""`), "pds.token_url", "https URL"},
		{"the live token service in a test (WRD-SAF-17)", set("token_url", `"https://api.service.nhs.uk/oauth2/token"`), "pds.token_url", "WRD-SAF-17"},
		{"no API key", set("api_key", `""`), "pds.api_key", "missing"},
		{"an API key that others may read (WRD-SEC-11)", set("api_key", `"api-open"`), "pds.api_key", "chmod 600"},
		{"an API key in the place of its file", set("api_key", `"Kq7nT2-synthetic"`), "pds.api_key", "cannot be read"},
		{"an empty API key", set("api_key", `"api-empty"`), "pds.api_key", "not an API key"},
		{"an API key too long", set("api_key", `"api-long"`), "pds.api_key", "not an API key"},
		{"an API key with spaces", set("api_key", `"text"`), "pds.api_key", "not an API key"},
		{"no key", setLast("key", `""`), "pds.key", "missing"},
		{"a key that others may read (WRD-SEC-11)", setLast("key", `"pds-open.pem"`), "pds.key", "chmod 600"},
		{"a key that is none", setLast("key", `"text"`), "pds.key", "RSA private key"},
		{"a public key", setLast("key", `"pds-public.pem"`), "pds.key", "RSA private key"},
		{"a key of another kind", setLast("key", `"client-key.pem"`), "pds.key", "RSA private key"},
		{"a key too short", setLast("key", `"pds-short.pem"`), "pds.key", "too short"},
		{"no key id", set("key_id", `""`), "pds.key_id", "registered"},
		{"anchors that are none", in("pds", `ca = "text"`), "pds.ca", "no certificate in PEM"},
		{"an organisation that is none", in("pds", `end_user_organisation = "R X"`), "pds.end_user_organisation", "ODS code"},
		{"an unknown policy", in("pds", `unavailable = "perhaps"`), "pds.unavailable", "refuse, proceed"},
		{"a time beyond half of the budget", in("pds", `timeout = "4501ms"`), "pds.timeout", "half of itk.request_budget"},
		{
			"going on without saying so (WRD-PDS-04)", all(in("pds", `unavailable = "proceed"`), change(`verify_number = "pds"`, "verify_number = \"pds\"\nnotification_spec_off = true")),
			"clients.ed.notification_spec_off", "proceed",
		},
		{"an unknown setting", in("pds", `retries = 1`), "pds.retries", "not a known setting"},
	}
	rules = append(rules, notPositive("pds", "timeout", true)...)
	return append(rules, notPositive("pds", "per_second", false)...)
}

// WRD-PDS-03: the service is off by default, and its settings are then no matter.
func TestPDSIsOffByDefault(t *testing.T) {
	dir := pdsFolder(t)
	for name, file := range map[string]string{
		"left out":   wardFile,
		"not asked":  strings.Replace(pdsFile, `verify_number = "pds"`, `verify_number = "none"`, 1),
		"unfinished": wardFile + "[pds]\nunavailable = \"perhaps\"\ntimeout = \"0s\"\n",
	} {
		s := mustLoad(t, put(t, dir, file))
		if s.Demographics != nil || s.Unverified != pds.Refuse {
			t.Errorf("%s: %v, %v", name, s.Demographics, s.Unverified)
		}
	}
}

// What the settings say is what the client of the service gets.
func TestPDSSettings(t *testing.T) {
	dir := pdsFolder(t)
	s := mustLoad(t, put(t, dir, pdsFile))
	d := s.Demographics
	if d.URL.String() != "https://int.api.service.nhs.uk/personal-demographics/FHIR/R4" || d.TokenURL.Path != "/oauth2/token" ||
		d.APIKey != "Kq7nT2-synthetic-api-key" || d.KeyID != "ward-1" || d.Organisation != "" ||
		d.Timeout != 2*time.Second || d.PerSecond != 5 || d.Key == nil || d.Now == nil || d.TLS.RootCAs != nil || d.TLS.InsecureSkipVerify {
		t.Errorf("got %+v", d)
	}
	if s.Unverified != pds.Refuse {
		t.Error("the default is not to refuse")
	}
	facts := s.Facts()
	public, err := x509.MarshalPKIXPublicKey(d.Key.Public())
	must(t, err)
	sum := sha256.Sum256(public)
	if facts["pds.key"] != "spki:"+hex.EncodeToString(sum[:]) || !strings.HasPrefix(facts["pds.api_key"], "sha256:") {
		t.Errorf("facts %q, %q", facts["pds.key"], facts["pds.api_key"])
	}
	key, err := os.ReadFile(filepath.Join(dir, "pds-key.pem"))
	must(t, err)
	for name, value := range facts {
		if strings.Contains(value, "Kq7nT2") || strings.Contains(value, strings.Split(string(key), "\n")[1]) {
			t.Errorf("the fact %s holds a secret", name)
		}
	}
	s = mustLoad(t, put(t, dir, all(
		setLast("key", `"pds-key-1.pem"`),
		in("pds", "ca = \"ca.pem\"\nend_user_organisation = \"RXX\"\ntimeout = \"1s\"\nper_second = 0.5\nunavailable = \"proceed\""),
	)(t, pdsFile)))
	d = s.Demographics
	if s.Unverified != pds.Proceed || d.TLS.RootCAs == nil || d.Organisation != "RXX" || d.Timeout != time.Second || d.PerSecond != 0.5 {
		t.Errorf("policy %v, %+v", s.Unverified, d)
	}
}
