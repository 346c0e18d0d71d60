// Package config reads, completes and checks configuration files. It reports every
// problem at once, each with its key and a way out (WRD-OPS-15).
package config

import (
	"errors"
	"fmt"
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

// MaxFile bounds a configuration file, in bytes.
const MaxFile = 1 << 20

// Decode reads a strict TOML file into v: unknown keys and an oversized file are
// errors. The error is Problems, or one that says why the file cannot be read.
func Decode(path string, v any) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() > MaxFile {
		return fmt.Errorf("%s is larger than %d bytes", path, MaxFile)
	}
	meta, err := toml.DecodeFile(path, v)
	var syntax toml.ParseError
	if errors.As(err, &syntax) {
		return Problems{{Key: fmt.Sprintf("line %d", syntax.Position.Line), Reason: syntax.Message + "; see the TOML rules"}}
	}
	if err != nil {
		return Problems{{Key: filepath.Base(path), Reason: err.Error()}}
	}
	var problems Problems
	for _, key := range meta.Undecoded() {
		problems.add(key.String(), "is not a known setting; remove it or correct its spelling")
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// Load reads a configuration file, completes it with the defaults and checks it.
func Load(path string) (*Settings, error) {
	var file File
	err := Decode(path, &file)
	var unknown Problems
	if err != nil && !errors.As(err, &unknown) {
		return nil, err
	}
	if len(unknown) > 0 && strings.HasPrefix(unknown[0].Key, "line ") {
		return nil, unknown
	}
	file.complete()
	settings, err := file.check(filepath.Dir(path))
	var wrong Problems
	if err != nil && !errors.As(err, &wrong) {
		return nil, err
	}
	all := append(unknown, wrong...)
	if len(all) > 0 {
		return nil, all
	}
	return settings, nil
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func fillList(field *[]string, values ...string) {
	if *field == nil {
		*field = values
	}
}

// complete is the one place for defaults.
func (f *File) complete() {
	fill(&f.Limits.Connections, 1024)
	fill(&f.Limits.Questions, 256)
	fill(&f.Limits.Body, 256<<10)
	fill(&f.Limits.Header, 16<<10)
	fill(&f.Limits.HeaderTime, 5*time.Second)
	fill(&f.Limits.BodyTime, 5*time.Second)
	fill(&f.Limits.WriteTime, 5*time.Second)
	fill(&f.Limits.IdleTime, 2*time.Minute)
	fill(&f.Limits.DrainTime, 15*time.Second)
	fill(&f.Limits.PerSecond, 500)
	fill(&f.Limits.Burst, 500)
	fill(&f.Limits.BusyInterval, 5*time.Second)
	fillList(&f.ITK.RequestProfiles, "urn:nhs-en:profile:CP-ISNHSQuery-v1-0", "urn:nhs-en:profile:CP-ISNHSQuery-v1-1", "urn:nhs-en:profile:CP-ISNHSQuery-v2-0")
	fillList(&f.ITK.RequestInteractions, "urn:nhs-itk:interaction:CP-ISNHSQuery-v1-0")
	fill(&f.ITK.ClockSkew, 5*time.Second)
	fill(&f.ITK.MaxTTL, 24*time.Hour)
	fill(&f.ITK.RequestBudget, 9*time.Second)
	fill(&f.NHSNumber.CheckDigit, "enforce")
	if f.NHSNumber.RejectRepeatedDigits == nil {
		live := f.Environment == "live"
		f.NHSNumber.RejectRepeatedDigits = &live
	}
	fill(&f.Spine.VersionCode, "v3INF_DMSv5.7:FIN")
	fill(&f.Spine.MaxTLS, "1.2")
	fill(&f.Spine.ConnectTimeout, 3*time.Second)
	fill(&f.Spine.WriteTimeout, 3*time.Second)
	fill(&f.Spine.FirstByteTimeout, 8*time.Second)
	fill(&f.Spine.IdleTimeout, 30*time.Second)
	if f.Spine.ConnectRetries == nil {
		one := 1
		f.Spine.ConnectRetries = &one
	}
	fill(&f.Spine.Connections, 64)
	fill(&f.Spine.MaxReply, 2<<20)
	fillList(&f.Spine.NotFoundCodes, "1", "NHSNCC002")
	fill(&f.Audit.Every, time.Minute)
	fill(&f.Audit.GroupWait, time.Millisecond)
	fill(&f.Log.Level, "info")
	fill(&f.Log.Format, "json")
	for i := range f.Clients {
		fill(&f.Clients[i].AccessMethod, "attended")
		fill(&f.Clients[i].PerSecond, 20)
		fill(&f.Clients[i].Burst, 40)
		fill(&f.Clients[i].Questions, 64)
	}
}
