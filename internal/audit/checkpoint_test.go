package audit_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
)

// A checkpoint has one spelling, even when the key signed another.
func TestOpenCheckpointAcceptsOneSpellingOnly(t *testing.T) {
	const hash = "T6Uxwuxd0TShw6YVSuNPL3qG1HTafHjFhR1MoWqaM/U="
	k := newKeys(t)
	tests := []struct{ name, text string }{
		{"a leading zero", origin + "\n07\n" + hash + "\n"},
		{"a sign", origin + "\n+7\n" + hash + "\n"},
		{"a negative size", origin + "\n-7\n" + hash + "\n"},
		{"no number", origin + "\nseven\n" + hash + "\n"},
		{"a size beyond 63 bits", origin + "\n9223372036854775808\n" + hash + "\n"},
		{"a short hash", origin + "\n7\nT6Ux\n"},
		{"no base64", origin + "\n7\n!" + hash[1:] + "\n"},
		{"a hash spelt differently", origin + "\n7\nT6Uxwuxd0TShw6YVSuNPL3qG1HTafHjFhR1MoWqaM/V=\n"},
		{"a line more", origin + "\n7\n" + hash + "\nmore\n"},
		{"a line less", origin + "\n7\n"},
		{"another origin", "other.example/audit\n7\n" + hash + "\n"},
	}
	sign := func(text string) []byte {
		signed, err := note.Sign(&note.Note{Text: text}, k.signer)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	c, err := audit.OpenCheckpoint(sign(origin+"\n7\n"+hash+"\n"), k.public, origin)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{origin, int64(7), hash}, []any{c.Origin, c.Size, c.Root.String()}); diff != "" {
		t.Errorf("checkpoint (-want +got):\n%s", diff)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := audit.OpenCheckpoint(sign(tt.text), k.public, origin)
			if err == nil {
				t.Errorf("OpenCheckpoint accepted %q", tt.text)
			}
		})
	}
}

// FuzzOpenCheckpoint: a checkpoint is what a known key signed, spelt in the one way;
// whatever else a file may hold is an error (WRD-SEC-07).
func FuzzOpenCheckpoint(f *testing.F) {
	const hash = "T6Uxwuxd0TShw6YVSuNPL3qG1HTafHjFhR1MoWqaM/U="
	k := newKeys(f)
	f.Add(origin+"\n7\n"+hash+"\n", "")
	f.Add(origin+"\n7\n"+hash+"\n", "\u2014 ward.example/audit AAAAAAAA\n")
	f.Add(origin+"\n07\n"+hash+"\n", "")
	f.Add(origin+"\n9223372036854775807\n"+hash+"\nmore\n", "")
	f.Add("other.example\n0\n"+hash+"\n", "\n")
	f.Fuzz(func(t *testing.T, text, tail string) {
		_, err := audit.OpenCheckpoint([]byte(text+tail), k.public, origin)
		if err == nil {
			t.Fatal("a checkpoint is accepted that nobody signed")
		}
		signed, err := note.Sign(&note.Note{Text: text}, k.signer)
		if err != nil {
			return
		}
		c, err := audit.OpenCheckpoint(append(signed, tail...), k.public, origin)
		if err != nil {
			return
		}
		if again := fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root); again != text || c.Size < 0 || !strings.HasPrefix(text, origin+"\n") {
			t.Fatalf("%q is accepted as %+v", text, c)
		}
	})
}
