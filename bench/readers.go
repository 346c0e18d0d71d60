package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/wsdl"
)

// reading is one message, and how long each reader takes for it.
type reading struct {
	what    string
	size    int
	ward    time.Duration // reads and validates the whole message
	tokens  time.Duration // encoding/xml reads it as tokens, and validates nothing
	libxml2 time.Duration // reads and validates the DistributionEnvelope in it
}

// measureReaders reads messages of this run with Ward, with encoding/xml, and with
// libxml2 under the schemas that clients are given. The last two do less: tokens are
// no answer, and the header blocks around the DistributionEnvelope are left out.
func measureReaders(ctx context.Context, s *scene) ([]reading, error) {
	_, request, _ := bytes.Cut(s.question.content, []byte("\r\n\r\n"))
	readings := []reading{
		{what: "request", size: len(request)},
		{what: fmt.Sprintf("answer with %d accesses", mostAccess), size: len(s.ward25)},
	}
	read := []func() error{
		func() error { _, err := s.readQuestion(); return err },
		func() error { _, err := itk.ReadReply(string(s.ward25), s.settings.Spine.MaxReply); return err },
	}
	var err error
	for i, message := range [][]byte{request, s.ward25} {
		r := &readings[i]
		r.ward, err = timed(read[i])
		if err == nil {
			r.tokens, err = timed(func() error { return readTokens(message) })
		}
		if err == nil {
			r.libxml2, err = s.timeLibxml2(ctx, string(message))
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.what, err)
		}
	}
	return readings, nil
}

// timed is how long one call takes.
func timed(call func() error) (time.Duration, error) {
	var failure error
	result := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			failure = call()
			if failure != nil {
				b.FailNow()
			}
		}
	})
	return time.Duration(result.NsPerOp()), failure
}

func readTokens(message []byte) error {
	decoder := xml.NewDecoder(bytes.NewReader(message))
	for {
		_, err := decoder.RawToken()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

var iterations = regexp.MustCompile(`(\d+) iterations took (\d+) ms`)

// timeLibxml2 lets xmllint read and validate the DistributionEnvelope of a message
// 1,000 times. It keeps the schema, and reads the file each time.
func (s *scene) timeLibxml2(ctx context.Context, message string) (time.Duration, error) {
	const closing = "</itk:DistributionEnvelope>"
	start, end := strings.Index(message, "<itk:DistributionEnvelope"), strings.Index(message, closing)
	if start < 0 || end < 0 {
		return 0, errors.New("the message has no DistributionEnvelope")
	}
	dir, err := os.MkdirTemp(s.dir, "libxml2-")
	if err != nil {
		return 0, err
	}
	err = os.CopyFS(dir, wsdl.Files())
	if err != nil {
		return 0, err
	}
	file := filepath.Join(dir, "message.xml")
	err = os.WriteFile(file, []byte(message[start:end+len(closing)]), 0o600)
	if err != nil {
		return 0, err
	}
	lint := exec.CommandContext(ctx, "xmllint", "--noout", "--timing", "--repeat", "--repeat",
		"--schema", filepath.Join(dir, "itk.xsd"), file)
	said, err := lint.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("xmllint (package libxml2-utils) does not validate it: %w", err)
	}
	found := iterations.FindSubmatch(said)
	if found == nil {
		return 0, errors.New("xmllint does not say how long it took")
	}
	n, errN := strconv.ParseFloat(string(found[1]), 64)
	ms, errMS := strconv.ParseFloat(string(found[2]), 64)
	return time.Duration(ms / n * float64(time.Millisecond)), errors.Join(errN, errMS)
}

func (r *report) writeReaders(w *strings.Builder) {
	if len(r.readings) == 0 {
		return
	}
	fmt.Fprintf(w, "The same messages under other readers, µs for each. Ward reads and validates all of a message; libxml2 reads and validates the DistributionEnvelope in it "+
		"against the schemas that clients are given; encoding/xml reads the raw tokens of all of it and validates nothing:\n\n")
	var rows [][]string
	for _, m := range r.readings {
		rows = append(rows, []string{
			fmt.Sprintf("%s, %d bytes", m.what, m.size), inMicro(m.ward), inMicro(m.libxml2), inMicro(m.tokens),
			fmt.Sprintf("%.1f, %.1f", ratioOf(m.libxml2, m.ward), ratioOf(m.tokens, m.ward)),
		})
	}
	table(w, []string{"", "Ward", "libxml2", "encoding/xml", "the others, in times of Ward's"}, rows)
}

func inMicro(d time.Duration) string {
	return fmt.Sprintf("%.1f", float64(d)/float64(time.Microsecond))
}

func ratioOf(other, ward time.Duration) float64 { return float64(other) / float64(ward) }

// readerPromise judges the budget that no codec is slower than libxml2.
func (r *report) readerPromise() promise {
	p := promise{budget: "codecs faster than libxml2 validating the same bytes"}
	if len(r.readings) == 0 {
		return p
	}
	least := ratioOf(r.readings[0].libxml2, r.readings[0].ward)
	for _, m := range r.readings {
		least = min(least, ratioOf(m.libxml2, m.ward))
	}
	return judged(p.budget, fmt.Sprintf("%.1f times as fast at the least", least), least > 1)
}
