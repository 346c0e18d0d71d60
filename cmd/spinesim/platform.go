package main

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/spinesim/platform"
)

// platformFile is the section [platform]. The certificate is the Spine's.
type platformFile struct {
	Address       string            `toml:"address"`        // host:port; default 127.0.0.1:0
	PlainAddress  string            `toml:"plain_address"`  // host:port, revocation lists over plain HTTP; default none
	Management    string            `toml:"management"`     // host:port on loopback; default none
	Contract      string            `toml:"contract"`       // the Spine's: sync, the default, unreliable or reliable
	DirectoryMode platform.Mode     `toml:"directory_mode"` // strict, the default, random or failing
	TokenLife     duration          `toml:"token_life"`     // default 599s
	RateLimit     int               `toml:"rate_limit"`     // PDS requests a second; 0, the default, for no limit
	Applications  []applicationFile `toml:"applications"`   // who may ask
	Systems       []platform.System `toml:"systems"`        // of the directory, besides the Spine
	Endpoints     []platform.MHS    `toml:"endpoints"`      // of the directory, besides the Spine's
	Staff         []platform.Staff  `toml:"staff"`          // of the directory, in LDIF alone
	People        []platform.Person `toml:"people"`         // of PDS, besides its own and the Spine's
	Lists         map[string]string `toml:"lists"`          // revocation lists: name = file
	Scripts       []platformScript  `toml:"scripts"`
}

type applicationFile struct {
	APIKey    string `toml:"api_key"`
	KeyID     string `toml:"key_id"`     // with public_key; default neither
	PublicKey string `toml:"public_key"` // PEM file, RSA
}

type platformScript struct {
	Service platform.Service `toml:"service"`
	Key     string           `toml:"key"`
	Repeat  bool             `toml:"repeat"`
	Steps   []platformStep   `toml:"steps"`
}

type platformStep struct {
	Behaviour  platform.Behaviour `toml:"behaviour"`
	Times      int                `toml:"times"`
	Every      bool               `toml:"every"`
	Delay      duration           `toml:"delay"`
	RetryAfter duration           `toml:"retry_after"`
}

func (f platformFile) config(dir string) (platform.Config, error) {
	contracts := map[string]platform.Contract{
		"": platform.SyncContract(), "sync": platform.SyncContract(),
		"unreliable": platform.UnreliableContract(), "reliable": platform.ReliableContract(),
	}
	contract, known := contracts[f.Contract]
	if !known {
		return platform.Config{}, fmt.Errorf("platform.contract is %q; it must be sync, unreliable or reliable", f.Contract)
	}
	cfg := platform.Config{
		Address:           f.Address,
		PlainAddress:      f.PlainAddress,
		ManagementAddress: f.Management,
		Directory:         platform.SpineRecords(contract).With(platform.Directory{Systems: f.Systems, Endpoints: f.Endpoints, Staff: f.Staff}),
		DirectoryMode:     f.DirectoryMode,
		People:            f.People,
		TokenLife:         time.Duration(f.TokenLife),
		RateLimit:         f.RateLimit,
		CRLs:              map[string][]byte{},
	}
	for _, a := range f.Applications {
		application := platform.Application{APIKey: a.APIKey, KeyID: a.KeyID}
		if a.PublicKey != "" {
			var err error
			application.PublicKey, err = readPublicKey(within(dir, a.PublicKey))
			if err != nil {
				return platform.Config{}, err
			}
		}
		cfg.Applications = append(cfg.Applications, application)
	}
	for name, file := range f.Lists {
		var err error
		cfg.CRLs[name], err = os.ReadFile(within(dir, file))
		if err != nil {
			return platform.Config{}, fmt.Errorf("load a revocation list: %w", err)
		}
	}
	for _, s := range f.Scripts {
		scripted := platform.Script{Service: s.Service, Key: s.Key, Repeat: s.Repeat}
		for _, step := range s.Steps {
			scripted.Steps = append(scripted.Steps, platform.Step{
				Behaviour: step.Behaviour, Times: step.Times, Every: step.Every,
				Delay: time.Duration(step.Delay), RetryAfter: time.Duration(step.RetryAfter),
			})
		}
		cfg.Scripts = append(cfg.Scripts, scripted)
	}
	return cfg, nil
}

func readPublicKey(path string) (*rsa.PublicKey, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load a public key: %w", err)
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, fmt.Errorf("the public key in %s is not PEM", path)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the public key in %s cannot be read: %w", path, err)
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("the public key in %s is not an RSA key", path)
	}
	return public, nil
}

// startPlatform runs what stands beside the Spine, if it is configured.
func startPlatform(cfg *platform.Config, beside *spinesim.Simulator, log *slog.Logger) (stop func(context.Context) error, err error) {
	if cfg == nil {
		return func(context.Context) error { return nil }, nil
	}
	cfg.Spine, cfg.Log = beside, log
	p, err := platform.New(*cfg)
	if err != nil {
		return nil, err
	}
	err = p.Start()
	if err != nil {
		return nil, err
	}
	log.Info("the platform answers with invented people", "directory", p.DirectoryURL(), "pds", p.PatientURL(), "token", p.TokenURL(), "platform_management", p.ManagementAddr())
	return p.Close, nil
}
