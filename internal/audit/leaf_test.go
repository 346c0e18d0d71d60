package audit_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
)

// rowOf is the row that a log stores for an entry, and what is read of it.
func rowOf(t testing.TB, e audit.Entry) (audit.Row, audit.Record) {
	t.Helper()
	var store audittest.Memory
	k := newKeys(t)
	options := k.options(&store)
	options.Instance = e.Instance
	log := openLog(t, options)
	mustAppend(t, log, e)
	row := allRows(t, &store)[0]
	record, err := audit.ReadRow(row, k.personal)
	if err != nil {
		t.Fatal(err)
	}
	return row, record
}

// leafOf is the leaf that a log stores for an entry.
func leafOf(t testing.TB, e audit.Entry) []byte {
	t.Helper()
	row, _ := rowOf(t, e)
	return row.Leaf
}

var full = audit.Entry{
	Kind:            audit.Outcome,
	Time:            time.Date(2026, 10, 25, 2, 30, 0, 123_456_789, time.FixedZone("BST", 3600)),
	Correlation:     "5f0c9c2e-6d0b-4f7a-9d6e-000000000001",
	Client:          "ashby-general-ed",
	Organisation:    "RX1",
	Certificate:     "9f86d081",
	Remote:          "[2001:db8::1]:443",
	Username:        `a"\<&>` + "\b\f\n\r\t\x00\x1f\x7f é\u2028",
	AuditIdentities: []audit.Identity{{Type: "t", URI: "urn:a"}, {URI: "urn:b"}, {}},
	Author: &audit.Author{
		Form: "system", UserID: "u", RoleProfile: "p", RoleCode: "c", RoleName: "n", Name: "N",
		Organisation: "RX1", OrganisationName: "Ashby", ASID: "200000000001",
		Authorities: []audit.Authority{{RoleCode: "r", RoleName: "s", Name: "A"}, {}},
	},
	NHSNumber: "9990000018", MessageID: "m", TrackingID: "t", QueryID: "q",
	SpineMessageIDs: []string{"one", "", "two"},
	Outcome:         "found", Code: "SMSP-0000", Notified: "yes", Reason: "N21",
	Records: 1, Accesses: 25,
	Elapsed:  1234567 * time.Nanosecond,
	Software: "ward 1.0.0",
}

// The forms of versions 1 and 2, byte for byte. They are not written any more.
const (
	leaf1 = `{"v":1,"seq":0,"kind":"outcome","time":"2026-10-25T01:30:00.123Z","correlation":"5f0c9c2e-6d0b-4f7a-9d6e-000000000001",` +
		`"client":"ashby-general-ed","organisation":"RX1","certificate":"9f86d081","remote":"[2001:db8::1]:443",` +
		`"username":"a\"\\<&>\b\f\n\r\t\u0000\u001f` + "\x7f é\u2028" + `",` +
		`"audit_identities":[{"type":"t","uri":"urn:a"},{"uri":"urn:b"},{}],` +
		`"author":{"form":"system","user_id":"u","role_profile":"p","role_code":"c","role_name":"n","name":"N",` +
		`"organisation":"RX1","organisation_name":"Ashby","asid":"200000000001",` +
		`"authorities":[{"role_code":"r","role_name":"s","name":"A"},{}]},` +
		`"nhs_number":"9990000018","message_id":"m","tracking_id":"t","query_id":"q","spine_message_ids":["one","","two"],` +
		`"outcome":"found","code":"SMSP-0000","notified":"yes","reason":"N21","records":1,"accesses":25,` +
		`"elapsed_us":1234,"software":"ward 1.0.0"}`
	least1 = `{"v":1,"seq":0,"kind":"refused","time":"2026-03-29T01:30:00.000Z"}`
	leaf2  = `{"v":2,"seq":5,"kind":"refused","time":"2026-03-29T01:30:00.000Z","certificate":"9f86d081",` +
		`"subject":"CN=ed,O=\"Ashby\"","serial":"4f00","issuer":"CN=Ashby CA","remote":"r"}`
)

// WRD-OPS-14: what earlier releases wrote stays readable.
func TestEarlierLeavesAreRead(t *testing.T) {
	for _, tt := range []struct {
		leaf string
		want audit.Leaf
	}{
		{leaf1, audit.Leaf{Version: 1, Entry: kept(full)}},
		{least1, audit.Leaf{Version: 1, Entry: refused("")}},
		{leaf2, audit.Leaf{Version: 2, Seq: 5, Entry: audit.Entry{Kind: audit.Refused, Time: refused("").Time,
			Certificate: "9f86d081", Subject: `CN=ed,O="Ashby"`, Serial: "4f00", Issuer: "CN=Ashby CA", Remote: "r"}}},
	} {
		got, err := audit.ParseLeaf([]byte(tt.leaf))
		if err != nil {
			t.Fatalf("%s: %v", tt.leaf, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.leaf, diff)
		}
		otherwise := strings.NewReplacer(`"v":1`, `"v":2`, `"v":2`, `"v":1`).Replace(tt.leaf)
		_, err = audit.ParseLeaf([]byte(otherwise))
		if err == nil {
			t.Errorf("%s was accepted", otherwise)
		}
	}
}

// kept is an entry as it is read back: times to the millisecond in UTC (MSCA-AUD-03c,
// MSCA-AUD-07).
func kept(e audit.Entry) audit.Entry {
	e.Time = e.Time.UTC().Truncate(time.Millisecond)
	e.Elapsed = e.Elapsed.Truncate(time.Microsecond)
	return e
}

// acted is an entry with the fields that full has not.
func acted() audit.Entry {
	return audit.Entry{
		Kind: audit.Erased, Time: full.Time, Subject: "s", Serial: "4f00", Issuer: "i", Instance: "ward-1",
		Operator: "o", Purpose: "p", Authority: "A", Detail: json.RawMessage(`{"a": [1, "é"]}`),
		Entries: 3, Class: audit.Questions, Order: "0f", Removed: []audit.Range{{First: 0, Last: 7}, {First: 9, Last: 9}},
		Hold: "h", Covered: 12,
	}
}

// WRD-OPS-14: the form of version 3, byte for byte. Another form gets another
// version, and this one stays readable.
func TestLeafForm(t *testing.T) {
	tests := []struct {
		entry         audit.Entry
		leaf, content string
	}{
		{full, `{"v":3,"seq":0,"kind":"outcome","time":"2026-10-25T01:30:00.123Z","correlation":"5f0c9c2e-6d0b-4f7a-9d6e-000000000001",` +
			`"client":"ashby-general-ed","organisation":"RX1","certificate":"9f86d081","remote":"[2001:db8::1]:443",` +
			`"message_id":"m","tracking_id":"t","query_id":"q","spine_message_ids":["one","","two"],` +
			`"outcome":"found","code":"SMSP-0000","notified":"yes","reason":"N21","records":1,"accesses":25,` +
			`"elapsed_us":1234,"software":"ward 1.0.0","content":"HASH"}`,
			`{"username":"a\"\\<&>\b\f\n\r\t\u0000\u001f` + "\x7f é\u2028" + `",` +
				`"audit_identities":[{"type":"t","uri":"urn:a"},{"uri":"urn:b"},{}],` +
				`"author":{"form":"system","user_id":"u","role_profile":"p","role_code":"c","role_name":"n","name":"N",` +
				`"organisation":"RX1","organisation_name":"Ashby","asid":"200000000001",` +
				`"authorities":[{"role_code":"r","role_name":"s","name":"A"},{}]},"nhs_number":"9990000018"}`},
		{acted(), `{"v":3,"seq":0,"kind":"erased","time":"2026-10-25T01:30:00.123Z","serial":"4f00","issuer":"i",` +
			`"instance":"ward-1","entries":3,"class":"questions","order":"0f","removed":[{"first":0,"last":7},{"first":9,"last":9}],` +
			`"hold":"h","covered":12,"content":"HASH"}`,
			`{"subject":"s","operator":"o","purpose":"p","authority":"A","detail":{"a": [1, "é"]}}`},
		{refused(""), `{"v":3,"seq":0,"kind":"refused","time":"2026-03-29T01:30:00.000Z"}`, ``},
	}
	for _, tt := range tests {
		row, record := rowOf(t, tt.entry)
		hash := sha256.Sum256(row.Sealed)
		want := strings.Replace(tt.leaf, "HASH", hex.EncodeToString(hash[:]), 1)
		if diff := cmp.Diff(want, string(row.Leaf)); diff != "" {
			t.Errorf("leaf (-want +got):\n%s", diff)
		}
		if (row.Sealed == nil) != (tt.content == "") {
			t.Fatalf("there is a content: %v", row.Sealed != nil)
		}
		if tt.content != "" {
			content, err := newKeys(t).personal.Open(row.Sealed)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.content, string(content)); diff != "" {
				t.Errorf("content (-want +got):\n%s", diff)
			}
		}
		entry := kept(tt.entry)
		entry.Content = record.Entry.Content
		if diff := cmp.Diff(entry, record.Entry); diff != "" || record.Seq != 0 || record.State != audit.Whole {
			t.Errorf("MSCA-AUD-03a to 03f: read back as %d, %s (-want +got):\n%s", record.Seq, record.State, diff)
		}
	}
}

func TestParseLeafAcceptsOneSpellingOnly(t *testing.T) {
	const good = `{"v":1,"seq":7,"kind":"intent","time":"2026-03-29T01:30:00.000Z","correlation":"c","username":"a\nb","spine_message_ids":["x"],"records":3}`
	leaf, err := audit.ParseLeaf([]byte(good))
	if err != nil || leaf.Seq != 7 {
		t.Fatalf("ParseLeaf = %d, %v", leaf.Seq, err)
	}
	tests := []struct{ name, old, new string }{
		{"a version that it does not need", `"v":1`, `"v":2`},
		{"a version whose leaves hold nothing personal", `"v":1`, `"v":3`},
		{"another version", `"v":1`, `"v":4`},
		{"a field of a later version", `"records":3`, `"records":3,"entries":1`},
		{"no version", `"v":1,`, ``},
		{"no sequence number", `"seq":7,`, ``},
		{"a negative sequence number", `"seq":7`, `"seq":-7`},
		{"a sequence number with a leading zero", `"seq":7`, `"seq":07`},
		{"a fraction", `"seq":7`, `"seq":7.0`},
		{"a number beyond 64 bits", `"seq":7`, `"seq":9223372036854775808`},
		{"an unknown field", `"records":3`, `"records":3,"colour":"red"`},
		{"a field twice", `"records":3`, `"records":3,"records":3`},
		{"another order", `"correlation":"c","username":"a\nb"`, `"username":"a\nb","correlation":"c"`},
		{"another case", `"kind"`, `"Kind"`},
		{"space", `,"kind"`, `, "kind"`},
		{"a newline at the end", `3}`, "3}\n"},
		{"another entry after it", `3}`, `3}{}`},
		{"an empty value", `"correlation":"c"`, `"correlation":"c","client":""`},
		{"a null", `"records":3`, `"records":null`},
		{"a zero", `"records":3`, `"records":0`},
		{"a false", `"records":3`, `"records":3,"altered":false`},
		{"an empty list", `["x"]`, `[]`},
		{"a list that ends with a comma", `["x"]`, `["x",]`},
		{"a list too long", `["x"]`, `["x"` + strings.Repeat(`,"x"`, audit.MaxList) + `]`},
		{"a value too long", `a\nb`, strings.Repeat("a", audit.MaxText+1)},
		{"a value too long in escapes", `a\nb`, strings.Repeat(`\n`, audit.MaxText+1)},
		{"a needless escape", `a\nb`, `\u0061\nb`},
		{"a long escape", `a\nb`, `a\u000ab`},
		{"an escape in capitals", `a\nb`, `a\u001Fb`},
		{"an escaped solidus", `a\nb`, `a\/b`},
		{"a bare control character", `a\nb`, "a\nb"},
		{"bytes that are not UTF-8", `a\nb`, "a\xff"},
		{"bytes that are not UTF-8 after an escape", `a\nb`, "a\\n\xff"},
		{"a value that does not end", `a\nb"`, `a\nb`},
		{"no kind", `"kind":"intent",`, ``},
		{"a kind that is none", `"intent"`, `"In tent"`},
		{"no time", `"time":"2026-03-29T01:30:00.000Z",`, ``},
		{"a time without milliseconds", `00.000Z`, `00Z`},
		{"a time with more than milliseconds", `00.000Z`, `00.000000Z`},
		{"a time in another zone", `00.000Z`, `00.000+01:00`},
		{"a time that is none", `03-29`, `02-30`},
		{"a time before computers", `2026-`, `1969-`},
		{"an intent without correlation", `"correlation":"c",`, ``},
		{"nothing", good, ``},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bad := strings.Replace(good, tt.old, tt.new, 1)
			if bad == good {
				t.Fatal("the test changes nothing")
			}
			_, err := audit.ParseLeaf([]byte(bad))
			if err == nil {
				t.Errorf("ParseLeaf accepted %q", bad)
			}
		})
	}
}

// Every cut or changed byte of a leaf is noticed or is another proper leaf, and
// no error quotes the leaf.
func TestParseLeafErrorsQuoteNothing(t *testing.T) {
	leaf := leafOf(t, full)
	for i := range leaf {
		_, err := audit.ParseLeaf(leaf[:i])
		if err == nil {
			t.Fatalf("the first %d bytes of a leaf were accepted", i)
		}
		if strings.Contains(err.Error(), "9990000018") || strings.Contains(err.Error(), "Ashby") {
			t.Fatalf("the error quotes the leaf: %v", err)
		}
	}
	_, err := audit.ParseLeaf(bytes.Repeat([]byte("x"), audit.MaxLeaf+1))
	if err == nil {
		t.Error("a leaf beyond the limit was accepted")
	}
}

// WRD-AUD-08: no value that a client sends keeps an event out of the log; what
// does not fit is cut and the entry says so.
func TestLongAndBrokenValuesAreAltered(t *testing.T) {
	tests := []struct {
		name, given, kept string
		altered           bool
	}{
		{"as long as may be", strings.Repeat("a", audit.MaxText), strings.Repeat("a", audit.MaxText), false},
		{"too long", strings.Repeat("a", audit.MaxText+1), strings.Repeat("a", audit.MaxText), true},
		{"cut between characters", strings.Repeat("a", audit.MaxText-1) + "é", strings.Repeat("a", audit.MaxText-1), true},
		{"not UTF-8", "a\xffb\xc3", "a\uFFFDb\uFFFD", true},
		{"a true U+FFFD", "\uFFFD", "\uFFFD", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := refused("c")
			e.Username = tt.given
			_, record := rowOf(t, e)
			got := record.Entry
			if got.Username != tt.kept || got.Altered != tt.altered {
				t.Errorf("kept %q, altered %v", got.Username, got.Altered)
			}
		})
	}
	t.Run("a list too long", func(t *testing.T) {
		e := refused("c")
		e.SpineMessageIDs = strings.Split(strings.Repeat("x", audit.MaxList+1), "")
		_, record := rowOf(t, e)
		got := record.Entry
		if len(got.SpineMessageIDs) != audit.MaxList || !got.Altered {
			t.Errorf("kept %d, altered %v", len(got.SpineMessageIDs), got.Altered)
		}
	})
	t.Run("the largest entry", func(t *testing.T) {
		long := strings.Repeat("\x01", audit.MaxText)
		e := audit.Entry{
			Kind: "refused", Time: full.Time, Correlation: long, Client: long, Organisation: long, Certificate: long, Remote: long,
			Subject: long, Serial: long, Issuer: long,
			Username: long, NHSNumber: long, MessageID: long, TrackingID: long, QueryID: long, Outcome: long, Code: long,
			Notified: long, Reason: long, Software: long, Elapsed: 1<<63 - 1, Records: 1<<63 - 1, Accesses: 1<<63 - 1,
			Author: &audit.Author{Form: long, UserID: long, RoleProfile: long, RoleCode: long, RoleName: long, Name: long,
				Organisation: long, OrganisationName: long, ASID: long},
			Instance: long, Operator: long, Purpose: long, Authority: long, Order: long, Hold: long, Class: audit.Class(long),
			Entries: 1<<63 - 1, Covered: 1<<63 - 1, Detail: json.RawMessage(`{"a":"` + strings.Repeat("a", audit.MaxDetail-8) + `"}`),
		}
		for i := range int64(audit.MaxRemoved) {
			e.Removed = append(e.Removed, audit.Range{First: 1<<62 + i, Last: 1<<62 + i})
		}
		for range audit.MaxList {
			e.AuditIdentities = append(e.AuditIdentities, audit.Identity{Type: long, URI: long})
			e.SpineMessageIDs = append(e.SpineMessageIDs, long)
			e.Author.Authorities = append(e.Author.Authorities, audit.Authority{RoleCode: long, RoleName: long, Name: long})
		}
		row, record := rowOf(t, e) // both can be read
		if len(row.Leaf) > audit.MaxLeaf || record.Entry.Altered {
			t.Errorf("a leaf of %d bytes, altered: %v", len(row.Leaf), record.Entry.Altered)
		}
	})
	t.Run("a detail that is too long, or no object", func(t *testing.T) {
		for _, detail := range []string{`{"a":"` + strings.Repeat("a", audit.MaxDetail) + `"}`, `[]`, `{`, "{\"\xff\":1}"} {
			e := refused("c")
			e.Detail = json.RawMessage(detail)
			_, record := rowOf(t, e)
			if string(record.Entry.Detail) != "{}" || !record.Entry.Altered {
				t.Errorf("%.20q was kept as %.20q, altered %v", detail, record.Entry.Detail, record.Entry.Altered)
			}
		}
	})
}

func TestUnfitEntriesAreRefused(t *testing.T) {
	log := openLog(t, newKeys(t).options(new(audittest.Memory)))
	for name, e := range map[string]audit.Entry{
		"no kind":                       {Time: full.Time},
		"a kind in capitals":            {Kind: "Intent", Time: full.Time, Correlation: "c"},
		"a kind too long":               {Kind: audit.Kind(strings.Repeat("k", 33)), Time: full.Time},
		"no time":                       {Kind: audit.Started},
		"a time beyond four digits":     {Kind: audit.Started, Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"an intent without correlation": {Kind: audit.Intent, Time: full.Time},
		"an outcome without":            {Kind: audit.Outcome, Time: full.Time},
	} {
		_, err := log.Append(t.Context(), e)
		if err == nil {
			t.Errorf("%s: Append succeeded", name)
		}
	}
	if log.Size() != 0 || log.Healthy() != nil {
		t.Errorf("refused entries left %d entries and health %v", log.Size(), log.Healthy())
	}
}

// entries draws any entry, with any bytes in its values.
func entries() *rapid.Generator[audit.Entry] {
	text := rapid.OneOf(rapid.Just(""), rapid.StringN(0, 12, -1),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 12), func(b []byte) string { return string(b) }))
	return rapid.Custom(func(t *rapid.T) audit.Entry {
		e := audit.Entry{
			Kind:        rapid.SampledFrom([]audit.Kind{audit.Started, audit.Intent, audit.Outcome, audit.Refused, audit.Recovered}).Draw(t, "kind"),
			Time:        time.UnixMilli(rapid.Int64Range(0, 1<<41).Draw(t, "time")).UTC(),
			Correlation: rapid.SampledFrom([]string{"a", "b", "c", "\xfe", "\xff", "\uFFFD"}).Draw(t, "correlation"),
			Serial:      text.Draw(t, "serial"),
			Username:    text.Draw(t, "username"),
			NHSNumber:   text.Draw(t, "nhs number"),
			Reason:      text.Draw(t, "reason"),
			Records:     rapid.IntRange(0, 3).Draw(t, "records"),
			Elapsed:     time.Duration(rapid.Int64Range(0, 1<<40).Draw(t, "elapsed")) * time.Microsecond,
		}
		e.SpineMessageIDs = append(e.SpineMessageIDs, rapid.SliceOfN(text, 0, 3).Draw(t, "spine")...)
		for _, uri := range rapid.SliceOfN(text, 0, 3).Draw(t, "identities") {
			e.AuditIdentities = append(e.AuditIdentities, audit.Identity{URI: uri})
		}
		if rapid.Bool().Draw(t, "author") {
			e.Author = &audit.Author{Name: text.Draw(t, "name")}
		}
		return e
	})
}

// Any entry is read back as given, but for bytes that are not UTF-8.
func TestLeafRoundTrip(t *testing.T) {
	var store audittest.Memory
	log := openLog(t, newKeys(t).options(&store))
	rapid.Check(t, func(r *rapid.T) {
		e := entries().Draw(r, "entry")
		seq, err := log.Append(t.Context(), e)
		if err != nil {
			r.Fatal(err)
		}
		for record, err := range log.Entries(t.Context(), seq, seq+1) {
			if err != nil {
				r.Fatal(err)
			}
			e.Altered, e.Content = !allValid(e), record.Entry.Content
			asRunes := cmp.Transformer("runes", func(s string) []rune { return []rune(s) }) // what is not UTF-8 as U+FFFD
			if diff := cmp.Diff(e, record.Entry, asRunes); diff != "" {
				r.Fatalf("entry (-want +got):\n%s", diff)
			}
		}
	})
}

func allValid(e audit.Entry) bool { return utf8.ValidString(fmt.Sprint(e, e.Author)) }

// FuzzParseLeaf: what is accepted is JSON, and is exactly what the log would
// write, or in that version wrote, for what was read.
func FuzzParseLeaf(f *testing.F) {
	for _, e := range []audit.Entry{full, acted(), refused(""), sample(0)} {
		f.Add(leafOf(f, e))
	}
	f.Add([]byte(leaf1))
	f.Add([]byte(leaf2))
	f.Add([]byte(`{"v":1,"seq":12,"kind":"a","time":"2026-03-29T01:30:00.000Z","username":"\u0000é\"","author":{},"elapsed_us":1,"altered":true}`))
	f.Fuzz(func(t *testing.T, leaf []byte) {
		read, err := audit.ParseLeaf(leaf)
		if err != nil {
			return
		}
		if again := audit.AppendLeaf(read); !bytes.Equal(leaf, again) {
			t.Fatalf("accepted %q\nwritten  %q", leaf, again)
		}
		var fields struct {
			V    int
			Seq  int64
			Kind audit.Kind
			Time time.Time
		}
		err = json.Unmarshal(leaf, &fields)
		if err != nil {
			t.Fatalf("accepted %q, which is not JSON: %v", leaf, err)
		}
		if fields.V != read.Version || fields.Seq != read.Seq || fields.Kind != read.Entry.Kind || !fields.Time.Equal(read.Entry.Time) {
			t.Fatalf("read %q as %+v, and as %+v", leaf, fields, read)
		}
	})
}

// FuzzParseContent: what is accepted is JSON, and nothing else panics.
func FuzzParseContent(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"username":"u","audit_identities":[{"uri":"a"}],"author":{"name":"n"},"nhs_number":"9","operator":"o","detail":{"a":{}}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		var e audit.Entry
		err := e.ParseContent(content)
		if err == nil && !json.Valid(content) {
			t.Fatalf("accepted %q, which is not JSON", content)
		}
	})
}
