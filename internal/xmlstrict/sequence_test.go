package xmlstrict_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// readOrder reads b, c?, d{1,2}, e*, as a schema would.
func readOrder(e xmlstrict.Element) (string, error) {
	s := e.Sequence()
	b := s.One("", "b")
	_, c := s.Optional("", "c")
	d := s.Many("", "d", 1, 2)
	es := s.Many("urn:e", "e", 0, -1)
	err := s.Done()
	return fmt.Sprint(b.Exists(), c, len(d), len(es)), err
}

func TestSequence(t *testing.T) {
	const order = `<a xmlns:p="urn:e">`
	rows := []struct {
		rule, doc, want string
	}{
		{"the least", order + `<b/><d/></a>`, "true false 1 0"},
		{"the optional one", order + `<b/><c/><d/></a>`, "true true 1 0"},
		{"several", order + `<b/><d/><d/><p:e/><p:e/><p:e/></a>`, "true false 2 3"},
		{"white space between", order + "\n<b/>\r\n\t<d/> </a>", "true false 1 0"},
		{"comments between", order + `<!-- x --><b/><!-- y --> <!-- z --><d/><!-- --></a>`, "true false 1 0"},
		{"white space by reference", order + `<b/>&#32;<d/></a>`, "true false 1 0"},
		{"text inside the children", order + `<b>x</b><d>y</d></a>`, "true false 1 0"},
	}
	for _, row := range rows {
		t.Run(row.rule, func(t *testing.T) {
			got, err := readOrder(parse(t, row.doc))
			if err != nil || got != row.want {
				t.Errorf("got %s and %v, want %s", got, err, row.want)
			}
		})
	}
}

func TestSequenceViolation(t *testing.T) {
	at := func(line, column int, want string) xmlstrict.SequenceError {
		return xmlstrict.SequenceError{Line: line, Column: column, Parent: "a", Want: want}
	}
	const head = "<a xmlns:p='urn:e'>\n"
	rows := []struct {
		rule, doc string
		want      xmlstrict.SequenceError
	}{
		{"the first is missing", head + `<d/></a>`, at(2, 1, "b")},
		{"everything is missing", head + `</a>`, at(1, 1, "b")},
		{"the last is missing", head + `<b/></a>`, at(1, 1, "d")},
		{"too many", head + `<b/><d/><d/><d/></a>`, at(2, 13, "no more elements")},
		{"too many of the optional", head + `<b/><c/><c/><d/></a>`, at(2, 9, "d")},
		{"the wrong order", head + `<b/><d/><c/></a>`, at(2, 9, "no more elements")},
		{"something unknown in between", head + `<b/><x/><d/></a>`, at(2, 5, "d")},
		{"something unknown at the end", head + `<b/><d/><x/></a>`, at(2, 9, "no more elements")},
		{"the wrong namespace", head + `<p:b/><d/></a>`, at(2, 1, "b")},
		{"no namespace", head + `<b/><d/><e/></a>`, at(2, 9, "no more elements")},
		{"another case", head + `<B/><d/></a>`, at(2, 1, "b")},
		{"text before", head + `x<b/><d/></a>`, at(1, 1, "no text")},
		{"text between", head + `<b/>x<d/></a>`, at(1, 1, "no text")},
		{"text after", head + `<b/><d/>x</a>`, at(1, 1, "no text")},
		{"text in CDATA", head + `<b/><![CDATA[x]]><d/></a>`, at(1, 1, "no text")},
		{"text by reference", head + `<b/>&#120;<d/></a>`, at(1, 1, "no text")},
		{"a no-break space", head + "<b/>\u00A0<d/></a>", at(1, 1, "no text")},
		{"text only", head + `b</a>`, at(1, 1, "no text")},
	}
	for _, row := range rows {
		t.Run(row.rule, func(t *testing.T) {
			_, err := readOrder(parse(t, row.doc))
			var violation *xmlstrict.SequenceError
			if !errors.As(err, &violation) {
				t.Fatalf("want a *SequenceError, got %v", err)
			}
			if diff := cmp.Diff(row.want, *violation); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// After the first violation nothing more is given out.
func TestSequenceViolationSticks(t *testing.T) {
	s := parse(t, `<a><b/><c/><d/></a>`).Sequence()
	s.One("", "b")
	if s.One("", "x").Exists() || s.One("", "c").Exists() || s.Take().Exists() || s.Peek().Exists() {
		t.Error("an element was given out after a violation")
	}
	_, ok := s.Optional("", "c")
	if ok || s.Many("", "c", 1, 1) != nil {
		t.Error("an element was given out after a violation")
	}
	var violation *xmlstrict.SequenceError
	if !errors.As(s.Done(), &violation) || violation.Want != "x" {
		t.Errorf("the first violation was lost: %v", s.Done())
	}
}

func TestSequenceChoice(t *testing.T) {
	s := parse(t, `<a> <b/> <c/> </a>`).Sequence()
	if !s.Peek().Is("", "b") || !s.Take().Is("", "b") || !s.Peek().Is("", "c") || !s.Take().Is("", "c") {
		t.Error("the children are not given out in order")
	}
	if s.Peek().Exists() {
		t.Error("there is a third child")
	}
	err := s.Done()
	if err != nil {
		t.Error(err)
	}
	if s.Take().Exists() {
		t.Error("a third child was given out")
	}
	var violation *xmlstrict.SequenceError
	if !errors.As(s.Done(), &violation) || violation.Want != "an element" {
		t.Errorf("taking a child that is not there: %v", s.Done())
	}
}

// A part that is missing is no reason to fail within it.
func TestSequenceOfMissingElement(t *testing.T) {
	outer := parse(t, `<a/>`).Sequence()
	inner := outer.One("", "b").Sequence()
	if inner.One("", "c").Exists() || inner.Done() == nil {
		t.Error("a child of no element")
	}
}

// Names that the sender chose do not reach the error.
func TestSequenceErrorQuotesNoOtherNames(t *testing.T) {
	_, err := readOrder(parse(t, `<a><n9990000018/></a>`))
	if err == nil || strings.Contains(err.Error(), "9990000018") {
		t.Errorf("got %v", err)
	}
	want := "XML line 1, column 4: in a expected b"
	if err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
