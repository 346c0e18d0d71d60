package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/testpki"
)

// The tests run the real main in a process of its own: this binary, told so.
const asMain = "SPINESIM_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// write makes a directory with certificates and the configuration.
func write(t *testing.T, configuration string) (path string) {
	t.Helper()
	dir := t.TempDir()
	authority, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(testpki.Request{CommonName: "spine.test", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Server: true})
	if err != nil {
		t.Fatal(err)
	}
	err = pair.WriteFiles(dir, "server")
	if err != nil {
		t.Fatal(err)
	}
	err = authority.WriteRoot(dir, "ca")
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "spinesim.toml")
	err = os.WriteFile(path, []byte(configuration), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	c.Env = append(os.Environ(), asMain+"=1")
	return c
}

const complete = `
address = "127.0.0.1:0"
management = "127.0.0.1:0"
path = "/sync-service"
certificate = "server.pem"
key = "server-key.pem"
client_cas = "ca.pem"
tls_max = "1.2"
asid = "999900000001"
generate = 3
seed = 42
refusal = "mcci-ae"
delay = "1ms"
async_path = "/async"
async_refusal = "fault"
immediate = "late-hang"
reply_urls = ["https://127.0.0.1:1/a", "https://localhost:2/b"]
reply_to = 2
reply_certificate = "server.pem"
reply_key = "server-key.pem"
reply_cas = "ca.pem"
reply_prefixed = true

[contract]
cpa_id = "S1"
party_key = "YES-1"
client_party_key = "RXX-1"
sync_reply = "MSHSignalsOnly"
ack_requested = "always"
duplicate_elimination = "perMessage"
retries = 2
retry_interval = "1s"
persist_duration = "5m"

[chaos]
seed = 5
duplicate = 1
reorder = 2
lose = 3
flip_bits = 4
wrong_reference = 5
truncate_mime = 6
other_boundary = 7
hold_for = 8
hold_at_most = "9s"
delays = [{ share = 10, delay = "11ms" }]

[[children]]
nhs_number = "9990000344"
given = "Extra"
family = "Child"
birth = "-3000d"
situation = "configured"
earlier_accesses = 1
behaviour = "found-harness-shape"

[[children.records]]
local_id = "L1"
authority = { code = "X1", name = "Council", office_hours = "tel:1", emergency_duty = "tel:2" }
plans = [{ type = "CPP", start = "-30d", end = "2035-01-31" }]

[[scripts]]
repeat = true
steps = [{ behaviour = "fault-200", times = 2, delay = "5ms" }, { behaviour = "found", every = true }]

[[scripts]]
nhs_number = "9990000026"
steps = [{ behaviour = "mcci-ae", immediate = "acknowledged", chaos = "lose" }]
`

// The program serves what its configuration says until it is told to stop, and
// then ends in good order.
func TestServesUntilSignalled(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		t.Run(fmt.Sprint(signal), func(t *testing.T) {
			c := command(t, "-config", write(t, complete))
			stderr, err := c.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			err = c.Start()
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(stderr)
			address := regexp.MustCompile(`management=([0-9.:]+)`)
			var management string
			var said []string
			for management == "" && lines.Scan() {
				said = append(said, lines.Text())
				found := address.FindStringSubmatch(lines.Text())
				if found != nil {
					management = found[1]
				}
			}
			if management == "" {
				t.Fatalf("did not start: %s", strings.Join(said, "\n"))
			}
			child := configuredChild(t, "http://"+management)
			if child.Given != "Extra" || child.Behaviour != "found-harness-shape" || child.Accesses != 1 || len(child.Records) != 1 || child.Records[0].Plans[0].End != "203501310000" {
				t.Errorf("the configured child is %+v", child)
			}
			err = c.Process.Signal(signal)
			if err != nil {
				t.Fatal(err)
			}
			for lines.Scan() { // to the end, so that Wait may close the pipe
			}
			err = c.Wait()
			if err != nil {
				t.Errorf("ended with: %v", err)
			}
		})
	}
}

// Every key of the asynchronous pattern reaches the simulator.
func TestAsyncKeys(t *testing.T) {
	cfg, _, err := load(write(t, complete))
	if err != nil {
		t.Fatal(err)
	}
	got := spinesim.Config{
		AsyncPath: cfg.AsyncPath, AsyncRefusal: cfg.AsyncRefusal, Immediate: cfg.Immediate, ReplyURLs: cfg.ReplyURLs,
		ReplyTo: cfg.ReplyTo, ReplyPrefixed: cfg.ReplyPrefixed, Contract: cfg.Contract, Chaos: cfg.Chaos,
	}
	want := spinesim.Config{
		AsyncPath: "/async", AsyncRefusal: spinesim.RefuseWithFault, Immediate: spinesim.LateImmediate(spinesim.Hang),
		ReplyURLs: []string{"https://127.0.0.1:1/a", "https://localhost:2/b"}, ReplyTo: 2, ReplyPrefixed: true,
		Contract: spinesim.Contract{
			CPAID: "S1", PartyKey: "YES-1", ClientPartyKey: "RXX-1", SyncReply: spinesim.SyncReplySignals, AckRequested: spinesim.Always,
			DuplicateElimination: spinesim.PerMessage, Retries: 2, RetryInterval: time.Second, PersistDuration: 5 * time.Minute,
		},
		Chaos: spinesim.Chaos{
			Seed: 5, Duplicate: 1, Reorder: 2, Lose: 3, FlipBits: 4, WrongReference: 5, TruncateMIME: 6, OtherBoundary: 7,
			HoldFor: 8, HoldAtMost: 9 * time.Second, Delays: []spinesim.DelayShare{{Share: 10, Delay: 11 * time.Millisecond}},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(spinesim.Config{}, "Certificate", "ReplyCertificate")); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if len(cfg.ReplyCertificate.Certificate) == 0 || len(cfg.ReplyCAs) == 0 || cfg.Scripts[1].Steps[0].Immediate != spinesim.Acknowledged || cfg.Scripts[1].Steps[0].Chaos != spinesim.Lose {
		t.Errorf("the reply's certificate or authorities, or the script's answer, are missing: %v", cfg.Scripts)
	}
}

type child struct {
	NHSNumber string `json:"nhs_number"`
	Given     string
	Behaviour string
	Accesses  int
	Records   []struct{ Plans []struct{ End string } }
}

// configuredChild asks the management interface for the child of complete.
func configuredChild(t *testing.T, base string) child {
	t.Helper()
	response, err := http.Get(base + "/children")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct{ Children []child }
	err = json.NewDecoder(response.Body).Decode(&answer)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range answer.Children {
		if c.NHSNumber == "9990000344" {
			return c
		}
	}
	t.Fatalf("the configured child is not among %d", len(answer.Children))
	return child{}
}

// What is wrong with a configuration is said in a sentence, and the program
// ends with status 1.
func TestRefusesWrongConfigurations(t *testing.T) {
	const certificates = "certificate = \"server.pem\"\nkey = \"server-key.pem\"\nclient_cas = \"ca.pem\"\n"
	tests := []struct{ name, configuration, says string }{
		{"unknown key", certificates + "adress = \"127.0.0.1:0\"", "unknown keys: adress"},
		{"unknown key in a child", certificates + "[[children]]\nnhs = \"1\"", "unknown keys: children.nhs"},
		{"not TOML", "address", "read the configuration"},
		{"no certificate", "key = \"server-key.pem\"\nclient_cas = \"ca.pem\"", "lacks the key certificate"},
		{"no key", "certificate = \"server.pem\"\nclient_cas = \"ca.pem\"", "lacks the key key"},
		{"no authorities", "certificate = \"server.pem\"\nkey = \"server-key.pem\"", "lacks the key client_cas"},
		{"file that is not there", "certificate = \"no.pem\"\nkey = \"server-key.pem\"\nclient_cas = \"ca.pem\"", "load the server certificate"},
		{"wrong TLS version", certificates + "tls_max = \"1.1\"", "1.2 or 1.3"},
		{"wrong duration", certificates + "delay = \"soon\"", "read the configuration"},
		{"reply certificate that is not there", certificates + "reply_certificate = \"no.pem\"", "load the reply certificate"},
		{"reply authorities that are not there", certificates + "reply_cas = \"no.pem\"", "load the reply authorities"},
		{"unknown key in the contract", certificates + "[contract]\ncpaid = \"x\"", "unknown keys: contract.cpaid"},
		{"chaos above 100", certificates + "[chaos]\nlose = 101", "between 0 and 100"},
		{"not loopback", certificates + "address = \"0.0.0.0:0\"", "allow_non_loopback"},
		{"unknown behaviour", certificates + "[[scripts]]\nsteps = [{ behaviour = \"explode\" }]", "explode"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := command(t, "-config", write(t, tt.configuration)).CombinedOutput()
			if err == nil || !strings.Contains(string(out), tt.says) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	for _, args := range [][]string{nil, {"-config"}, {"-config", "x.toml", "more"}, {"-config", filepath.Join(t.TempDir(), "none.toml")}} {
		out, err := command(t, args...).CombinedOutput()
		if err == nil || len(out) == 0 {
			t.Errorf("%v: %v: %s", args, err, out)
		}
	}
}
