package stage

import (
	"fmt"
	"sync/atomic"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/config"
)

// Asker is a client of the stage, and the settings that it asks with. Close must follow.
func (s *Stage) Asker() (*client.Client, *config.ClientSettings, error) {
	settings, err := config.LoadClient(s.ClientConfig())
	if err != nil {
		return nil, nil, err
	}
	asker, err := client.New(client.Config{
		URL: settings.URL, TLS: settings.TLS, Username: settings.Username,
		Organisation: settings.Organisation, Provider: settings.Provider,
	})
	return asker, settings, err
}

// Numbers gives every question a generated child of its own. Its zero value begins with
// the first.
type Numbers struct{ taken atomic.Int64 }

// Take returns the next number of the range 999 + six digits that passes Modulus 11.
func (n *Numbers) Take() cpis.NHSNumber {
	for {
		nine := 100_000 + n.taken.Add(1)
		for digit := range 10 {
			number, err := cpis.ParseNHSNumber(fmt.Sprintf("999%06d%d", nine, digit))
			if err == nil && number.CheckDigitValid() {
				return number
			}
		}
	}
}
