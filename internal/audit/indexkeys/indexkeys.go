// Package indexkeys finds out whether a log can be searched by person as a whole: each
// configuration in its history says by the ids of its index keys under which entries
// were indexed, and what was indexed under a key that is not at hand is not found.
package indexkeys

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

// setting is where a configuration has the ids: a list in JSON.
const setting = "audit.index_keys"

// configured is what the detail of a configured entry has of them.
type configured struct {
	Settings map[string]string `json:"settings"`
	Changed  []struct {
		Setting string `json:"setting"`
		Old     string `json:"old"`
		New     string `json:"new"`
	} `json:"changed"`
}

// Missing returns the ids of the index keys that were in force at some time and are not
// among those given. A configuration that cannot be read any more says nothing.
func Missing(ctx context.Context, store audit.Reader, keys *seal.Keys) ([]string, error) {
	at := keys.IndexIDs()
	var missing []string
	kind := audit.TermsOf(keys, audit.FieldKind, string(audit.Configured))
	for seq, err := range audit.Found(ctx, store, [][]seal.Term{kind}, 0, math.MaxInt64) {
		if err != nil {
			return nil, err
		}
		used, err := usedBy(ctx, store, keys, seq)
		if err != nil {
			return nil, err
		}
		for _, id := range used {
			if !slices.Contains(at, id) && !slices.Contains(missing, id) {
				missing = append(missing, id)
			}
		}
	}
	return missing, nil
}

// usedBy returns the ids in one configured entry.
func usedBy(ctx context.Context, store audit.Reader, keys *seal.Keys, seq int64) ([]string, error) {
	record, err := audit.EntryAt(ctx, store, keys, seq)
	if err != nil {
		return nil, err
	}
	if record.Entry.Kind != audit.Configured || len(record.Entry.Detail) == 0 {
		return nil, nil // a term that is shared by chance, or a content that is gone
	}
	var c configured
	err = json.Unmarshal(record.Entry.Detail, &c)
	if err != nil {
		return nil, fmt.Errorf("the configuration in entry %d cannot be read: %w", seq, err)
	}
	lists := []string{c.Settings[setting]}
	for _, change := range c.Changed {
		if change.Setting == setting {
			lists = append(lists, change.Old, change.New)
		}
	}
	return idsIn(lists), nil
}

func idsIn(lists []string) []string {
	var all []string
	for _, list := range lists {
		var ids []string
		err := json.Unmarshal([]byte(list), &ids)
		if err == nil {
			all = append(all, ids...)
		}
	}
	return all
}
