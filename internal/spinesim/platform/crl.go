package platform

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// Bounds of the revocation lists.
const (
	maxLists = 100
	maxList  = 16 << 20 // bytes of one
)

// lists are the revocation lists, by name. Safe for concurrent use.
type lists struct {
	mu     sync.Mutex
	byName map[string]list
}

// list is what a name serves, and what it served before that.
type list struct {
	now, before []byte // DER
}

func newLists() *lists { return &lists{byName: map[string]list{}} }

func (l *lists) get(name string) (list, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found, ok := l.byName[name]
	return found, ok
}

func (l *lists) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.byName)
}

// SetCRL serves a revocation list, DER or PEM, under a name until the next
// Reset. The list before it stays for the behaviour stale. It refuses what is
// no list, and a list whose issuer looks real; it does not judge the list's
// signature or dates.
func (p *Platform) SetCRL(name string, content []byte) error {
	if !tokenForm.MatchString(name) || len(content) > maxList {
		return fmt.Errorf("the revocation list %q has a name with other signs than letters, digits and . _ : -, or more than %d bytes", name, maxList)
	}
	block, _ := pem.Decode(content)
	if block != nil {
		content = block.Bytes
	}
	parsed, err := x509.ParseRevocationList(content)
	if err != nil {
		return fmt.Errorf("the revocation list %q cannot be read: %w", name, err)
	}
	err = spinesim.GuardIssuer("revocation list issuer's", parsed.Issuer)
	if err != nil {
		return err
	}
	p.lists.mu.Lock()
	defer p.lists.mu.Unlock()
	previous, known := p.lists.byName[name]
	if !known && len(p.lists.byName) == maxLists {
		return errors.New("the platform holds no more than 100 revocation lists")
	}
	p.lists.byName[name] = list{now: content, before: previous.now}
	return nil
}

// RemoveCRL makes a list missing until the next Reset: 404.
func (p *Platform) RemoveCRL(name string) {
	p.lists.mu.Lock()
	defer p.lists.mu.Unlock()
	delete(p.lists.byName, name)
}

// listName is the name of the list that a request asks for; empty for a path
// that does not end in .crl.
func listName(r *http.Request) string {
	name, _ := strings.CutSuffix(r.PathValue("key"), ".crl")
	if name == r.PathValue("key") {
		return ""
	}
	return name
}

// list answers GET /crl/{name}.crl.
func (p *Platform) list(r *http.Request) answer {
	l, found := p.lists.get(listName(r))
	if !found {
		return failure(CRL, http.StatusNotFound, "There is no such revocation list.")
	}
	return answer{status: http.StatusOK, mediaType: "application/pkix-crl", raw: l.now, previous: l.before}
}
