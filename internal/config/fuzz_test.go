package config_test

import (
	"os"
	"testing"

	"github.com/wardsmsp/ward/internal/config"
)

// FuzzLoad: no file makes loading fail in any other way than by an error that says
// something, and none that is refused gives settings (WRD-SEC-07).
func FuzzLoad(f *testing.F) {
	path := put(f, folder(f), wardFile)
	// One file, overwritten: making a new one for each input is slow on some disks.
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { file.Close() })
	f.Add(wardFile)
	f.Add(clientFile)
	f.Add(wardFile + second)
	f.Add(pdsFile)
	f.Add(repliesFile)
	f.Add(conformFile)
	f.Add("[[clients]]\n[[clients]]\n[codes.map]\nfound = \"SMSP-0000\"\n")
	f.Add("[audit]\ncheckpoints = [\"a\", \"b\"]\n[[audit.destinations]]\nurl = \"https://x\"\nca = \"ca.pem\"\n[[audit.witnesses]]\nkey = \"witness.pub\"\n")
	f.Add("environment = 1\n[system]\n[person]\n[audit]\ndatabase = \"..\"\n")
	f.Fuzz(func(t *testing.T, content string) {
		_, err := file.WriteAt([]byte(content), 0)
		must(t, err)
		must(t, file.Truncate(int64(len(content))))
		s, err := config.Load(path)
		if (s == nil) == (err == nil) || err != nil && err.Error() == "" {
			t.Errorf("settings %v, error %v", s, err)
		}
		c, err := config.LoadClient(path)
		if (c == nil) == (err == nil) || err != nil && err.Error() == "" {
			t.Errorf("client settings %v, error %v", c, err)
		}
		a, err := config.LoadAudit(path)
		if (a == nil) == (err == nil) || err != nil && err.Error() == "" {
			t.Errorf("audit settings %v, error %v", a, err)
		}
		p, err := config.LoadConformClient(path)
		if (p == nil) == (err == nil) || err != nil && err.Error() == "" {
			t.Errorf("conformance settings %v, error %v", p, err)
		}
	})
}
