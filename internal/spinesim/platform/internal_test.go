package platform

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"strings"
	"testing"
	"time"
)

// The memory keeps the newest keys, each once.
func TestMemoryIsBounded(t *testing.T) {
	m := memory[int]{limit: 3}
	for i := range 10 {
		m.put(fmt.Sprint(i), i)
		m.put(fmt.Sprint(i), i) // the same again takes no place
	}
	for i := range 10 {
		v, found := m.get(fmt.Sprint(i))
		if found != (i >= 7) || found && v != i {
			t.Errorf("%d: %v, %v", i, v, found)
		}
	}
	if len(m.values) != 3 || len(m.order) != 3 {
		t.Errorf("%d values, %d keys", len(m.values), len(m.order))
	}
}

// A number of keys that callers choose has an end.
func TestCountersAreBounded(t *testing.T) {
	counts := map[string]int64{}
	for i := range maxKeys + 5 {
		increment(counts, fmt.Sprint(i))
	}
	if len(counts) > maxKeys+1 || counts[other] != 5 {
		t.Errorf("%d keys, %d under other", len(counts), counts[other])
	}
}

// Whatever is sent as an assertion, none is taken that the registered key did
// not sign, and no refusal is without a code.
func FuzzAssertion(f *testing.F) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	tokens := newTokens(Config{Applications: []Application{{APIKey: "k", KeyID: "i", PublicKey: &key.PublicKey}}, Clock: time.Now})
	f.Add("")
	f.Add("..")
	f.Add("eyJhbGciOiJSUzUxMiIsInR5cCI6IkpXVCIsImtpZCI6ImkifQ.eyJpc3MiOiJrIiwic3ViIjoiayJ9.AAAA") // right header
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("bnVsbA.bnVsbA.bnVsbA")
	f.Fuzz(func(t *testing.T, assertion string) {
		_, refusal := tokens.verify(assertion, "https://localhost/oauth2/token")
		if !refusal.given() || refusal.text == "" {
			t.Error("taken, or refused without a reason")
		}
	})
}

// Whatever is looked up, what is read of it can be looked up, and is within
// its bounds.
func FuzzLookUp(f *testing.F) {
	f.Add("organization=https://fhir.nhs.uk/Id/ods-organization-code|YES&identifier=https://fhir.nhs.uk/Id/nhsMhsPartyKey|YES-0000806")
	f.Add("organization=%7C&identifier=|||")
	f.Add("%zz;&=")
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseLookUp(raw)
		for _, v := range []string{q.organisation, q.interaction, q.partyKey} {
			if v != "" && (!tokenForm.MatchString(v) || len(v) > 255 || strings.ContainsAny(v, ",=*()\\ ")) {
				t.Errorf("read %q", v)
			}
		}
		if err != nil && err.Error() == "" {
			t.Error("refused without a reason")
		}
	})
}
