package indexkeys_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/indexkeys"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func indexKey(t *testing.T) seal.IndexKey {
	t.Helper()
	return must[seal.IndexKey](t)(seal.ParseIndexKey(must[string](t)(seal.GenerateIndexKey(rand.Reader))))
}

// WRD-AUD-09: a key under which the log was indexed at any time, and which is not at
// hand, is told, or a search would miss entries unseen.
func TestMissingIndexKeysAreTold(t *testing.T) {
	sealing := must[seal.SealingKey](t)(seal.ParseSealingKey(must[string](t)(seal.GenerateSealingKey(rand.Reader))))
	first, second, third := indexKey(t), indexKey(t), indexKey(t)
	keys := func(index ...seal.IndexKey) *seal.Keys {
		return must[*seal.Keys](t)(seal.NewKeys([]seal.SealingKey{sealing}, index))
	}
	key, _, err := audit.GenerateKey("log.example/audit", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var store audittest.Memory
	log := must[*audit.Log](t)(audit.Open(t.Context(), audit.Options{Store: &store, Signer: must[note.Signer](t)(note.NewSigner(key)), Keys: keys(first)}))
	defer log.Close(t.Context())
	for _, detail := range []string{
		fmt.Sprintf(`{"settings":{"audit.index_keys":"[\"%s\"]"}}`, first.ID()),
		fmt.Sprintf(`{"settings_sha256":"00","changed":[{"setting":"audit.index_keys","old":"[\"%s\"]","new":"[\"%s\",\"%s\"]"}]}`, first.ID(), second.ID(), first.ID()),
		`{"settings":{"log.level":"debug"}}`,
	} {
		must[int64](t)(log.Append(t.Context(), audit.Entry{Kind: audit.Configured, Time: time.Now(), Detail: json.RawMessage(detail)}))
	}
	for _, tt := range []struct {
		keys *seal.Keys
		want []string
	}{
		{keys(second, first), nil},
		{keys(third, second, first), nil},
		{keys(second), []string{first.ID()}},
		{keys(third), []string{first.ID(), second.ID()}},
	} {
		got := must[[]string](t)(indexkeys.Missing(t.Context(), &store, tt.keys))
		slices.Sort(got)
		slices.Sort(tt.want)
		if !slices.Equal(got, tt.want) {
			t.Errorf("missing %v, want %v", got, tt.want)
		}
	}
}
