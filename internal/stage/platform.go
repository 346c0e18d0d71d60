package stage

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim/platform"
)

// PartyKey is the provider's, as a message handling system.
const PartyKey = "Y99-0000001"

// LDAP stands in the provider's configuration as the directory's URL, until a test puts
// that of a directory server in its place. The server's certificates are of the stage's
// authority, and its entries those of Platform.Directory.
const LDAP = "ldaps://directory.example.invalid"

// Names under which the provider is known to the platform as an application.
const (
	apiKey = "stage-application"
	keyID  = "stage-1"
)

// keyBits is the length that the platform accepts at least: longer keys take long to make.
const keyBits = 2048

// Records are the directory's of a Spine that takes questions in a pattern, sync or
// async, by the simulator's own contract.
func (s *Stage) Records(pattern string) platform.Directory {
	if pattern != "async" {
		return platform.SpineRecords(platform.SyncContract())
	}
	k := s.Simulator.Contract()
	d := platform.SpineRecords(platform.Contract{
		SyncReply:            k.SyncReply,
		AckRequested:         string(k.AckRequested),
		DuplicateElimination: string(k.DuplicateElimination),
		Retries:              fmt.Sprint(k.Retries),
		RetryInterval:        isoDuration(k.RetryInterval),
		PersistDuration:      isoDuration(k.PersistDuration),
		Authenticated:        "transient",
	})
	d.Systems[0].PartyKey, d.Endpoints[0].PartyKey = k.PartyKey, k.PartyKey
	d.Endpoints[0].CPAID, d.Endpoints[0].Address = k.CPAID, s.Simulator.AsyncURL()
	return d
}

// isoDuration is in whole seconds, and empty for none.
func isoDuration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("PT%dS", d/time.Second)
}

// startPlatform starts what stands beside the Spine, where the provider asks it.
func (s *Stage) startPlatform(o Options) error {
	if o.Directory == "" && !o.Demographics {
		return nil
	}
	pair, err := s.simulatorPair()
	if err != nil {
		return err
	}
	application := platform.Application{APIKey: apiKey}
	if o.Demographics {
		application.KeyID = keyID
		application.PublicKey, err = s.makeApplicationKey()
		if err != nil {
			return err
		}
	}
	c := platform.Config{
		Certificate:  pair,
		Spine:        s.Simulator,
		Applications: []platform.Application{application},
		Directory:    s.Records(s.Pattern),
	}
	if o.Platform != nil {
		o.Platform(&c)
	}
	s.Platform, err = platform.New(c)
	if err != nil {
		return fmt.Errorf("the platform: %w", err)
	}
	return errors.Join(s.Platform.Start(), s.writeSecret("application-api-key", []byte(apiKey+"\n")))
}

// makeApplicationKey makes the key that signs for the provider at the token service.
func (s *Stage) makeApplicationKey() (*rsa.PublicKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return &key.PublicKey, s.writeSecret("application-key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func (s *Stage) writeSecret(name string, content []byte) error {
	return os.WriteFile(filepath.Join(s.Dir, name), content, 0o600)
}

// platformFields are those of the templates about the platform.
type platformFields struct {
	SDSURL, SDSProtocol, SDSOrganisation string
	PatientURL, TokenURL, KeyID          string
}

func (s *Stage) platformFields(o Options) platformFields {
	f := platformFields{SDSProtocol: o.Directory, SDSOrganisation: platform.SpineODS, KeyID: keyID}
	if s.Platform != nil {
		f.SDSURL, f.PatientURL, f.TokenURL = s.Platform.DirectoryURL(), s.Platform.PatientURL(), s.Platform.TokenURL()
	}
	if o.Directory == "ldap" {
		f.SDSURL = LDAP
	}
	return f
}
