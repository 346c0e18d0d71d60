package wording_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/wording"
)

var update = flag.Bool("update", false, "write the golden files")

// H-44, WRD-SUP-05: the words of every state change only on purpose.
func TestEveryScenarioReadsAsRecorded(t *testing.T) {
	for _, s := range scenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			d := wording.Describe(s.answer, s.context)
			got := "[" + d.Badge + "]\n\n" + rendered(t, d)
			file := filepath.Join("testdata", s.name+".txt")
			if *update {
				err := os.WriteFile(file, []byte(got), 0o644)
				if err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			diff := cmp.Diff(string(want), got)
			if diff != "" {
				t.Errorf("changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryGoldenFileHasItsScenario(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, s := range scenarios(t) {
		want = append(want, filepath.Join("testdata", s.name+".txt"))
	}
	slices.Sort(want)
	diff := cmp.Diff(want, files)
	if diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// WRD-SAF-01: the scenarios reach all six states.
func TestScenariosReachEveryState(t *testing.T) {
	states := map[cpis.State]bool{}
	for _, s := range scenarios(t) {
		states[wording.Describe(s.answer, s.context).State] = true
	}
	if len(states) != 6 {
		t.Errorf("%d states reached, want 6", len(states))
	}
}

func TestTextKeepsToTheWidth(t *testing.T) {
	for _, s := range scenarios(t) {
		d := wording.Describe(s.answer, s.context)
		for _, width := range []int{40, 80, 100} {
			for line := range strings.Lines(renderedAt(t, d, width)) {
				if len(strings.TrimRight(line, "\n")) > width {
					t.Errorf("%s at %d: %q is too long", s.name, width, line)
				}
			}
		}
	}
}

// H-02, H-11: no number is split between lines, at any width.
func TestNumbersAreNeverBroken(t *testing.T) {
	for _, s := range scenarios(t) {
		d := wording.Describe(s.answer, s.context)
		want := strings.Count(textOf(t, d), "999 000 0018")
		for width := 1; width < 100; width += 3 {
			text := renderedAt(t, d, width)
			got := strings.Count(text, "999 000 0018")
			if got != want {
				t.Fatalf("%s at %d: NHS number %d times in one piece, want %d", s.name, width, got, want)
			}
			for _, p := range d.Plans {
				for _, line := range p.Lines {
					if line.Dial && !strings.ContainsAny(line.Value, "ea") && !strings.Contains(text, line.Value) {
						t.Fatalf("%s at %d: the number %s is broken", s.name, width, line.Value)
					}
				}
			}
		}
	}
}

// H-20: a name in any script and of any length is shown whole.
func TestNamesAreShownWhole(t *testing.T) {
	for _, given := range []string{"Zoë", "Łucja", "نور", "美穂", "Nguyễn Thị Minh Khai", "d'Arcy-O’Neill", strings.Repeat("Long", 60)} {
		c := liveContext(t)
		c.ClientName = given + " Example"
		text := textOf(t, wording.Describe(noRecord(), c))
		if !strings.Contains(text, c.ClientName) {
			t.Errorf("%q is not shown whole", c.ClientName)
		}
	}
}

// A received text cannot move the cursor, add lines or turn the reading direction.
func TestReceivedTextCannotControlTheScreen(t *testing.T) {
	c := liveContext(t)
	c.ClientName = "Mia\x1b[2J\r\nNo record\u202e Example\u2028\u009b\u2066"
	c.Reference, c.ServiceDesk, c.Contacts = "R\x07", "1\x1b2", "A\x1b\nB"
	la := authority("901\x1b", "North\nshire\u202e", cpis.Telecom{Use: "WP", Value: "tel:\x1b01\n91"}, cpis.Telecom{Use: "EC\x1b", Value: "tel:0\x1b"})
	subject := cpis.Subject{Name: name("M\x1b", "\u2067"), Birth: cpis.Moment{Written: "odd\x1b"}}
	author := nurse("S\x1b", "T\n", "\x1b", "\x1b")
	f := cpis.Findings{
		Records:  []cpis.Record{record(la, subject, plan(cpis.ChildProtectionPlan, date(2026, 1, 1), cpis.Date{}))},
		Accesses: []cpis.Access{{Author: author, Time: cpis.Moment{Written: "\x1b"}}},
	}
	for _, a := range []cpis.Answer{found(t, f), noRecord(), cpis.Failed(cpis.SentNoAnswer, "")} {
		text := rendered(t, wording.Describe(a, c))
		if strings.ContainsAny(text, "\x1b\x07\r\u009b\u202e\u2028\u2066\u2067") || strings.Contains(text, "\nNo record Ex") {
			t.Errorf("control characters reach the screen: %q", text)
		}
	}
}

type brokenPipe struct{}

var errBroken = errors.New("broken pipe")

func (brokenPipe) Write([]byte) (int, error) { return 0, errBroken }

func TestTextReturnsTheErrorOfItsWriter(t *testing.T) {
	err := wording.Describe(noRecord(), liveContext(t)).Text(brokenPipe{}, 80)
	if !errors.Is(err, errBroken) {
		t.Errorf("error %v, want %v", err, errBroken)
	}
}

func renderedAt(t testing.TB, d wording.Document, width int) string {
	t.Helper()
	var b bytes.Buffer
	err := d.Text(&b, width)
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
