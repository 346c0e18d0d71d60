package publish_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit/publish"
	"github.com/wardsmsp/ward/internal/audit/publish/witnesstest"
)

// public is a checkpoint of a public certificate log, with the cosignatures of
// public witnesses.
const public = "arche2025h1.staging.ct.transparency.dev\n1432088532\nU7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n\n" +
	"\u2014 transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==\n" +
	"\u2014 remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==\n" +
	"\u2014 witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==\n"

// publicKeys are the keys that these witnesses publish.
func publicKeys() []string {
	return []string{
		"transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
		"remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
		"witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
	}
}

// What witnesses out in the world sign is read as they mean it.
func TestCosignaturesOfPublicWitnesses(t *testing.T) {
	var verifiers []note.Verifier
	for _, key := range publicKeys() {
		v, err := publish.ParseWitnessKey(key)
		must(t, err)
		if !strings.HasPrefix(key, fmt.Sprintf("%s+%08x+", v.Name(), v.KeyHash())) {
			t.Errorf("%s is read as %s+%08x", key, v.Name(), v.KeyHash())
		}
		verifiers = append(verifiers, v)
	}
	n, err := note.Open([]byte(public), note.VerifierList(verifiers...))
	must(t, err)
	if len(n.Sigs) != 3 || len(n.UnverifiedSigs) != 0 {
		t.Errorf("cosigned by %v, not by %v", n.Sigs, n.UnverifiedSigs)
	}
	for i := range len(public) {
		changed := []byte(public)
		changed[i] ^= 1
		n, err := note.Open(changed, note.VerifierList(verifiers...))
		if err == nil && len(n.Sigs) == 3 {
			t.Errorf("all cosign although byte %d is changed", i)
		}
	}
}

func newWitness(t testing.TB, k logKeys) (*witnesstest.Witness, note.Verifier) {
	t.Helper()
	w, err := witnesstest.New("witness.example/w", origin, k.known)
	must(t, err)
	key, err := publish.ParseWitnessKey(w.Key())
	must(t, err)
	return w, key
}

// A cosignature is of its text, its time and its key.
func TestVerifyCosignature(t *testing.T) {
	w, key := newWitness(t, newLogKeys(t))
	signature := func(seconds uint64) []byte {
		text := "text\n"
		n, err := note.Open(slices.Concat([]byte(text+"\n"), w.Cosign([]byte(text), seconds)), note.VerifierList(accepting{key}))
		must(t, err)
		raw := n.Sigs[0].Base64
		return decode(t, raw)[4:]
	}
	for _, seconds := range []uint64{0, 1, 1794000000, math.MaxInt64} {
		if !key.Verify([]byte("text\n"), signature(seconds)) {
			t.Errorf("the cosignature of second %d does not verify", seconds)
		}
	}
	good := signature(1794000000)
	later := bytes.Clone(good)
	later[7]++
	for name, bad := range map[string][]byte{
		"beyond the end of time": signature(math.MaxInt64 + 1), "another time": later,
		"cut": good[:71], "longer": append(bytes.Clone(good), 0), "without a time": good[8:], "none": nil,
	} {
		if key.Verify([]byte("text\n"), bad) {
			t.Errorf("a signature verifies: %s", name)
		}
	}
	if key.Verify([]byte("text"), good) {
		t.Error("another text verifies")
	}
}

func TestParseWitnessKeyRefuses(t *testing.T) {
	good := publicKeys()[1]
	for name, key := range map[string]string{
		"nothing":              "",
		"a name":               "remora.n621.de",
		"no key":               "remora.n621.de+da77ade7",
		"an empty key":         "remora.n621.de+da77ade7+",
		"no name":              strings.TrimPrefix(good, "remora.n621.de"),
		"another name":         "x" + good,
		"a name with a space":  "a b" + good,
		"a name with a return": "a\r" + good,
		"a name too long":      strings.Repeat("x", 256) + good,
		"a name not in UTF-8":  "\xff" + good,
		"another hash":         strings.Replace(good, "da77", "da78", 1),
		"a short hash":         strings.Replace(good, "da77", "a77", 1),
		"a hash that is none":  strings.Replace(good, "da77", "da7x", 1),
		"no base64":            good[:len(good)-1] + "*",
		"a line in the base64": good[:len(good)-4] + "\n" + good[len(good)-4:],
		"one more field":       good + "+x",
		"a key for notes":      "transparency.dev/DEV:witness-little-garden+4b7fca75+AStusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
		"a key too short":      good[:len(good)-4],
		"white space":          good + "\n",
	} {
		v, err := publish.ParseWitnessKey(key)
		if err == nil || v != nil {
			t.Errorf("%s: %q is taken for a key", name, key)
		}
	}
}

// Whatever is read as a key is written just so, and its name can stand in a note.
func FuzzParseWitnessKey(f *testing.F) {
	for _, key := range publicKeys() {
		f.Add(key)
	}
	f.Add("x+00000000+BA==")
	f.Fuzz(func(t *testing.T, key string) {
		v, err := publish.ParseWitnessKey(key)
		if (v == nil) == (err == nil) {
			t.Fatalf("key %v, error %v", v, err)
		}
		if err != nil {
			return
		}
		if !strings.HasPrefix(strings.ToLower(key), strings.ToLower(fmt.Sprintf("%s+%08x+", v.Name(), v.KeyHash()))) {
			t.Errorf("%q is read as %s+%08x", key, v.Name(), v.KeyHash())
		}
		n := fmt.Appendf(nil, "text\n\n\u2014 %s AAAAAAA=\n", v.Name())
		_, err = note.Open(n, note.VerifierList())
		var none *note.UnverifiedNoteError
		if !errors.As(err, &none) {
			t.Errorf("no note can hold the name %q: %v", v.Name(), err)
		}
		if v.Verify([]byte("text\n"), make([]byte, 72)) {
			t.Error("an empty signature verifies")
		}
	})
}

// Nothing that a witness may answer gives another line than one by which its key
// signs the checkpoint.
func FuzzCosignature(f *testing.F) {
	k := newLogKeys(f)
	w, key := newWitness(f, k)
	signed, err := note.Sign(&note.Note{Text: origin + "\n7\nU7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n"}, k.signer)
	must(f, err)
	text, _, _ := bytes.Cut(signed, []byte("\n\n"))
	text = append(text, '\n')
	line := w.Cosign(text, 1794000000)
	f.Add(line)
	f.Add(slices.Concat([]byte("\u2014 other.example AAAAAAA=\n"), line, line))
	f.Add(slices.Concat([]byte("more\n\n"), w.Cosign(slices.Concat(text, []byte("\nmore\n")), 1)))
	f.Add(w.Cosign([]byte("other\n"), 1))
	f.Add([]byte("\u2014 witness.example/w AAAAAAA=\n"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, reply []byte) {
		got, err := publish.Cosignature(signed, reply, key)
		if (got == nil) == (err == nil) {
			t.Fatalf("line %q, error %v", got, err)
		}
		if err != nil {
			return
		}
		n, err := note.Open(slices.Concat(signed, got), note.VerifierList(key))
		if err != nil || n.Text != string(text) || len(n.Sigs) != 1 || bytes.Count(got, []byte("\n")) != 1 {
			t.Errorf("the line %q makes %+v, %v", got, n, err)
		}
	})
}
