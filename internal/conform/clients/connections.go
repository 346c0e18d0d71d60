package clients

import (
	"crypto/tls"
	"slices"
)

// connections counts what became of the connections. One whose certificate was
// verified counts as identified; whether it is the registered one shows later.
type connections struct {
	begun      int // offers of TLS
	old        int // that offered nothing above TLS 1.1
	identified int
	strangers  int // requests with a certificate that is not the registered one
	versions   []uint16
}

// watched is a TLS configuration that counts.
func (r *Run) watched(config *tls.Config) *tls.Config {
	config = config.Clone()
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.connections.begun++
		if len(hello.SupportedVersions) > 0 && slices.Max(hello.SupportedVersions) < tls.VersionTLS12 {
			r.connections.old++
		}
		return nil, nil
	}
	verify := config.VerifyConnection
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if verify != nil {
			err := verify(state) // revocation lists
			if err != nil {
				return err
			}
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.connections.identified++
		if !slices.Contains(r.connections.versions, state.Version) {
			r.connections.versions = append(r.connections.versions, state.Version)
		}
		return nil
	}
	return config
}

func (r *Run) stranger() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.connections.strangers++
}
