package provider

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os/user"
	"slices"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
)

// Reasons of configured entries.
const (
	reasonFirst   = "first"        // the log has none before
	reasonChanged = "changed"      // something differs from the one before
	reasonUnknown = "not compared" // the one before cannot be read any more, or lies too far back
)

// configuration is the Detail of a configured entry (IG-3.9.11).
type configuration struct {
	Settings map[string]string `json:"settings,omitempty"`
	Digest   string            `json:"settings_sha256,omitempty"` // instead of settings that are too long
	Changed  []change          `json:"changed,omitempty"`
}

// change is one setting that differs. A setting that was not there has no old value,
// one that is gone no new one: so it is with those of a client.
type change struct {
	Setting string  `json:"setting"`
	Old     *string `json:"old,omitempty"`
	New     *string `json:"new,omitempty"`
}

// changes are the settings that differ, in the order of their names.
func changes(before, now map[string]string) []change {
	all := map[string]string{}
	maps.Copy(all, before)
	maps.Copy(all, now)
	var changed []change
	for _, setting := range slices.Sorted(maps.Keys(all)) {
		was, had := before[setting]
		is, has := now[setting]
		if had && has && was == is {
			continue
		}
		c := change{Setting: setting}
		if had {
			c.Old = &was
		}
		if has {
			c.New = &is
		}
		changed = append(changed, c)
	}
	return changed
}

// compare says how settings differ from what a configured entry has in its Detail,
// if there is one; the reason is empty if they do not.
func compare(last json.RawMessage, found bool, settings map[string]string) (reason string, changed []change) {
	if !found {
		return reasonFirst, nil
	}
	var was configuration
	err := json.Unmarshal(last, &was)
	switch {
	case err != nil || was.Settings == nil && was.Digest == "":
		return reasonUnknown, nil
	case was.Settings == nil && was.Digest == digest(settings):
		return "", nil
	case was.Settings == nil:
		return reasonChanged, nil
	}
	changed = changes(was.Settings, settings)
	if len(changed) == 0 {
		return "", nil
	}
	return reasonChanged, changed
}

// digest is SHA-256 of each setting in the order of the names: the name, a zero byte,
// the value, a zero byte.
func digest(settings map[string]string) string {
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		_, _ = io.WriteString(hash, name+"\x00"+settings[name]+"\x00")
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// detailOf puts as much into a Detail as it may hold: everything; or, instead of the
// settings, their digest; or that alone.
func detailOf(settings map[string]string, changed []change) (json.RawMessage, error) {
	for _, c := range []configuration{
		{Settings: settings, Changed: changed},
		{Digest: digest(settings), Changed: changed},
	} {
		detail, err := json.Marshal(c)
		if err != nil || len(detail) <= audit.MaxDetail {
			return detail, err
		}
	}
	return json.Marshal(configuration{Digest: digest(settings)})
}

// configured is the entry that records settings, if they are not those of the last
// configured entry: last is its Detail, empty if that cannot be read.
func configured(last json.RawMessage, found bool, settings map[string]string) (e audit.Entry, differs bool, err error) {
	reason, changed := compare(last, found, settings)
	if reason == "" {
		return audit.Entry{}, false, nil
	}
	detail, err := detailOf(settings, changed)
	if err != nil {
		return audit.Entry{}, false, err
	}
	return audit.Entry{
		Kind:     audit.Configured,
		Time:     time.Now(),
		Operator: operator(),
		Reason:   reason,
		Detail:   detail,
	}, true, nil
}

// recordConfiguration records the settings in force if they are not those that were
// recorded last.
func (p *Provider) recordConfiguration(ctx context.Context) error {
	before, found, err := p.lastConfiguration(ctx)
	if err != nil {
		return fmt.Errorf("the audit log cannot be read: %w", err)
	}
	e, differs, err := configured(before, found, p.settings.Facts())
	if err == nil && differs {
		_, err = p.log.Append(ctx, e)
	}
	if err != nil {
		return fmt.Errorf("the configuration cannot be recorded: %w", err)
	}
	return nil
}

// operator is the user of the operating system who runs the provider.
func operator() string {
	u, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return u.Username
}
