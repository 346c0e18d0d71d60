package config

import (
	"crypto/tls"
	"strings"
	"time"
)

// Replies is the listener to which the Spine delivers its replies in the asynchronous
// pattern, always with mutual TLS. It is needed for that pattern alone.
type Replies struct {
	Address     string `toml:"address"`     // host:port
	Path        string `toml:"path"`        // as registered in the directory; /replies
	Certificate string `toml:"certificate"` // PEM file: the leaf, then its intermediates
	Key         string `toml:"key"`         // PEM file
	CA          string `toml:"ca"`          // PEM file: anchors of the certificates of those who deliver

	CRLs            []string      `toml:"crls"`             // files of revocation lists; none are checked if empty
	RevocationGrace time.Duration `toml:"revocation_grace"` // after a list is out of date; 24h

	// Peers are who may deliver: "sha256:HEX", "spki:HEX" or "dns:NAME" of the Spine's
	// certificates. Others of the same authorities may not.
	Peers []string `toml:"peers"`

	Connections int           `toml:"connections"`             // open at a time; 64
	PerAddress  int           `toml:"connections_per_address"` // of them from one address; 64
	Deliveries  int           `toml:"deliveries"`              // under way at a time; 64
	Body        int           `toml:"max_body"`                // bytes of a message; 2097152
	Timeout     time.Duration `toml:"timeout"`                 // to receive the header, the body, and to send the answer, each; 5s
	IdleTimeout time.Duration `toml:"idle_timeout"`            // of a connection; 2m
	Remember    time.Duration `toml:"remember"`                // for how long late and repeated replies are told from others; 1h
}

func defaultReplies() Replies {
	return Replies{
		Path:            "/replies",
		RevocationGrace: 24 * time.Hour,
		Connections:     64,
		PerAddress:      64,
		Deliveries:      64,
		Body:            2 << 20,
		Timeout:         5 * time.Second,
		IdleTimeout:     2 * time.Minute,
		Remember:        time.Hour,
	}
}

// replies checks the section as a whole: there is no use for a part of it.
func (c *checker) replies(s *Settings) {
	r := s.Replies
	c.address("replies.address", r.Address)
	if !strings.HasPrefix(r.Path, "/") || strings.ContainsAny(r.Path, "?# ") {
		c.problems.add("replies.path", "must be the path of a URL, such as /replies")
	}
	c.matches("replies.peers", r.Peers)
	if len(r.Peers) == 0 {
		c.problems.add("replies.peers", "must name at least one certificate of the Spine's, such as dns:NAME")
	}
	for _, peer := range r.Peers {
		name, isName := strings.CutPrefix(peer, "dns:")
		if isName {
			c.notLive(s.Live, "replies.peers", name)
		}
	}
	positive(c, "replies.connections", r.Connections)
	positive(c, "replies.connections_per_address", r.PerAddress)
	positive(c, "replies.deliveries", r.Deliveries)
	positive(c, "replies.max_body", r.Body)
	positive(c, "replies.timeout", r.Timeout)
	positive(c, "replies.idle_timeout", r.IdleTimeout)
	c.between("replies.remember", r.Remember, time.Minute, 24*time.Hour)
	if r.Body > 16<<20 {
		c.problems.add("replies.max_body", "must be at most 16777216")
	}
	s.RepliesTLS = c.repliesTLS(s)
}

func (c *checker) repliesTLS(s *Settings) *tls.Config {
	r := s.Replies
	certificate, ok := c.keyPair("replies.certificate", r.Certificate, "replies.key", r.Key)
	anchors := c.anchors("replies.ca", r.CA)
	s.Trust.Replies = c.revoked("replies.crls", r.CRLs, anchors, "replies.revocation_grace", r.RevocationGrace)
	if !ok || anchors == nil {
		return nil
	}
	return mutualTLS(certificate, anchors, s.Trust.Replies)
}
