package main

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/testpki"
)

const withPlatform = complete + `
[platform]
address = "127.0.0.1:0"
plain_address = "127.0.0.1:0"
management = "127.0.0.1:0"
contract = "unreliable"
directory_mode = "strict"
token_life = "60s"
rate_limit = 5

[[platform.applications]]
api_key = "key"
key_id = "kid-1"
public_key = "application.pem"

[[platform.systems]]
asid = "999900000011"
organisation = "RXX"
party_key = "RXX-0000011"
interactions = ["urn:nhs:names:services:cpisquery:QUPC_IN000006GB01"]

[[platform.endpoints]]
id = "S9990000002A0001"
organisation = "RXX"
party_key = "RXX-0000011"
interaction = "urn:nhs:names:services:cpisquery:REPC_IN000007GB01"
address = "https://localhost:9443/replies"
fqdn = "localhost"
cpa_id = "S9990000002A0001"
contract = { sync_reply = "MSHSignalsOnly", ack_requested = "never", duplicate_elimination = "never", retries = "0" }

[[platform.staff]]
user_id = "555000000001"
roles = [{ profile = "555100000001", organisation = "RXX", code = "R0260", closed = "20250131" }]

[[platform.people]]
nhs_number = "9990030146"
state = "superseded"
replaced_by = "9990000344"
security = "U"
situation = "configured"

[platform.lists]
ca = "ca.crl"

[[platform.scripts]]
service = "token"
repeat = true
steps = [{ behaviour = "http-429", times = 2, delay = "1ms", retry_after = "2s" }, { behaviour = "as-held", every = true }]
`

// writePlatform is write with the files that a platform names.
func writePlatform(t *testing.T, configuration string) (path string) {
	t.Helper()
	path = write(t, configuration)
	dir := filepath.Dir(path)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	err = os.WriteFile(filepath.Join(dir, "application.pem"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	list, err := authority.CRL(testpki.List{})
	if err != nil {
		t.Fatal(err)
	}
	err = testpki.WriteCRL(dir, "ca", list)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// The program serves the platform beside the Spine, as its section says, and
// both end in good order.
func TestServesPlatform(t *testing.T) {
	c := command(t, "-config", writePlatform(t, withPlatform))
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	err = c.Start()
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	address := regexp.MustCompile(`platform_management=([0-9.:]+)`)
	management, said := "", ""
	for management == "" && lines.Scan() {
		said += lines.Text() + "\n"
		found := address.FindStringSubmatch(lines.Text())
		if found != nil {
			management = found[1]
		}
	}
	if management == "" {
		t.Fatalf("did not start: %s", said)
	}
	var state struct {
		Mode    string `json:"directory_mode"`
		Scripts int    `json:"scripts_waiting"`
	}
	err = json.Unmarshal(fetch(t, "http://"+management+"/state"), &state)
	if err != nil || state.Mode != "strict" || state.Scripts != 1 {
		t.Errorf("%v: %+v", err, state)
	}
	ldif := string(fetch(t, "http://"+management+"/directory.ldif"))
	for _, line := range []string{
		"nhsMHSEndPoint: https://127.0.0.1:", "nhsMHSEndPoint: https://localhost:9443/replies", // the Spine's own address, and the configured one
		"uniqueIdentifier: 928942012545", "nhsMHSSyncReplyMode: MSHSignalsOnly", "nhsOrgCloseDate: 20250131",
	} {
		if !strings.Contains(ldif, line) {
			t.Errorf("the directory lacks %q:\n%s", line, ldif)
		}
	}
	err = c.Process.Signal(syscall.SIGTERM)
	if err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // to the end, so that Wait may close the pipe
	}
	err = c.Wait()
	if err != nil {
		t.Errorf("ended with: %v", err)
	}
}

func fetch(t *testing.T, address string) []byte {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("%v: status %d: %s", err, response.StatusCode, body)
	}
	return body
}

// What is wrong with the section is said, and nothing is served.
func TestRefusesWrongPlatforms(t *testing.T) {
	const certificates = "certificate = \"server.pem\"\nkey = \"server-key.pem\"\nclient_cas = \"ca.pem\"\n[platform]\n"
	tests := []struct{ name, section, says string }{
		{"unknown key", "adress = \"127.0.0.1:0\"", "unknown keys: platform.adress"},
		{"unknown contract", "contract = \"x\"", "platform.contract"},
		{"unknown mode", "directory_mode = \"x\"", "strict, random nor failing"},
		{"key file that is not there", "applications = [{ api_key = \"k\", key_id = \"i\", public_key = \"no.pem\" }]", "load a public key"},
		{"key that is a certificate", "applications = [{ api_key = \"k\", key_id = \"i\", public_key = \"ca.pem\" }]", "cannot be read"},
		{"key that is not PEM", "applications = [{ api_key = \"k\", key_id = \"i\", public_key = \"spinesim.toml\" }]", "not PEM"},
		{"list that is not there", "lists = { ca = \"no.crl\" }", "load a revocation list"},
		{"real person", "people = [{ nhs_number = \"4010232137\" }]", "outside the test range"},
		{"not loopback", "plain_address = \"0.0.0.0:0\"", "allow_non_loopback"},
		{"port that is none", "address = \"127.0.0.1:99999\"", "listen on"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := command(t, "-config", writePlatform(t, certificates+tt.section)).CombinedOutput()
			if err == nil || !strings.Contains(string(out), tt.says) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
