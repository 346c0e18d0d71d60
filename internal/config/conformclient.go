package config

import (
	"crypto/tls"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/wardsmsp/ward/internal/clients"
)

// ConformClientFile is the configuration file of `ward conform client`, in TOML. It
// names no Spine, and nothing that reads it can reach one.
type ConformClientFile struct {
	ODSCode    string        `toml:"ods_code"`    // of the provider that is played
	AcceptedTo []string      `toml:"accepted_to"` // values of wsa:To: the URLs that clients use
	Window     time.Duration `toml:"window"`      // in which no number may be asked about twice; 30s
	SlowAnswer time.Duration `toml:"slow_answer"` // how long the slow answer takes; 8s
	GiveUp     time.Duration `toml:"give_up"`     // how long a client is left without an answer at most; 2m
	Listen     Listen        `toml:"listen"`
	// Client is the system under test, registered as with `ward serve`.
	Client Client `toml:"client"`
}

// ConformClientSettings is a checked configuration with its keys loaded.
type ConformClientSettings struct {
	ConformClientFile
	ListenTLS *tls.Config
	Register  *clients.Register
	Limits    Limits // those with which `ward serve` starts
	ITK       ITK    // likewise
}

// LoadConformClient reads and checks the configuration file of `ward conform client`.
func LoadConformClient(path string) (*ConformClientSettings, error) {
	standard := defaults()
	file := ConformClientFile{Window: 30 * time.Second, SlowAnswer: 8 * time.Second, GiveUp: 2 * time.Minute}
	unknown, err := decode(path, &file)
	if err != nil {
		return nil, err
	}
	file.Client.complete()
	c := &checker{folder: filepath.Dir(path), problems: unknown}
	s := &ConformClientSettings{ConformClientFile: file, Limits: standard.Limits, ITK: standard.ITK}
	s.ITK.AcceptedTo = file.AcceptedTo
	if !isCode(file.ODSCode) {
		c.problems.add("ods_code", "must be the ODS code under which the provider is played: letters and digits")
	}
	c.acceptedTo("accepted_to", file.AcceptedTo)
	c.between("window", file.Window, time.Second, time.Hour)
	c.between("slow_answer", file.SlowAnswer, time.Second, time.Minute)
	c.between("give_up", file.GiveUp, time.Second, time.Hour)
	s.ListenTLS, _ = c.listen(file.Listen)
	if file.Client.Name == "" {
		c.problems.add("client.name", "must be the name and the version of the system under test, as the report is to give it")
	}
	s.Register, err = clients.NewRegister([]*clients.Client{c.client("client", file.Client)})
	if err != nil {
		c.problems.add("client.certificates", "%v; name each certificate once", err)
	}
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return s, nil
}

func (c *checker) between(key string, value, least, most time.Duration) {
	if value < least || value > most {
		c.problems.add(key, "must be between %s and %s", least, most)
	}
}

// ConfirmationsFile is the file of `ward conform client -confirm`, in TOML: what a
// person saw on the screens of the client.
type ConfirmationsFile struct {
	Tester string            `toml:"tester"` // name and role of the person
	Seen   []string          `toml:"seen"`   // ids of the screens that were as they had to be
	Wrong  map[string]string `toml:"wrong"`  // id of a screen that was not, and what it showed
}

// LoadConfirmations reads and checks a file of confirmations of these screens.
func LoadConfirmations(path string, screens []string) (ConfirmationsFile, error) {
	var file ConfirmationsFile
	problems, err := decode(path, &file)
	if err != nil {
		return ConfirmationsFile{}, err
	}
	if file.Tester == "" {
		problems.add("tester", "must be the name and the role of the person who saw the screens")
	}
	for _, id := range file.Seen {
		if !slices.Contains(screens, id) {
			problems.add("seen", "%q is not the id of a screen", id)
		}
		_, wrong := file.Wrong[id]
		if wrong {
			problems.add("wrong."+id, "also stands in seen; it can be one of the two")
		}
	}
	for _, id := range slices.Sorted(maps.Keys(file.Wrong)) {
		if !slices.Contains(screens, id) {
			problems.add("wrong."+id, "is not the id of a screen")
		}
		if file.Wrong[id] == "" {
			problems.add("wrong."+id, "must say what the screen showed")
		}
	}
	if len(problems) > 0 {
		return ConfirmationsFile{}, problems
	}
	return file, nil
}
