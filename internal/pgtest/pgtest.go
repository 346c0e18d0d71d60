//go:build linux

// Package pgtest runs a PostgreSQL server of its own for tests, from Debian's package,
// with everything on that keeps what it has confirmed.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// startTime bounds how long the server takes to start and to stop.
const startTime = 30 * time.Second

// Server is a server that listens on a Unix socket only. Its files are in a temporary
// folder.
type Server struct {
	dir       string
	programs  string // folder of initdb and postgres
	account   *syscall.SysProcAttr
	command   *exec.Cmd
	log       *os.File
	databases atomic.Int64
}

// Start makes a server and starts it. Each setting is of the form NAME=VALUE. Close
// must follow.
func Start(settings ...string) (*Server, error) {
	s := &Server{}
	var err error
	s.programs, err = findPrograms()
	if err != nil {
		return nil, err
	}
	s.dir, err = os.MkdirTemp("", "ward-pg-")
	if err != nil {
		return nil, err
	}
	err = s.prepare(settings)
	if err == nil {
		err = s.start()
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func findPrograms() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", errors.New("no PostgreSQL server in /usr/lib/postgresql: run make tools")
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}

// prepare makes the files of the server, which will not run as root.
func (s *Server) prepare(settings []string) error {
	s.account = &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT} // does not outlive the test
	if os.Geteuid() == 0 {
		owner, err := user.Lookup("postgres")
		if err != nil {
			return err
		}
		uid, err := strconv.Atoi(owner.Uid)
		if err != nil {
			return err
		}
		gid, err := strconv.Atoi(owner.Gid)
		if err != nil {
			return err
		}
		s.account.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		err = os.Chown(s.dir, uid, gid)
		if err != nil {
			return err
		}
	}
	initdb := exec.Command(filepath.Join(s.programs, "initdb"), "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-instructions")
	initdb.SysProcAttr, initdb.Dir = s.account, s.dir
	out, err := initdb.CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	conf, err := os.OpenFile(filepath.Join(s.data(), "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	fmt.Fprintf(conf, "listen_addresses = ''\nunix_socket_directories = '%s'\nshared_buffers = '32MB'\n", s.dir)
	for _, setting := range settings {
		fmt.Fprintln(conf, setting)
	}
	return conf.Close()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Socket is the path of the Unix socket.
func (s *Server) Socket() string { return filepath.Join(s.dir, ".s.PGSQL.5432") }

// URL is the connection URL of a database.
func (s *Server) URL(database string) string {
	return "postgres://postgres@/" + database + "?host=" + url.QueryEscape(s.dir)
}

func (s *Server) start() error {
	var err error
	s.log, err = os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	s.command = exec.Command(filepath.Join(s.programs, "postgres"), "-D", s.data())
	s.command.SysProcAttr, s.command.Dir, s.command.Stdout, s.command.Stderr = s.account, s.dir, s.log, s.log
	err = s.command.Start()
	if err != nil {
		return err
	}
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		err := s.execute("SELECT 1")
		if err == nil {
			return nil
		}
		if time.Since(began) > startTime {
			log, _ := os.ReadFile(s.log.Name())
			return fmt.Errorf("PostgreSQL did not start: %w\n%s", err, log[max(0, bytes.LastIndexByte(log[:max(0, len(log)-2000)], '\n')):])
		}
	}
}

// execute runs a statement in the database postgres.
func (s *Server) execute(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

// Database makes an empty database and returns its connection URL.
func (s *Server) Database() (string, error) {
	name := fmt.Sprintf("test%d", s.databases.Add(1))
	return s.URL(name), s.execute("CREATE DATABASE " + name)
}

// Dump is what pg_dump writes of a database.
func (s *Server) Dump(url string) ([]byte, error) {
	command := exec.Command(filepath.Join(s.programs, "pg_dump"), "--dbname", url)
	var out, wrong bytes.Buffer
	command.Stdout, command.Stderr = &out, &wrong
	err := command.Run()
	if err != nil {
		return nil, fmt.Errorf("pg_dump: %w\n%s", err, &wrong)
	}
	return out.Bytes(), nil
}

// Restore makes a database of what Dump returned, with psql, and returns its
// connection URL.
func (s *Server) Restore(dump []byte) (string, error) {
	url, err := s.Database()
	if err != nil {
		return "", err
	}
	command := exec.Command(filepath.Join(s.programs, "psql"), "--dbname", url, "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--single-transaction")
	command.Stdin = bytes.NewReader(dump)
	out, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("psql: %w\n%s", err, out)
	}
	return url, nil
}

// Stop ends the server at once, as a crash would: what was confirmed is recovered by
// the next start.
func (s *Server) Stop() error {
	if s.command == nil {
		return nil
	}
	err := s.command.Process.Signal(syscall.SIGQUIT)
	if err != nil {
		return err
	}
	s.command.Wait() // says how it was ended
	s.command = nil
	return s.log.Close()
}

// Restart stops the server at once and starts it again.
func (s *Server) Restart() error {
	err := s.Stop()
	if err != nil {
		return err
	}
	return s.start()
}

// Resume starts the server again after Stop.
func (s *Server) Resume() error { return s.start() }

// Close ends the server, which need put nothing in order, and removes its files.
func (s *Server) Close() error {
	return errors.Join(s.Stop(), os.RemoveAll(s.dir))
}
