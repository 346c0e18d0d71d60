package spinesim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim"
)

func managed(c *spinesim.Config) { c.ManagementAddress = "127.0.0.1:0" }

// call uses the management interface and decodes its answer.
func call(t *testing.T, s *spinesim.Simulator, method, path, body string, into any) int {
	t.Helper()
	request, err := http.NewRequest(method, "http://"+s.ManagementAddr()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if into != nil {
		err = json.Unmarshal(answer, into)
		if err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, answer)
		}
		if response.Header.Get("X-Ward-Simulator") == "" || response.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: headers %v", method, path, response.Header)
		}
	}
	return response.StatusCode
}

func TestManagementShowsWhatHappened(t *testing.T) {
	s := start(t, managed)
	c := newClient(t)
	q := query{number: "9990000018", queryID: newID()}
	ask(t, s, c, q)
	ask(t, s, c, query{number: "9990000034"})

	var health struct{ Status string }
	if status := call(t, s, "GET", "/healthz", "", &health); status != 200 || health.Status != "ok" {
		t.Errorf("health: %d %q", status, health.Status)
	}
	var state struct {
		URL, ASID string
		Counters  struct {
			Processed     int
			Notifications int
			ByNumber      map[string]int `json:"by_number"`
		}
	}
	call(t, s, "GET", "/state", "", &state)
	if state.URL != s.URL() || state.ASID != spinesim.TestASID || state.Counters.Processed != 2 || state.Counters.Notifications != 2 || state.Counters.ByNumber["9990000018"] != 1 {
		t.Errorf("state %+v", state)
	}
	var queries struct{ Queries []spinesim.Query }
	call(t, s, "GET", "/queries", "", &queries)
	if len(queries.Queries) != 2 || queries.Queries[0].QueryID != q.queryID || queries.Queries[0].Notifications != 2 {
		t.Errorf("queries %+v", queries)
	}
	call(t, s, "GET", "/queries?limit=1", "", &queries)
	if len(queries.Queries) != 1 || queries.Queries[0].NHSNumber != "9990000034" {
		t.Errorf("the newest query: %+v", queries)
	}
	var told struct{ Notifications []spinesim.Notification }
	call(t, s, "GET", "/notifications", "", &told)
	if len(told.Notifications) != 2 || told.Notifications[1].Authority != "E10X2" {
		t.Errorf("notifications %+v", told)
	}
	var children struct{ Children []spinesim.ChildView }
	call(t, s, "GET", "/children?limit=3", "", &children)
	if len(children.Children) != 3 || children.Children[0].NHSNumber != "9990000018" || children.Children[0].Code != "SMSP-0000" || children.Children[2].Code != "CPIS-0001" {
		t.Errorf("children %+v", children)
	}
	var behaviours struct{ Behaviours []spinesim.BehaviourInfo }
	call(t, s, "GET", "/behaviours", "", &behaviours)
	if len(behaviours.Behaviours) != len(spinesim.Behaviours()) {
		t.Errorf("%d behaviours", len(behaviours.Behaviours))
	}
}

func TestManagementPlaysAndResets(t *testing.T) {
	s := start(t, managed)
	c := newClient(t)
	status := call(t, s, "POST", "/script", `{"repeat":true,"steps":[{"behaviour":"fault-200","times":2,"delay":"1ms"},{"behaviour":"found"}]}`, nil)
	if status != 200 {
		t.Fatalf("status %d", status)
	}
	for _, want := range []string{"fault", "fault", repc, "fault"} {
		if got := ask(t, s, c, query{}).kind(); got != want {
			t.Errorf("answered by %s, want %s", got, want)
		}
	}
	if status := call(t, s, "POST", "/reset", "", nil); status != 200 {
		t.Fatalf("status %d", status)
	}
	if got := ask(t, s, c, query{}).kind(); got != repc {
		t.Errorf("after a reset answered by %s", got)
	}
	if n := len(s.Received()); n != 1 {
		t.Errorf("after a reset %d queries", n)
	}
}

// The management interface sets where replies go and what disturbs them, and shows what
// became of each.
func TestManagementOfReplies(t *testing.T) {
	first, second := newInbox(t), newInbox(t)
	s := startAsync(t, managed)
	c := newClient(t)
	do := func(path, body string) {
		t.Helper()
		status := call(t, s, "POST", path, body, nil)
		if status != 200 {
			t.Fatalf("%s %s: status %d", path, body, status)
		}
	}
	do("/reply-urls", fmt.Sprintf(`{"urls":[%q,%q],"always":2}`, first.url(), second.url()))
	do("/chaos", `{"seed":3,"duplicate":100,"hold_for":2,"hold_at_most":"1s","delays":[{"share":100,"delay":"2ms"}]}`)
	do("/script", `{"steps":[{"behaviour":"not-found","immediate":"acknowledged"}]}`)
	r := ebRequest{}.withDefaults()
	if got := askAsync(t, s, c, r); got.text("Action") != "Acknowledgment" {
		t.Errorf("answered by %s", got.body)
	}
	settle(t, s)
	if first.count() != 0 || second.count() != 2 {
		t.Errorf("%d and %d arrived", first.count(), second.count())
	}
	var replies struct{ Replies []spinesim.Reply }
	call(t, s, "GET", "/replies", "", &replies)
	if len(replies.Replies) != 1 || replies.Replies[0].QuestionID != r.messageID || replies.Replies[0].Chaos != spinesim.Duplicate || len(replies.Replies[0].Posts) != 2 || replies.Replies[0].Delay != 2*time.Millisecond {
		t.Errorf("replies %+v", replies)
	}
	var state struct {
		AsyncURL  string   `json:"async_url"`
		ReplyURLs []string `json:"reply_urls"`
		Pending   int      `json:"pending_replies"`
		Counters  spinesim.Counters
	}
	call(t, s, "GET", "/state", "", &state)
	if state.AsyncURL != s.AsyncURL() || len(state.ReplyURLs) != 2 || state.Pending != 0 || state.Counters.Posts != 2 || state.Counters.RepliesByFate["delivered"] != 1 {
		t.Errorf("state %+v", state)
	}
	askAsync(t, s, c, ebRequest{query: query{queryID: r.queryID}}) // as stored, so processed
	var processed struct{ Times int64 }
	call(t, s, "GET", "/processed?id="+r.queryID, "", &processed)
	if processed.Times != 1 {
		t.Errorf("processed %d times", processed.Times)
	}
	settle(t, s) // what is being posted counts when it has ended
	do("/reset", "")
	if got := s.Counters(); got.Posts != 0 || s.TimesProcessed(r.queryID) != 0 || len(s.ReplyURLs()) != 2 {
		t.Errorf("after a reset %+v", got)
	}
}

func TestManagementRefusesNonsense(t *testing.T) {
	s := start(t, managed)
	for _, tt := range []struct{ method, path, body string }{
		{"POST", "/script", `{"steps":[{"behaviour":"explode"}]}`},
		{"POST", "/script", `{"steps":[{"behaviour":"found","delay":"soon"}]}`},
		{"POST", "/script", `{"steps":[],"colour":"red"}`},
		{"POST", "/script", `nonsense`},
		{"POST", "/script", `{"steps":[{"behaviour":"found","immediate":"explode"}]}`},
		{"POST", "/script", `{"steps":[{"behaviour":"found","chaos":"explode"}]}`},
		{"POST", "/reply-urls", `{"urls":["https://x.nhs.uk/"]}`},
		{"POST", "/reply-urls", `{"urls":[],"always":1}`},
		{"POST", "/reply-urls", `nonsense`},
		{"POST", "/chaos", `{"lose":101}`},
		{"POST", "/chaos", `{"delays":[{"share":1,"delay":"soon"}]}`},
		{"POST", "/chaos", `{"colour":"red"}`},
		{"GET", "/queries?limit=0", ""},
		{"GET", "/children?limit=x", ""},
	} {
		var answer struct{ Error string }
		if status := call(t, s, tt.method, tt.path, tt.body, &answer); status != 400 || answer.Error == "" {
			t.Errorf("%s %s %s: status %d, %q", tt.method, tt.path, tt.body, status, answer.Error)
		}
	}
	for _, tt := range []struct{ method, path string }{{"GET", "/script"}, {"GET", "/reset"}, {"POST", "/queries"}, {"GET", "/chaos"}, {"GET", "/reply-urls"}, {"POST", "/replies"}} {
		if status := call(t, s, tt.method, tt.path, "", nil); status != 405 {
			t.Errorf("%s %s: status %d", tt.method, tt.path, status)
		}
	}
}

// The protocol is not on the management port, nor the other way round.
func TestManagementIsApartFromTheProtocol(t *testing.T) {
	s := start(t, managed)
	if status := call(t, s, "POST", spinesim.DefaultPath, query{}.xml(), nil); status != 404 {
		t.Errorf("the management port answers a query with status %d", status)
	}
	request, err := http.NewRequest("GET", strings.TrimSuffix(s.URL(), spinesim.DefaultPath)+"/state", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := newClient(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 404 {
		t.Errorf("the protocol's port answers /state with status %d", response.StatusCode)
	}
	host, _, err := net.SplitHostPort(s.ManagementAddr())
	if err != nil || host != "127.0.0.1" {
		t.Errorf("management listens on %s", s.ManagementAddr())
	}
}
