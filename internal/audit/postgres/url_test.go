package postgres

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/testpki"
)

// WRD-SEC-11: what goes over a network is encrypted for the server that is meant, and
// what is wrong is told without the password.
func TestCheckURL(t *testing.T) {
	dir := t.TempDir()
	authority, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	err = authority.WriteRoot(dir, "ca")
	if err != nil {
		t.Fatal(err)
	}
	full := "?sslmode=verify-full&sslrootcert=" + filepath.Join(dir, "ca.pem")
	for _, name := range os.Environ() {
		name, _, _ := strings.Cut(name, "=")
		if strings.HasPrefix(name, "PG") {
			t.Setenv(name, "")
		}
	}
	tests := []struct{ url, want string }{
		{"postgres://ward:pass-w0rd@db.example.invalid/ward" + full, ""},
		{"postgresql://ward:pass-w0rd@db1.example.invalid:5432,db2.example.invalid:5432/ward" + full + "&target_session_attrs=read-write", ""},
		{"postgres://ward:pass-w0rd@127.0.0.1:5432/ward", ""},
		{"postgres://ward:pass-w0rd@[::1]/ward?sslmode=disable", ""},
		{"postgres://ward:pass-w0rd@localhost/ward?sslmode=disable&search_path=audit_2", ""},
		{"postgres:///ward?host=/var/run/postgresql", ""},
		{"postgres://ward:pass-w0rd@db.example.invalid/ward", "verify-full"},
		{"postgres://ward:pass-w0rd@db.example.invalid/ward?sslmode=require", "verify-full"},
		{"postgres://ward:pass-w0rd@db.example.invalid/ward" + strings.Replace(full, "verify-full", "verify-ca", 1), "verify-full"},
		{"postgres://ward:pass-w0rd@127.0.0.1,192.0.2.1/ward", "192.0.2.1"},
		{"postgres:///ward?host=/var/run/postgresql,db.example.invalid", "db.example.invalid"},
		{"postgres://ward:pass-w0rd@127.0.0.1/ward?sslmode=verify-full&sslrootcert=" + dir + "/none", "none"},
		{"postgres://ward:pass-w0rd@127.0.0.1/ward?sslmode=perhaps", "sslmode"},
		{"postgres://ward:pass-w0rd@127.0.0.1/ward?search_path=a,b", "search_path"},
		{"postgres://ward:pass-w0rd@127.0.0.1/ward?search_path=pg_catalog", "search_path"},
		{"postgres://ward:pass-w0rd/x@127.0.0.1/ward", "%XX"},
		{"host=127.0.0.1 password=pass-w0rd", "postgres://"},
		{"https://ward:pass-w0rd@127.0.0.1/ward", "postgres://"},
		{"", "postgres://"},
	}
	for _, tt := range tests {
		err := CheckURL(tt.url)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.url, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", tt.url, err, tt.want)
		case err != nil && strings.Contains(err.Error(), "pass-w0rd"):
			t.Errorf("%s: the password is told: %v", tt.url, err)
		}
	}
}
