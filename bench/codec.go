package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/soap"
	"github.com/wardsmsp/ward/internal/stage"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// benchmark is one line of `go test -bench`, or why a package has none.
type benchmark struct {
	pkg, name string
	metrics   map[string]string // by unit
	failure   string
}

// runBenchmarks runs those of the codecs and of the log. A package that does not
// build or fails is reported and stops nothing.
func runBenchmarks(ctx context.Context, s *scene, quick bool) ([]benchmark, error) {
	each := "1s"
	if quick {
		each = "100ms"
	}
	var all []benchmark
	for _, pkg := range []string{"xmlstrict", "hl7", "itk", "audit"} {
		run := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", ".", "-benchmem", "-benchtime", each, "./internal/"+pkg)
		run.Dir = s.root
		run.Env = append(os.Environ(), "TMPDIR="+s.dir)
		said, err := run.CombinedOutput()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		found := parseBenchmarks(pkg, string(said))
		if err != nil {
			found = append(found, benchmark{pkg: pkg, failure: "go test failed: " + err.Error()})
		} else if len(found) == 0 {
			found = append(found, benchmark{pkg: pkg, failure: "has no benchmark"})
		}
		all = append(all, found...)
	}
	return all, nil
}

var (
	benchmarkLine = regexp.MustCompile(`(?m)^Benchmark(\S+)\s+\d+\s+(.*)$`)
	metric        = regexp.MustCompile(`([0-9.]+) (\S+)`)
)

func parseBenchmarks(pkg, text string) []benchmark {
	var all []benchmark
	for _, line := range benchmarkLine.FindAllStringSubmatch(text, -1) {
		b := benchmark{pkg: pkg, name: line[1], metrics: map[string]string{}}
		for _, m := range metric.FindAllStringSubmatch(line[2], -1) {
			b.metrics[m[2]] = m[1]
		}
		all = append(all, b)
	}
	return all
}

// codecs are the two codec budgets, measured in this process with the bytes of this
// run.
type codecs struct {
	request testing.BenchmarkResult // decode and validate a request
	reply5  testing.BenchmarkResult // decode a reply and encode the response
	reply25 testing.BenchmarkResult
}

func measureCodecs(s *scene) (*codecs, error) {
	request, err := s.readQuestion()
	if err != nil {
		return nil, err
	}
	var c codecs
	var failure error
	c.request = testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, failure = s.readQuestion()
			if failure != nil {
				b.FailNow()
			}
		}
	})
	if failure != nil {
		return nil, failure
	}
	for _, part := range []struct {
		reply  []byte
		child  child
		result *testing.BenchmarkResult
	}{{s.spine5, s.children[2], &c.reply5}, {s.spine25, s.children[3], &c.reply25}} {
		query := request.Query
		query.Number, err = cpis.ParseNHSNumber(part.child.number)
		if err != nil {
			return nil, err
		}
		text := string(part.reply)
		*part.result = testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				failure = s.translate(text, query)
				if failure != nil {
					b.FailNow()
				}
			}
		})
		if failure != nil {
			return nil, failure
		}
	}
	return &c, nil
}

// registered is the client that asks.
func (s *scene) registered() config.Client {
	for _, c := range s.settings.Clients {
		if c.Name == stage.ClientName {
			return c
		}
	}
	return config.Client{}
}

// readQuestion decodes and validates the body of the request as the server does.
func (s *scene) readQuestion() (itk.Request, error) {
	_, body, _ := bytes.Cut(s.question.content, []byte("\r\n\r\n"))
	client := s.registered()
	request, err := itk.ReadRequest(string(body), s.settings.Limits.Body, itk.RequestService, itk.Expectations{
		Now:             time.Now(),
		Skew:            s.settings.ITK.ClockSkew,
		MaxLifetime:     s.settings.ITK.MaxTTL,
		To:              s.settings.ITK.AcceptedTo,
		Profiles:        s.settings.ITK.RequestProfiles,
		Interactions:    s.settings.ITK.RequestInteractions,
		Usernames:       client.Usernames,
		AuditIdentities: client.AuditIdentities,
		ASID:            client.ASID,
	})
	if err != nil {
		return itk.Request{}, fmt.Errorf("the request of this bench is not one: %w", err)
	}
	if request.Invalid != nil {
		return itk.Request{}, fmt.Errorf("the request of this bench is not one: %w", request.Invalid)
	}
	return request, nil
}

// translate decodes a reply of the Spine, judges it, and encodes the response, as
// the server does between its two legs.
func (s *scene) translate(reply string, query cpis.Query) error {
	limits := xmlstrict.Limits{Bytes: s.settings.Spine.MaxReply, Depth: 64, Elements: 100_000, Attributes: 64, Name: 256, Value: 64 << 10}
	tree, err := xmlstrict.Parse(reply, limits)
	if err != nil {
		return err
	}
	envelope, err := soap.Open(tree.Root())
	if err != nil {
		return err
	}
	read, err := hl7.ReadReply(hl7.FindReply(envelope.Body))
	if err != nil {
		return err
	}
	answer := s.settings.Rules.Success(query, read.Statement)
	if answer.Outcome() != cpis.Found {
		return errors.New("the reply of this bench is not an answer: " + answer.Reason())
	}
	content, err := itk.WriteResponse(itk.Response{
		MessageID: formID(0), TrackingID: formID(1), PayloadID: formID(2), RelatesTo: formID(3),
		Client: s.registered().Organisations[0], Provider: s.settings.ODSCode, Remarks: itk.RemarksOf(answer, cpis.Codes{}),
		Payload: itk.PayloadOf(answer, s.settings.CodeTable, query.Number, time.Now(), formID(4)),
	})
	if err != nil {
		return err
	}
	if !strings.Contains(string(content[:min(len(content), 8192)]), "SMSP-0000") {
		return errors.New("the response of this bench is not an answer")
	}
	return nil
}
