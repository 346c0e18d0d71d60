package config_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/config"
)

// conformFile is in order and leaves out everything that may be left out.
const conformFile = `ods_code = "Y99"
accepted_to = ["https://smsp.example.invalid/smsp/cpis"]
[listen]
address = "127.0.0.1:0"
certificate = "server.pem"
key = "server-key.pem"
client_ca = "ca.pem"
[client]
name = "Example ED 1.0"
organisations = ["RXX"]
setting = "emergency-department"
certificate_files = ["client.pem"]
usernames = ["ed-system"]
audit_identities = ["urn:nhs-uk:identity:ods:RXX"]
asid = "200000000290"
`

func loadConformClient(path string) error {
	_, err := config.LoadConformClient(path)
	return err
}

// WRD-OPS-15: each rule of the configuration of `ward conform client`.
func TestEveryConformClientRule(t *testing.T) {
	dir := folder(t)
	must(t, loadConformClient(put(t, dir, conformFile)))
	top := func(line string) edit {
		return func(_ *testing.T, file string) string { return line + "\n" + file }
	}
	for _, r := range []rule{
		{"no provider", change(`ods_code = "Y99"`, ""), "ods_code", "ODS code"},
		{"no address", set("accepted_to", "[]"), "accepted_to", "at least one URL"},
		{"an address that is none", set("accepted_to", `["smsp"]`), "accepted_to", "not a URL"},
		{"no window", top(`window = "0s"`), "window", "between 1s and 1h"},
		{"an endless window", top(`window = "48h"`), "window", "between 1s and 1h"},
		{"a slow answer that is not", top(`slow_answer = "1ms"`), "slow_answer", "between 1s and 1m"},
		{"nobody gives up", top(`give_up = "0s"`), "give_up", "between 1s and 1h"},
		{"no port", set("address", `"127.0.0.1"`), "listen.address", "host:port"},
		{"no certificate", set("certificate", `""`), "listen.certificate", "missing"},
		{"a key that others may read (WRD-SEC-11)", set("key", `"open-key.pem"`), "listen.key", "chmod 600"},
		{"no anchors", set("client_ca", `"text"`), "listen.client_ca", "no certificate"},
		{"no name", set("name", `""`), "client.name", "version"},
		{"scheduled care (WRD-IAM-09)", set("setting", `"school"`), "client.setting", "one of"},
		{"no user name", set("usernames", "[]"), "client.usernames", "user names"},
		{"the identity of another organisation", set("audit_identities", `["urn:nhs-uk:identity:ods:RYY"]`), "client.audit_identities", "one of the client's organisations"},
		{"an ASID that is none", set("asid", `"1"`), "client.asid", "twelve digits"},
		{"no client certificate", set("certificate_files", "[]"), "client.certificates", "at least one"},
		{"a client certificate named twice", set("certificate_files", `["client.pem", "client.pem"]`), "client.certificates", "once"},
		{"a Spine", top(`spine = "https://spine.example.invalid"`), "spine", "not a known setting"},
	} {
		t.Run(r.name, func(t *testing.T) { r.test(t, dir, conformFile, loadConformClient) })
	}
}

func TestConformClientDefaults(t *testing.T) {
	dir := folder(t)
	s, err := config.LoadConformClient(put(t, dir, conformFile))
	must(t, err)
	live := mustLoad(t, put(t, dir, wardFile))
	if s.Window != 30*time.Second || s.SlowAnswer != 8*time.Second || s.GiveUp != 2*time.Minute || s.Client.AccessMethod != "attended" {
		t.Errorf("window %s, slow answer %s, give up %s, access method %s", s.Window, s.SlowAnswer, s.GiveUp, s.Client.AccessMethod)
	}
	if s.Limits != live.Limits || !cmp.Equal(s.ITK, live.ITK) || s.ListenTLS.MinVersion != live.ListenTLS.MinVersion || s.ListenTLS.ClientAuth != live.ListenTLS.ClientAuth {
		t.Error("the listener and its limits are not those of `ward serve`")
	}
}

func TestEveryConfirmationRule(t *testing.T) {
	const file = "tester = \"Sam Specimen\"\nseen = [\"screen-busy\"]\n[wrong]\nscreen-found = \"a blank page\"\n"
	dir := folder(t)
	load := func(path string) error {
		_, err := config.LoadConfirmations(path, []string{"screen-busy", "screen-found"})
		return err
	}
	must(t, load(put(t, dir, file)))
	for _, r := range []rule{
		{"nobody", change("Sam Specimen", ""), "tester", "name and the role"},
		{"a screen that is none", set("seen", `["busy"]`), "seen", "not the id of a screen"},
		{"a wrong screen that is none", change("screen-found", "found"), "wrong.found", "not the id of a screen"},
		{"wrong without saying how", change("a blank page", ""), "wrong.screen-found", "what the screen showed"},
		{"right and wrong", set("seen", `["screen-found"]`), "wrong.screen-found", "one of the two"},
		{"an unknown key", change("seen = ", "date = 1\nseen = "), "date", "not a known setting"},
	} {
		t.Run(r.name, func(t *testing.T) { r.test(t, dir, file, load) })
	}
}
