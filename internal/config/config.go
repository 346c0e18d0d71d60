// Package config reads, completes and checks configuration files. It reports every
// problem at once, each with its key and a way out (WRD-OPS-15).
package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Key    string // such as "spine.endpoint"
	Reason string // what is wrong, and what to do about it
}

func (p Problem) String() string { return p.Key + ": " + p.Reason }

// Problems is every thing that is wrong with a configuration.
type Problems []Problem

// Error lists the problems, one on each line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

func (p *Problems) add(key, format string, args ...any) {
	*p = append(*p, Problem{Key: key, Reason: fmt.Sprintf(format, args...)})
}

// MaxFile bounds a configuration file and every file that one names, in bytes.
const MaxFile = 1 << 20

// readFile reads a file of at most MaxFile bytes.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, err
	}
	if len(content) > MaxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, MaxFile)
	}
	return content, nil
}

// decode reads a strict TOML file into v and returns the keys that v does not
// know. If there is an error v is not to be used: it is Problems, or says why the
// file cannot be read.
func decode(path string, v any) (unknown Problems, err error) {
	content, err := readFile(path)
	if err != nil {
		return nil, err
	}
	meta, err := toml.Decode(string(content), v)
	var syntax toml.ParseError
	if errors.As(err, &syntax) {
		return nil, Problems{{Key: fmt.Sprintf("line %d", syntax.Position.Line), Reason: syntax.Message + "; see the TOML rules"}}
	}
	if err != nil {
		return nil, Problems{{Key: filepath.Base(path), Reason: err.Error()}}
	}
	for _, key := range meta.Undecoded() {
		unknown.add(key.String(), "is not a known setting; remove it or correct its spelling")
	}
	return unknown, nil
}

// Load reads a configuration file, completes it with the defaults and checks it.
func Load(path string) (*Settings, error) {
	file := defaults()
	unknown, err := decode(path, &file)
	if err != nil {
		return nil, err
	}
	file.complete()
	return file.check(checker{folder: filepath.Dir(path), problems: unknown, fingerprints: map[string]string{}})
}

// defaults are those of every setting that does not depend on another one. The
// file is read over them, so that an explicit 0 stays one.
func defaults() File {
	return File{
		Listen: Listen{RevocationGrace: 24 * time.Hour},
		Limits: Limits{
			Connections:  1024,
			PerAddress:   512,
			Questions:    256,
			Body:         256 << 10,
			Header:       16 << 10,
			HeaderTime:   5 * time.Second,
			BodyTime:     5 * time.Second,
			WriteTime:    5 * time.Second,
			IdleTime:     2 * time.Minute,
			DrainTime:    15 * time.Second,
			PerSecond:    500,
			Burst:        500,
			BusyInterval: 5 * time.Second,
		},
		ITK: ITK{
			RequestProfiles: []string{
				"urn:nhs-en:profile:CP-ISNHSQuery-v1-0",
				"urn:nhs-en:profile:CP-ISNHSQuery-v1-1",
				"urn:nhs-en:profile:CP-ISNHSQuery-v2-0",
			},
			RequestInteractions: []string{"urn:nhs-itk:interaction:CP-ISNHSQuery-v1-0"},
			ClockSkew:           5 * time.Second,
			MaxTTL:              24 * time.Hour,
			RequestBudget:       9 * time.Second,
		},
		NHSNumber: NHSNumber{CheckDigit: "enforce"},
		Spine: Spine{
			RevocationGrace:  24 * time.Hour,
			VersionCode:      "v3INF_DMSv5.7:FIN",
			MaxTLS:           "1.2",
			ConnectTimeout:   3 * time.Second,
			WriteTimeout:     3 * time.Second,
			FirstByteTimeout: 8 * time.Second,
			IdleTimeout:      30 * time.Second,
			Connections:      64,
			MaxReply:         2 << 20,
			BreakerFailures:  5,
			BreakerPause:     10 * time.Second,
			NotFoundCodes:    []string{"1", "NHSNCC002"},
			Pattern:          "sync",
			Contract:         Contract{SyncReply: "MSHSignalsOnly", AckRequested: "never", DuplicateElimination: "never"},
		},
		PDS:     defaultPDS(),
		SDS:     defaultSDS(),
		Replies: defaultReplies(),
		Audit:   Audit{Every: time.Minute, GroupWait: time.Millisecond, Copy: Copy{Every: time.Second, Late: 30 * time.Second}},
		Log:     Log{Level: "info", Format: "json"},
	}
}

// complete sets the defaults that depend on the file, and those of its clients.
func (f *File) complete() {
	unset(&f.NHSNumber.RejectRepeatedDigits, f.Environment == "live")
	unset(&f.Spine.ConnectRetries, 1)
	unset(&f.Spine.Waiting, max(0, f.Spine.Connections))
	for i := range f.Budgets {
		f.Budgets[i].complete()
	}
	for i := range f.Clients {
		f.Clients[i].complete()
	}
}

func (c *Client) complete() {
	if c.AccessMethod == "" {
		c.AccessMethod = "attended"
	}
	if c.VerifyNumber == "" {
		c.VerifyNumber = "none"
	}
	unset(&c.PerSecond, 20)
	unset(&c.Burst, 40)
	unset(&c.Questions, 64)
}

// unset gives a setting that the file leaves out its default.
func unset[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}
