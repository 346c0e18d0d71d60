package config

import (
	"crypto/tls"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/publish"
)

// Remote is an endpoint or a witness with its keys and certificates loaded.
type Remote struct {
	URL *url.URL
	TLS *tls.Config
	Key note.Verifier // of a witness
}

// maxPlaces bounds the folders of checkpoints, and the destinations.
const maxPlaces = 8

func (c *checker) paths(all []string) []string {
	var paths []string
	for _, path := range all {
		paths = append(paths, c.path(path))
	}
	return paths
}

func (c *checker) checkpoints(folders []string) {
	if len(folders) > maxPlaces {
		c.problems.add("audit.checkpoints", "must name at most %d folders", maxPlaces)
		return
	}
	for i, folder := range folders {
		info, err := os.Stat(folder)
		switch {
		case folder == "":
			c.problems.add("audit.checkpoints", "entry %d is empty; name a folder or leave it out", i+1)
		case err != nil || !info.IsDir():
			c.problems.add("audit.checkpoints", "must be an existing folder; run: mkdir -p %s", folder)
		case slices.Contains(folders[:i], folder):
			c.problems.add("audit.checkpoints", "names %s twice; each folder is of use only once", folder)
		}
	}
}

func (c *checker) destinations(all []Destination) []Remote {
	if len(all) > maxPlaces {
		c.problems.add("audit.destinations", "must be at most %d", maxPlaces)
		return nil
	}
	var remotes []Remote
	for i, d := range all {
		key := fmt.Sprintf("audit.destinations.%d", i+1)
		config := c.remoteTLS(key+".ca", d.CA)
		if d.Certificate != "" || d.Key != "" {
			pair, ok := c.keyPair(key+".certificate", d.Certificate, key+".key", d.Key)
			if ok {
				config.Certificates = []tls.Certificate{pair}
			}
		}
		remotes = append(remotes, Remote{URL: c.remoteURL(key+".url", d.URL), TLS: config})
	}
	return remotes
}

func (c *checker) witnesses(all []Witness) []Remote {
	if len(all) > audit.MaxWitnesses {
		c.problems.add("audit.witnesses", "must be at most %d", audit.MaxWitnesses)
		return nil
	}
	var remotes []Remote
	for i, w := range all {
		key := fmt.Sprintf("audit.witnesses.%d", i+1)
		r := Remote{URL: c.remoteURL(key+".url", w.URL), TLS: c.remoteTLS(key+".ca", w.CA), Key: c.witnessKey(key+".key", w.Key)}
		if r.Key != nil && slices.ContainsFunc(remotes, func(o Remote) bool { return o.Key != nil && o.Key.Name() == r.Key.Name() }) {
			c.problems.add(key+".key", "has the name of another witness's; each is to be somebody else")
		}
		remotes = append(remotes, r)
	}
	return remotes
}

// remoteURL checks a URL. Its value is not repeated: it may hold a secret, which has
// no place there.
func (c *checker) remoteURL(key, text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		c.problems.add(key, "must be an https URL without a user, a query or a fragment; show who you are with a certificate")
		return nil
	}
	return u
}

func (c *checker) remoteTLS(key, ca string) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: suites()}
	if ca == "" {
		return config
	}
	anchors := c.anchors(key, ca)
	config.RootCAs = pool(anchors)
	return config
}

func (c *checker) witnessKey(key, path string) note.Verifier {
	content, ok := c.file(key, path)
	if !ok {
		return nil
	}
	verifier, err := publish.ParseWitnessKey(strings.TrimSpace(string(content)))
	if err != nil {
		c.problems.add(key, "is not the verifier key of a witness: %v", err)
		return nil
	}
	c.holds(key, keyName(verifier))
	return verifier
}
