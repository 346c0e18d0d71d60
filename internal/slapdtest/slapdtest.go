//go:build linux

// Package slapdtest runs an OpenLDAP server of its own for tests, from Debian's packages,
// over TLS with client certificates, with a schema like that of the Spine Directory
// Service as far as its clients need it.
package slapdtest

import (
	"crypto/tls"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/wardsmsp/ward/internal/testpki"
)

// startTime bounds how long the server takes to start.
const startTime = 30 * time.Second

// program is where Debian's package slapd has the server.
const program = "/usr/sbin/slapd"

//go:embed nhs.schema
var schema string

// Server is a server for ou=services and ou=people below o=nhs, which takes certificates
// of one authority only, and binds anonymously. Its files are in a temporary folder.
type Server struct {
	dir     string
	address string
	command *exec.Cmd
	log     *os.File
	client  testpki.Pair
}

// Start makes a server of entries in LDIF, as LDIF writes them, and starts it. The
// authority issues its certificate, for localhost and its address on loopback. Settings are
// lines of slapd.conf. Close must follow.
func Start(authority *testpki.Authority, entries string, settings ...string) (*Server, error) {
	dir, err := os.MkdirTemp("", "ward-slapd-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir}
	err = s.prepare(authority, entries, settings)
	if err == nil {
		err = s.Resume()
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// prepare writes the files of the server.
func (s *Server) prepare(authority *testpki.Authority, entries string, settings []string) error {
	_, err := os.Stat(program)
	if err != nil {
		return errors.New("no OpenLDAP server in " + program + ": run make tools")
	}
	server, err := authority.Issue(testpki.Request{CommonName: "localhost", DNSNames: []string{"localhost"}, IPs: []net.IP{ownIP()}, Server: true})
	if err != nil {
		return err
	}
	s.client, err = authority.Issue(testpki.Request{CommonName: "ward.test", Client: true})
	if err != nil {
		return err
	}
	s.address, err = freeAddress()
	if err != nil {
		return err
	}
	configuration := strings.ReplaceAll(configuration, "DIR", s.dir) + strings.Join(settings, "\n") + "\n"
	return errors.Join(
		authority.WriteRoot(s.dir, "ca"),
		server.WriteFiles(s.dir, "server"),
		os.Mkdir(filepath.Join(s.dir, "data"), 0o700),
		os.WriteFile(filepath.Join(s.dir, "nhs.schema"), []byte(schema), 0o600),
		os.WriteFile(filepath.Join(s.dir, "slapd.conf"), []byte(configuration), 0o600),
		s.load(entries),
	)
}

// configuration of the server. Everybody with a certificate may read.
const configuration = `
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include DIR/nhs.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile DIR/pid
TLSCACertificateFile DIR/ca.pem
TLSCertificateFile DIR/server.pem
TLSCertificateKeyFile DIR/server-key.pem
TLSVerifyClient demand
TLSProtocolMin 3.3
database mdb
suffix "o=nhs"
directory DIR/data
maxsize 16777216
access to * by * read
`

// load writes entries into the database of a server that does not run, below those that
// every directory has.
func (s *Server) load(entries string) error {
	const roots = `dn: o=nhs
objectClass: organization
o: nhs

dn: ou=services,o=nhs
objectClass: organizationalUnit
ou: services

dn: ou=people,o=nhs
objectClass: organizationalUnit
ou: people

`
	command := exec.Command(program, "-T", "add", "-f", filepath.Join(s.dir, "slapd.conf"))
	command.Stdin = strings.NewReader(roots + entries)
	out, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("load the entries into slapd: %w\n%s", err, out)
	}
	return nil
}

// ownIP is an address on loopback that no other process uses, nor an outgoing connection:
// nobody takes a port there before the server has it, or while it is stopped.
func ownIP() net.IP {
	pid := os.Getpid()
	return net.IPv4(127, byte(128+pid>>16&63), byte(pid>>8), byte(pid))
}

// freeAddress finds a port that nobody listens on. The server cannot choose one itself.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(ownIP().String(), "0"))
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// Address is the host and port, and URL the ldaps URL with them.
func (s *Server) Address() string { return s.address }
func (s *Server) URL() string     { return "ldaps://" + s.address }

// Resume starts the server after Stop.
func (s *Server) Resume() error {
	var err error
	s.log, err = os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	s.command = exec.Command(program, "-f", filepath.Join(s.dir, "slapd.conf"), "-h", s.URL(), "-d", "stats") // -d: stays in the foreground
	s.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}                                  // does not outlive the test
	s.command.Stdout, s.command.Stderr = s.log, s.log
	err = s.command.Start()
	if err != nil {
		return err
	}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err = s.dial()
		if err == nil {
			return nil
		}
		if time.Since(began) > startTime {
			log, _ := os.ReadFile(s.log.Name())
			return fmt.Errorf("slapd did not start: %w\n%s", err, log[max(0, len(log)-2000):])
		}
	}
}

// dial shakes hands with the server. Whom it trusts is not what is asked here.
func (s *Server) dial() error {
	conn, err := tls.Dial("tcp", s.address, &tls.Config{Certificates: []tls.Certificate{s.client.TLSCertificate()}, InsecureSkipVerify: true})
	if err != nil {
		return err
	}
	return conn.Close()
}

// Stop ends the server at once, and cuts its connections.
func (s *Server) Stop() error {
	if s.command == nil || s.command.Process == nil {
		return nil
	}
	err := s.command.Process.Kill()
	s.command.Wait() // says how it was ended
	s.command = nil
	return errors.Join(err, s.log.Close())
}

// Restart stops the server and starts it again.
func (s *Server) Restart() error {
	err := s.Stop()
	if err != nil {
		return err
	}
	return s.Resume()
}

// Replace restarts the server with other entries.
func (s *Server) Replace(entries string) error {
	err := s.Stop()
	if err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	err = errors.Join(os.RemoveAll(data), os.Mkdir(data, 0o700))
	if err != nil {
		return err
	}
	return errors.Join(s.load(entries), s.Resume())
}

// Hang keeps the server from running: connections stay, and are accepted, but nothing is
// answered until Continue.
func (s *Server) Hang() error {
	err := s.command.Process.Signal(syscall.SIGSTOP)
	for began := time.Now(); err == nil; time.Sleep(time.Millisecond) {
		stopped, err := s.isStopped()
		if stopped || err != nil {
			return err
		}
		if time.Since(began) > startTime {
			return errors.New("slapd did not stop")
		}
	}
	return err
}

// isStopped reports whether every thread of the server has stopped, which is not at once.
func (s *Server) isStopped() (bool, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.command.Process.Pid))
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			return false, nil // it has just ended, so that not all have stopped
		}
		if err != nil {
			return false, err
		}
		_, state, _ := strings.Cut(string(stat), ") ")
		if !strings.HasPrefix(state, "T") {
			return false, nil
		}
	}
	return len(threads) > 0, err
}

// Continue lets the server run again after Hang.
func (s *Server) Continue() error { return s.command.Process.Signal(syscall.SIGCONT) }

// Searches counts the searches that the server was asked for since it was made.
func (s *Server) Searches() (int, error) { return s.count(" SRCH base=") }

// Connections counts the connections that it accepted, with those of the start.
func (s *Server) Connections() (int, error) { return s.count(" ACCEPT from ") }

func (s *Server) count(what string) (int, error) {
	log, err := os.ReadFile(filepath.Join(s.dir, "log"))
	return strings.Count(string(log), what), err
}

// Close ends the server and removes its files.
func (s *Server) Close() error { return errors.Join(s.Stop(), os.RemoveAll(s.dir)) }
