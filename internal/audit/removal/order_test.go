package removal_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/removal"
)

// pair makes a key pair.
func pair(t testing.TB, name string) (note.Signer, note.Verifier) {
	t.Helper()
	secret, public, err := audit.GenerateKey(name, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	return signer, verifier
}

func date(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

func sampleOrder() removal.Order {
	return removal.Order{
		Origin: origin, NHSNumber: alice, Authority: "County Court at Example, AB12C00001",
		Issued: date(2026, 11, 2), Until: date(2026, 12, 2),
	}
}

func signed(t testing.TB, o removal.Order, signer note.Signer) []byte {
	t.Helper()
	file, err := o.Sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// IG-3.9.6a: an order is read as it was signed, with or without a range.
func TestOrderRoundTrip(t *testing.T) {
	signer, verifier := pair(t, "court.example")
	o := sampleOrder()
	for _, entries := range []*audit.Range{nil, {First: 0, Last: 0}, {First: 7, Last: 1 << 40}} {
		o.Entries = entries
		got, err := removal.ReadOrder(signed(t, o, signer), verifier)
		if diff := cmp.Diff(o, got); err != nil || diff != "" {
			t.Errorf("error %v (-want +got):\n%s", err, diff)
		}
	}
}

// IG-3.9.6a: the form of an order, as the documentation has it.
func TestOrderForm(t *testing.T) {
	signer, _ := pair(t, "court.example")
	o := sampleOrder()
	o.Entries = &audit.Range{First: 3, Last: 9}
	const want = "ward erasure order 1\norigin ward.example/audit\nnhs_number 9990000042\n" +
		"authority County Court at Example, AB12C00001\nissued 2026-11-02\nuntil 2026-12-02\nentries 3-9\n\n— court.example "
	if got := string(signed(t, o, signer)); !strings.HasPrefix(got, want) {
		t.Errorf("the order is %q", got)
	}
}

// IG-3.9.6a: an order that differs in any bit is refused, and one with anything more.
func TestAlteredOrderIsRefused(t *testing.T) {
	signer, verifier := pair(t, "court.example")
	file := signed(t, sampleOrder(), signer)
	for i := range file {
		for bit := range 8 {
			altered := append([]byte(nil), file...)
			altered[i] ^= 1 << bit
			_, err := removal.ReadOrder(altered, verifier)
			if err == nil {
				t.Errorf("bit %d of byte %d was changed, and the order is read", bit, i)
			}
		}
	}
	other, _ := pair(t, "another.example")
	n, err := note.Open(file, note.VerifierList(verifier))
	if err != nil {
		t.Fatal(err)
	}
	twice, err := note.Sign(n, other)
	if err != nil {
		t.Fatal(err)
	}
	last := strings.TrimSuffix(string(file), "\n")
	for name, spelled := range map[string]string{
		"another signature beside it": string(twice),
		"the signature twice":         string(file) + string(file[strings.LastIndex(last, "\n")+1:]),
		"no end of the last line":     last,
		"another line":                string(file) + "\n",
		"a space before it":           " " + string(file),
		"cut":                         string(file[:len(file)/2]),
		"nothing":                     "",
		"very long":                   strings.Repeat("a", removal.MaxOrder+1),
	} {
		_, err := removal.ReadOrder([]byte(spelled), verifier)
		if err == nil {
			t.Errorf("%s: the order is read", name)
		}
	}
}

// IG-3.9.6a: an order by anybody else is refused, whatever name they take.
func TestOrderByAnotherKeyIsRefused(t *testing.T) {
	_, verifier := pair(t, "court.example")
	for _, name := range []string{"court.example", "another.example"} {
		signer, _ := pair(t, name)
		_, err := removal.ReadOrder(signed(t, sampleOrder(), signer), verifier)
		if err == nil || !strings.Contains(err.Error(), "audit.erasure_key") || strings.Contains(err.Error(), alice) {
			t.Errorf("%s: ReadOrder = %v", name, err)
		}
	}
}

func TestUnfitOrdersAreNotSigned(t *testing.T) {
	signer, _ := pair(t, "court.example")
	for name, change := range map[string]func(*removal.Order){
		"no log":                        func(o *removal.Order) { o.Origin = "" },
		"no number":                     func(o *removal.Order) { o.NHSNumber = "" },
		"a number with spaces":          func(o *removal.Order) { o.NHSNumber = "999 000 004" },
		"no authority":                  func(o *removal.Order) { o.Authority = " " },
		"an authority of two lines":     func(o *removal.Order) { o.Authority = "a\nb" },
		"a long authority":              func(o *removal.Order) { o.Authority = strings.Repeat("a", 513) },
		"an authority with the number":  func(o *removal.Order) { o.Authority = "about 999 000 0042" },
		"an end before the beginning":   func(o *removal.Order) { o.Until = date(2026, 11, 1) },
		"a range that falls":            func(o *removal.Order) { o.Entries = &audit.Range{First: 3, Last: 2} },
		"a range that begins below all": func(o *removal.Order) { o.Entries = &audit.Range{First: -1, Last: 2} },
	} {
		o := sampleOrder()
		change(&o)
		_, err := o.Sign(signer)
		if err == nil || strings.Contains(err.Error(), alice) {
			t.Errorf("%s: Sign = %v", name, err)
		}
	}
}

func FuzzReadOrder(f *testing.F) {
	signer, verifier := pair(f, "court.example")
	f.Add(signed(f, sampleOrder(), signer))
	f.Add([]byte("ward erasure order 1\n\n\u2014 court.example AAAA\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		o, err := removal.ReadOrder(file, verifier)
		if err != nil {
			return
		}
		if again := signed(t, o, signer); string(again) != string(file) {
			t.Errorf("%q is read, and written as %q", file, again)
		}
	})
}

// MSCA-AUD-01c: times of retention are whole months or years of the calendar.
func TestPeriod(t *testing.T) {
	for text, want := range map[string]struct {
		t, before time.Time
	}{
		"30y":  {date(2056, 11, 26), date(2026, 11, 26)},
		"8y":   {date(2028, 2, 29), date(2020, 2, 29)},
		"1y":   {date(2028, 2, 29), date(2027, 2, 28)},
		"1m":   {date(2026, 3, 31), date(2026, 2, 28)},
		"18m":  {date(2026, 12, 31), date(2025, 6, 30)},
		"100y": {date(2126, 1, 1), date(2026, 1, 1)},
	} {
		p, err := removal.ParsePeriod(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := p.Before(want.t); !got.Equal(want.before) {
			t.Errorf("%s before %s is %s, want %s", text, want.t, got, want.before)
		}
		again, err := removal.ParsePeriod(p.String())
		if err != nil || again != p {
			t.Errorf("%s is written as %s", text, p)
		}
	}
	for _, text := range []string{"", "y", "0y", "-1y", "+1y", "01y", "1", "1d", "1Y", "1y ", "1y6m", "101y", "1201m", "99999999999999999999y"} {
		p, err := removal.ParsePeriod(text)
		if err == nil {
			t.Errorf("%q is read as %s", text, p)
		}
	}
}
