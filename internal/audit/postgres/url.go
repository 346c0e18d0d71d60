package postgres

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// defaultSchema is where the tables are if the URL's search_path does not say.
const defaultSchema = "ward"

// connectTime bounds how long one connection takes to be made.
const connectTime = 3 * time.Second

// CheckURL says what is wrong with a connection URL, without repeating any of it: it
// holds a password.
func CheckURL(text string) error {
	_, err := parse(text)
	return err
}

// Pool returns how the log's connections to the database at a connection URL are made,
// for what else is kept there: of at most size, with this limit for each statement. The
// search_path among their parameters names the schema of the log.
func Pool(url string, size int32, statement time.Duration) (*pgxpool.Config, error) {
	config, err := parse(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns, config.MinConns, config.MinIdleConns = size, 0, 0
	limits(config.ConnConfig.RuntimeParams, statement)
	return config, nil
}

// parse reads a connection URL. What it leaves out comes from the environment
// variables of PostgreSQL's own clients.
func parse(text string) (*pgxpool.Config, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, errors.New("it is not of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full&sslrootcert=FILE; " +
			"escape special characters of the password as %XX")
	}
	config, err := pgxpool.ParseConfig(text)
	if err != nil {
		cause := errors.Unwrap(err)
		if cause == nil {
			cause = errors.New("a part of it cannot be read")
		}
		return nil, fmt.Errorf("a setting of it is wrong: %w", cause)
	}
	c := config.ConnConfig
	if !secured(c.Host, c.Port, c.TLSConfig) {
		return nil, insecure(c.Host)
	}
	for _, other := range c.Fallbacks {
		if !secured(other.Host, other.Port, other.TLSConfig) {
			return nil, insecure(other.Host)
		}
	}
	if c.ConnectTimeout <= 0 || c.ConnectTimeout > connectTime {
		c.ConnectTimeout = connectTime
	}
	schema, ok := c.RuntimeParams["search_path"]
	if !ok {
		schema = defaultSchema
	}
	if !isName.MatchString(schema) || strings.HasPrefix(schema, "pg_") || schema == "information_schema" {
		return nil, errors.New("its search_path must be one name of small letters, digits and _, of a schema for the audit log alone")
	}
	c.RuntimeParams["search_path"] = schema
	_, named := c.RuntimeParams["application_name"]
	if !named {
		c.RuntimeParams["application_name"] = "ward"
	}
	return config, nil
}

var isName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

func insecure(host string) error {
	return fmt.Errorf("the connection to %s could be read or answered by others: it must say sslmode=verify-full, with the file of its authority as sslrootcert", host)
}

// secured reports whether what is sent to a host stays on this machine, or is
// encrypted for a server that proves to be that host.
func secured(host string, port uint16, t *tls.Config) bool {
	network, _ := pgconn.NetworkAddress(host, port)
	if network == "unix" || host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	if ip != nil && ip.IsLoopback() {
		return true
	}
	return t != nil && !t.InsecureSkipVerify && t.ServerName != ""
}

// limits bounds what a connection may hold up: a statement; a transaction whose client
// has fallen silent, so that it cannot keep the lock on the head from the other
// instances; and a peer that is gone without having said so.
func limits(params map[string]string, statement time.Duration) {
	params["statement_timeout"] = milliseconds(statement)
	params["idle_in_transaction_session_timeout"] = milliseconds(silentTime)
	params["tcp_keepalives_idle"] = "5"
	params["tcp_keepalives_interval"] = "2"
	params["tcp_keepalives_count"] = "3"
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
