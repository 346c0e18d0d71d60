package provider

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/internal/audit"
)

// IG-3.9.11: each change with its old and its new value, and nothing else.
func TestChanges(t *testing.T) {
	was := map[string]string{"clients.ed.asid": "1", "limits.body": "5", "log.level": "info", "operations.address": ""}
	is := map[string]string{"clients.walk-in.asid": "1", "limits.body": "5", "log.level": "debug", "operations.address": "127.0.0.1:9080"}
	got, err := json.Marshal(changes(was, is))
	want := `[{"setting":"clients.ed.asid","old":"1"},{"setting":"clients.walk-in.asid","new":"1"},` +
		`{"setting":"log.level","old":"info","new":"debug"},{"setting":"operations.address","old":"","new":"127.0.0.1:9080"}]`
	if err != nil || string(got) != want {
		t.Errorf("got  %s\nwant %s (%v)", got, want, err)
	}
}

// The changes are exactly what leads from one configuration to the other.
func TestChangesLeadFromOldToNew(t *testing.T) {
	settings := rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "c", "d.e"}), rapid.SampledFrom([]string{"", "1", "2"}))
	rapid.Check(t, func(t *rapid.T) {
		was, is := settings.Draw(t, "was"), settings.Draw(t, "is")
		kept := maps.Clone(was)
		for _, c := range changes(was, is) {
			old, had := was[c.Setting]
			if had != (c.Old != nil) || had && old != *c.Old || c.New != nil && had && *c.New == old {
				t.Fatalf("%s had %q, %t", c.Setting, old, had)
			}
			delete(kept, c.Setting)
			if c.New != nil {
				kept[c.Setting] = *c.New
			}
		}
		if !maps.Equal(kept, is) {
			t.Fatalf("%v with its changes is %v, want %v", was, kept, is)
		}
	})
}

// A configuration is recorded if it is the first, or differs, or nothing can tell.
func TestWhatIsRecordedOfAConfiguration(t *testing.T) {
	settings := map[string]string{"log.level": "info"}
	other := map[string]string{"log.level": "debug"}
	long := map[string]string{"log.level": strings.Repeat("x", audit.MaxDetail)}
	detail := func(s map[string]string, c []change) json.RawMessage {
		raw, err := detailOf(s, c)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	cases := map[string]struct {
		last     json.RawMessage
		found    bool
		settings map[string]string
		reason   string
		changed  int
	}{
		"the first":                {nil, false, settings, "first", 0},
		"the same":                 {detail(settings, nil), true, settings, "", 0},
		"the same after a change":  {detail(settings, changes(other, settings)), true, settings, "", 0},
		"another":                  {detail(other, nil), true, settings, "changed", 1},
		"another, too long":        {detail(other, nil), true, long, "changed", 0},
		"the same, too long":       {detail(long, nil), true, long, "", 0},
		"another after a long one": {detail(long, nil), true, settings, "changed", 0},
		"content destroyed":        {nil, true, settings, "not compared", 0},
		"content cut":              {json.RawMessage(`{}`), true, settings, "not compared", 0},
		"content of another form":  {json.RawMessage(`{"settings":[]}`), true, settings, "not compared", 0},
	}
	for name, c := range cases {
		e, differs, err := configured(c.last, c.found, c.settings)
		if err != nil || differs != (c.reason != "") || e.Reason != c.reason {
			t.Errorf("%s: recorded %t as %q, want %q (%v)", name, differs, e.Reason, c.reason, err)
		}
		if !differs {
			continue
		}
		var got configuration
		err = json.Unmarshal(e.Detail, &got)
		if err != nil || len(got.Changed) != c.changed {
			t.Errorf("%s: %d changes, want %d (%v)", name, len(got.Changed), c.changed, err)
		}
		if e.Kind != audit.Configured || e.Time.IsZero() || e.Operator != operator() || e.Operator == "" {
			t.Errorf("%s: a %q entry by %q", name, e.Kind, e.Operator)
		}
	}
}

// Whatever the settings, a Detail is never longer than the log takes, since a longer
// one would be lost whole.
func TestDetailOfAConfigurationFits(t *testing.T) {
	small := map[string]string{"log.level": "debug"}
	long := map[string]string{"log.level": strings.Repeat("<", audit.MaxDetail/6+1)} // six bytes each in JSON
	cases := map[string]struct {
		settings              map[string]string
		changed               []change
		whole, digest, change bool
	}{
		"first":                    {small, nil, true, false, false},
		"changed":                  {small, changes(nil, small), true, false, true},
		"long settings":            {long, changes(small, map[string]string{}), false, true, true},
		"long settings and change": {long, changes(small, long), false, true, false},
	}
	for name, c := range cases {
		raw, err := detailOf(c.settings, c.changed)
		if err != nil || len(raw) > audit.MaxDetail {
			t.Errorf("%s: %d bytes, %v", name, len(raw), err)
		}
		var got configuration
		err = json.Unmarshal(raw, &got)
		if err != nil || (got.Settings != nil) != c.whole || (got.Digest != "") != c.digest || (got.Changed != nil) != c.change {
			t.Errorf("%s: %d settings, digest %q, %d changes, %v", name, len(got.Settings), got.Digest, len(got.Changed), err)
		}
		if c.whole {
			if diff := cmp.Diff(c.settings, got.Settings); diff != "" {
				t.Errorf("%s: settings (-want +got):\n%s", name, diff)
			}
		}
	}
}

// The digest is as docs/audit-log.md says: sha256sum of "a\0" "1\0" "b\0" "\0".
func TestDigestOfSettings(t *testing.T) {
	const want = "ab24a1969fbc52c89b2c333cddae4ec68bf77abb9606b849479436334a385751"
	if got := digest(map[string]string{"b": "", "a": "1"}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
