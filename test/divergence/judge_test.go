//go:build reference

package divergence_test

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wardsmsp/ward/internal/divergence"
	"github.com/wardsmsp/ward/internal/reference"
)

var (
	messages = flag.Int("divergence.messages", 5000, "requests of each kind to hold against the schemas, and half as many answers")
	seed     = flag.Uint64("divergence.seed", 1, "seed of the messages")
)

// sample is one message and what was done to it.
type sample struct {
	root   *node
	change string // "" if it is as generated
}

// samples are n generated messages, most of them damaged.
func samples(kind uint64, n int, generate func(generator) *node, words vocabulary) []sample {
	random := rand.New(rand.NewPCG(*seed, kind))
	list := make([]sample, n)
	for i := range list {
		root := generate(generator{random})
		if i%8 > 0 {
			m := mutator{random, words}
			list[i].change = m.mutate(root)
		}
		list[i].root = root
	}
	return list
}

// subject is a decoder and the schema that it is held against.
type subject struct {
	section      string
	schema       string
	leniencies   []leniency
	strictnesses []strictness
	accepts      func(root *node) (reason string, ok bool)
}

// judge demands that the decoder accepts exactly what is valid once the leniencies
// are granted and to which no strictness applies.
func (s subject) judge(t *testing.T, list []sample) {
	t.Helper()
	tally := divergence.New(s.section, subjectNames(s.leniencies, s.strictnesses))
	var written, granted []string
	altered := map[int]int{} // index of a message among those granted something
	lenient := make([][]string, len(list))
	mended := make([]*node, len(list))
	for i, m := range list {
		written = append(written, m.root.String())
		mended[i] = m.root.clone()
		for _, l := range s.leniencies {
			if l.grant(mended[i]) {
				lenient[i] = append(lenient[i], l.name)
			}
		}
		if len(lenient[i]) > 0 {
			altered[i] = len(granted)
			granted = append(granted, mended[i].String())
		}
	}
	asWritten, ofAltered := reference.Validate(t, s.schema, written...), reference.Validate(t, s.schema, granted...)
	asGranted := slices.Clone(asWritten)
	for i, j := range altered {
		asGranted[i] = ofAltered[j]
	}
	accepted, refused := 0, 0
	for i, m := range list {
		if m.change == "" && asWritten[i] != "" {
			t.Fatalf("seed %d, message %d is generated invalid: %s\n%s", *seed, i, asWritten[i], written[i])
		}
		var strict []string
		if asGranted[i] == "" {
			for _, rule := range s.strictnesses {
				if rule.holds(mended[i]) {
					strict = append(strict, rule.name)
				}
			}
		}
		reason, ok := s.accepts(m.root)
		expected := asGranted[i] == "" && len(strict) == 0
		switch {
		case ok != expected:
			t.Errorf("seed %d, message %d (%s): accepted %t (%s), want %t\nschema: %sgranted %v: %sstricter %v\n%s",
				*seed, i, m.change, ok, reason, expected, asWritten[i], lenient[i], asGranted[i], strict, written[i])
		case ok && asWritten[i] != "":
			for _, name := range lenient[i] {
				tally.Count(name)
			}
		case !ok && asWritten[i] == "":
			for _, name := range strict {
				tally.Count(name)
			}
		}
		if ok {
			accepted++
		} else {
			refused++
		}
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
	if accepted < len(list)/10 || refused < len(list)/10 {
		t.Errorf("of %d messages %d are accepted: this proves little", len(list), accepted)
	}
	tally.MustAllBeMet(t)
}
