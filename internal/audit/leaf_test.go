package audit_test

import (
	"bytes"
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

// leafOf is the leaf that a log stores for an entry.
func leafOf(t testing.TB, e audit.Entry) []byte {
	t.Helper()
	var store audittest.Memory
	log := openLog(t, newKeys(t).options(&store))
	mustAppend(t, log, e)
	return allRows(t, &store)[0].Leaf
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

// WRD-OPS-14: the form of version 1, byte for byte. It never changes: another
// form gets another version, and this one stays readable.
func TestLeafForm(t *testing.T) {
	const want = `{"v":1,"seq":0,"kind":"outcome","time":"2026-10-25T01:30:00.123Z","correlation":"5f0c9c2e-6d0b-4f7a-9d6e-000000000001",` +
		`"client":"ashby-general-ed","organisation":"RX1","certificate":"9f86d081","remote":"[2001:db8::1]:443",` +
		`"username":"a\"\\<&>\b\f\n\r\t\u0000\u001f` + "\x7f é\u2028" + `",` +
		`"audit_identities":[{"type":"t","uri":"urn:a"},{"uri":"urn:b"},{}],` +
		`"author":{"form":"system","user_id":"u","role_profile":"p","role_code":"c","role_name":"n","name":"N",` +
		`"organisation":"RX1","organisation_name":"Ashby","asid":"200000000001",` +
		`"authorities":[{"role_code":"r","role_name":"s","name":"A"},{}]},` +
		`"nhs_number":"9990000018","message_id":"m","tracking_id":"t","query_id":"q","spine_message_ids":["one","","two"],` +
		`"outcome":"found","code":"SMSP-0000","notified":"yes","reason":"N21","records":1,"accesses":25,` +
		`"elapsed_us":1234,"software":"ward 1.0.0"}`
	if diff := cmp.Diff(want, string(leafOf(t, full))); diff != "" {
		t.Errorf("leaf (-want +got):\n%s", diff)
	}
	const least = `{"v":1,"seq":0,"kind":"refused","time":"2026-03-29T01:30:00.000Z"}`
	if diff := cmp.Diff(least, string(leafOf(t, refused("")))); diff != "" {
		t.Errorf("leaf (-want +got):\n%s", diff)
	}
}

// vouched is full with the fields of version 2.
func vouched() audit.Entry {
	e := full
	e.Subject, e.Serial, e.Issuer = `CN=ed,O="Ashby"`, "4f00", "CN=Ashby CA"
	return e
}

// WRD-OPS-14: the form of version 2 differs in three fields alone, and is used where
// one of them is there alone: there is still one leaf for an entry.
func TestLeafFormOfVersion2(t *testing.T) {
	const fields = `"certificate":"9f86d081","subject":"CN=ed,O=\"Ashby\"","serial":"4f00","issuer":"CN=Ashby CA",`
	want := strings.Replace(string(leafOf(t, full)), `"certificate":"9f86d081",`, fields, 1)
	want = strings.Replace(want, `{"v":1,`, `{"v":2,`, 1)
	got := leafOf(t, vouched())
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("leaf (-want +got):\n%s", diff)
	}
	_, e, err := audit.ParseLeaf(got)
	if err != nil || e.Subject != vouched().Subject || e.Serial != "4f00" || e.Issuer != "CN=Ashby CA" {
		t.Errorf("read as %+v, %v", e, err)
	}
	for _, change := range []func(*audit.Entry){
		func(e *audit.Entry) { e.Subject = "s" }, func(e *audit.Entry) { e.Serial = "1" }, func(e *audit.Entry) { e.Issuer = "i" },
	} {
		e := refused("c")
		change(&e)
		leaf := leafOf(t, e)
		_, _, err := audit.ParseLeaf(leaf)
		_, _, otherwise := audit.ParseLeaf(bytes.Replace(leaf, []byte(`"v":2`), []byte(`"v":1`), 1))
		if err != nil || otherwise == nil {
			t.Errorf("%s: %v; as version 1: %v", leaf, err, otherwise)
		}
	}
}

// MSCA-AUD-03a to 03f: what was given is what is read back, times to the
// millisecond in UTC (MSCA-AUD-03c, MSCA-AUD-07).
func TestLeafKeepsEveryField(t *testing.T) {
	seq, got, err := audit.ParseLeaf(leafOf(t, full))
	if err != nil {
		t.Fatal(err)
	}
	want := full
	want.Time = time.Date(2026, 10, 25, 1, 30, 0, 123e6, time.UTC)
	want.Elapsed = 1234 * time.Microsecond
	if diff := cmp.Diff(want, got); diff != "" || seq != 0 {
		t.Errorf("sequence number %d; entry (-want +got):\n%s", seq, diff)
	}
}

func TestParseLeafAcceptsOneSpellingOnly(t *testing.T) {
	const good = `{"v":1,"seq":7,"kind":"intent","time":"2026-03-29T01:30:00.000Z","correlation":"c","username":"a\nb","spine_message_ids":["x"],"records":3}`
	seq, _, err := audit.ParseLeaf([]byte(good))
	if err != nil || seq != 7 {
		t.Fatalf("ParseLeaf = %d, %v", seq, err)
	}
	tests := []struct{ name, old, new string }{
		{"a version that it does not need", `"v":1`, `"v":2`},
		{"another version", `"v":1`, `"v":3`},
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
			_, _, err := audit.ParseLeaf([]byte(bad))
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
		_, _, err := audit.ParseLeaf(leaf[:i])
		if err == nil {
			t.Fatalf("the first %d bytes of a leaf were accepted", i)
		}
		if strings.Contains(err.Error(), "9990000018") || strings.Contains(err.Error(), "Ashby") {
			t.Fatalf("the error quotes the leaf: %v", err)
		}
	}
	_, _, err := audit.ParseLeaf(bytes.Repeat([]byte("x"), audit.MaxLeaf+1))
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
			_, got, err := audit.ParseLeaf(leafOf(t, e))
			if err != nil {
				t.Fatal(err)
			}
			if got.Username != tt.kept || got.Altered != tt.altered {
				t.Errorf("kept %q, altered %v", got.Username, got.Altered)
			}
		})
	}
	t.Run("a list too long", func(t *testing.T) {
		e := refused("c")
		e.SpineMessageIDs = strings.Split(strings.Repeat("x", audit.MaxList+1), "")
		_, got, err := audit.ParseLeaf(leafOf(t, e))
		if err != nil {
			t.Fatal(err)
		}
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
		}
		for range audit.MaxList {
			e.AuditIdentities = append(e.AuditIdentities, audit.Identity{Type: long, URI: long})
			e.SpineMessageIDs = append(e.SpineMessageIDs, long)
			e.Author.Authorities = append(e.Author.Authorities, audit.Authority{RoleCode: long, RoleName: long, Name: long})
		}
		leaf := leafOf(t, e)
		_, _, err := audit.ParseLeaf(leaf)
		if err != nil {
			t.Errorf("a leaf of %d bytes: %v", len(leaf), err)
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
			e.Altered = !allValid(e)
			asRunes := cmp.Transformer("runes", func(s string) []rune { return []rune(s) }) // what is not UTF-8 as U+FFFD
			if diff := cmp.Diff(e, record.Entry, asRunes); diff != "" {
				r.Fatalf("entry (-want +got):\n%s", diff)
			}
		}
	})
}

func allValid(e audit.Entry) bool { return utf8.ValidString(fmt.Sprint(e, e.Author)) }

// FuzzParseLeaf: what is accepted is JSON, and is exactly what the log would
// write for what was read.
func FuzzParseLeaf(f *testing.F) {
	f.Add(leafOf(f, full))
	f.Add(leafOf(f, vouched()))
	f.Add(leafOf(f, refused("")))
	f.Add(leafOf(f, sample(0)))
	f.Add([]byte(`{"v":1,"seq":12,"kind":"a","time":"2026-03-29T01:30:00.000Z","username":"\u0000é\"","author":{},"elapsed_us":1,"altered":true}`))
	f.Fuzz(func(t *testing.T, leaf []byte) {
		seq, e, err := audit.ParseLeaf(leaf)
		if err != nil {
			return
		}
		if again := audit.AppendLeaf(seq, e); !bytes.Equal(leaf, again) {
			t.Fatalf("accepted %q\nwritten  %q", leaf, again)
		}
		var fields struct {
			V, Seq int64
			Kind   audit.Kind
			Time   time.Time
		}
		err = json.Unmarshal(leaf, &fields)
		if err != nil {
			t.Fatalf("accepted %q, which is not JSON: %v", leaf, err)
		}
		vouches := e.Subject+e.Serial+e.Issuer != ""
		if (fields.V == 2) != vouches || (fields.V == 1) == vouches || fields.Seq != seq || fields.Kind != e.Kind || !fields.Time.Equal(e.Time) {
			t.Fatalf("read %q as %+v, and as %d %+v", leaf, fields, seq, e)
		}
	})
}
