package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/spinesim/platform"
)

// file is the configuration file. Paths are relative to it. Every key that is
// not required may be left out.
type file struct {
	Address          string           `toml:"address"`            // host:port; default 127.0.0.1:0
	Management       string           `toml:"management"`         // host:port on loopback; default none
	AllowNonLoopback bool             `toml:"allow_non_loopback"` // lets address be reachable from elsewhere
	Path             string           `toml:"path"`               // default /sync-service
	Certificate      string           `toml:"certificate"`        // required: PEM file, leaf then chain
	Key              string           `toml:"key"`                // required: PEM file
	ClientCAs        string           `toml:"client_cas"`         // required: PEM file
	TLSMax           string           `toml:"tls_max"`            // 1.2 or 1.3, the default
	ASID             string           `toml:"asid"`               // default 928942012545
	Generate         int              `toml:"generate"`           // further children, derived from their numbers
	Seed             uint64           `toml:"seed"`               // fixes message ids; 0 for random ones
	Refusal          string           `toml:"refusal"`            // fault, the default, or mcci-ae
	Delay            duration         `toml:"delay"`              // before every reply, as 20ms
	Children         []spinesim.Child `toml:"children"`
	Scripts          []script         `toml:"scripts"`
	Platform         *platformFile    `toml:"platform"` // what stands beside the Spine; default none
}

type script struct {
	NHSNumber string `toml:"nhs_number"`
	Repeat    bool   `toml:"repeat"`
	Steps     []step `toml:"steps"`
}

type step struct {
	Behaviour spinesim.Behaviour `toml:"behaviour"`
	Times     int                `toml:"times"`
	Every     bool               `toml:"every"`
	Delay     duration           `toml:"delay"`
}

// duration is a time.Duration written as 1.5s.
type duration time.Duration

// UnmarshalText reads Go's notation of durations.
func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

// load reads the file at path and the certificates that it names. The platform
// is nil if the file has none.
func load(path string) (spinesim.Config, *platform.Config, error) {
	var f file
	meta, err := toml.DecodeFile(path, &f)
	if err != nil {
		return spinesim.Config{}, nil, fmt.Errorf("read the configuration: %w", err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		keys := make([]string, len(unknown))
		for i, k := range unknown {
			keys[i] = k.String()
		}
		return spinesim.Config{}, nil, fmt.Errorf("the configuration has unknown keys: %s", strings.Join(keys, ", "))
	}
	for _, required := range [][2]string{{"certificate", f.Certificate}, {"key", f.Key}, {"client_cas", f.ClientCAs}} {
		if required[1] == "" {
			return spinesim.Config{}, nil, fmt.Errorf("the configuration lacks the key %s", required[0])
		}
	}
	dir := filepath.Dir(path)
	cfg, err := f.config(dir)
	if err != nil || f.Platform == nil {
		return cfg, nil, err
	}
	beside, err := f.Platform.config(dir)
	if err != nil {
		return spinesim.Config{}, nil, err
	}
	beside.Certificate, beside.AllowNonLoopback = cfg.Certificate, cfg.AllowNonLoopback
	return cfg, &beside, nil
}

func (f file) config(dir string) (spinesim.Config, error) {
	cfg := spinesim.Config{
		Address:           f.Address,
		AllowNonLoopback:  f.AllowNonLoopback,
		ManagementAddress: f.Management,
		Path:              f.Path,
		ASID:              f.ASID,
		Generate:          f.Generate,
		Seed:              f.Seed,
		Children:          f.Children,
		Refusal:           spinesim.Refusal(f.Refusal),
		Delay:             time.Duration(f.Delay),
	}
	switch f.TLSMax {
	case "", "1.3":
	case "1.2":
		cfg.MaxTLSVersion = tls.VersionTLS12
	default:
		return spinesim.Config{}, fmt.Errorf("tls_max is %q; it must be 1.2 or 1.3", f.TLSMax)
	}
	for _, s := range f.Scripts {
		scripted := spinesim.Script{NHSNumber: s.NHSNumber, Repeat: s.Repeat}
		for _, step := range s.Steps {
			scripted.Steps = append(scripted.Steps, spinesim.Step{
				Behaviour: step.Behaviour, Times: step.Times, Every: step.Every, Delay: time.Duration(step.Delay),
			})
		}
		cfg.Scripts = append(cfg.Scripts, scripted)
	}
	var err error
	cfg.Certificate, err = tls.LoadX509KeyPair(within(dir, f.Certificate), within(dir, f.Key))
	if err != nil {
		return spinesim.Config{}, fmt.Errorf("load the server certificate: %w", err)
	}
	cfg.ClientCAs, err = os.ReadFile(within(dir, f.ClientCAs))
	if err != nil {
		return spinesim.Config{}, fmt.Errorf("load the client authorities: %w", err)
	}
	return cfg, nil
}

// within is a file's path relative to the configuration's directory.
func within(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}
