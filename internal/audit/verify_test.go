package audit_test

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
)

// MSCA-AUD-01b, WRD-AUD-01: any change, removal, insertion or reordering of
// stored records is detected, and the report says where.
func TestTamperingIsDetected(t *testing.T) {
	store, k, checkpoints := history(t)
	n := len(store.rows)
	report := mustVerify(t, store, k.public, checkpoints)
	if report.Entries != 11 || report.Newest != 11 || report.OpenIntents != 1 || report.Exported < 4 {
		t.Fatalf("the untouched log: %+v", report)
	}
	// noticed checks that a change is detected between first and last. With
	// alone the exported checkpoints are not at hand.
	const alone = ""
	noticed := func(t *testing.T, s *tampered, dir, what string, first, last int) {
		t.Helper()
		report, err := audit.Verify(t.Context(), s, k.public, origin, dirs(dir))
		var m *audit.Mismatch
		if !errors.As(err, &m) {
			t.Fatalf("%s: Verify = %v, want a mismatch (%+v)", what, err, report)
		}
		if m.First != int64(first) || m.Last != int64(last) {
			t.Errorf("%s: found at %d to %d, want %d to %d: %v", what, m.First, m.Last, first, last, err)
		}
		if report.Entries > max(0, m.First) {
			t.Errorf("%s: %d entries are reported right, but the first wrong is %d", what, report.Entries, m.First)
		}
	}
	t.Run("each byte of each leaf", func(t *testing.T) {
		s := store.copy()
		for i, row := range s.rows {
			for j := range row.Leaf {
				row.Leaf[j] ^= 1 << (j % 8)
				noticed(t, s, alone, fmt.Sprintf("entry %d, byte %d", i, j), i, i)
				row.Leaf[j] ^= 1 << (j % 8)
			}
			s.rows[i].Leaf = append(row.Leaf, ' ')
			noticed(t, s, alone, "a longer leaf", i, i)
			s.rows[i].Leaf = row.Leaf
		}
	})
	t.Run("each byte of each content", func(t *testing.T) {
		s := store.copy()
		for i, row := range s.rows {
			for j := range row.Sealed {
				row.Sealed[j] ^= 1 << (j % 8)
				noticed(t, s, alone, fmt.Sprintf("content %d, byte %d", i, j), i, i)
				row.Sealed[j] ^= 1 << (j % 8)
			}
			s.rows[i].Sealed = nil
			noticed(t, s, alone, "no content", i, i)
			s.rows[i].Sealed = s.rows[(i+1)%n].Sealed
			noticed(t, s, alone, "another's content", i, i)
			s.rows[i].Sealed = row.Sealed
		}
	})
	t.Run("each term", func(t *testing.T) {
		for i, term := range store.terms {
			s := store.copy()
			s.terms = slices.Delete(s.terms, i, i+1)
			noticed(t, s, alone, "a term left out", int(term.Seq), int(term.Seq))
			s = store.copy()
			s.terms = slices.Insert(s.terms, i, audit.TermRow{Term: term.Term - 1, Seq: term.Seq})
			noticed(t, s, alone, "a term put in", int(term.Seq), int(term.Seq))
		}
	})
	t.Run("the spans", func(t *testing.T) {
		s := store.copy()
		s.spans = nil
		noticed(t, s, alone, "no span", 0, n-1)
		s = store.copy()
		s.spans[0].First++
		noticed(t, s, alone, "a later beginning", 0, n-1)
		s = store.copy()
		s.spans[0].Last--
		noticed(t, s, alone, "an earlier end", 0, n-1)
		s = store.copy()
		s.spans = slices.Insert(s.spans, 0, audit.Span{Number: -1})
		noticed(t, s, alone, "one before the first", -audit.SpanSize, -1)
	})
	t.Run("each byte of each hash", func(t *testing.T) {
		s := store.copy()
		for i, row := range s.rows {
			for h := range row.Hashes {
				for j := range row.Hashes[h] {
					row.Hashes[h][j] ^= 1
					noticed(t, s, alone, "a hash", i, i)
					row.Hashes[h][j] ^= 1
				}
			}
			s.rows[i].Hashes = append(slices.Clone(row.Hashes), tlog.Hash{})
			noticed(t, s, alone, "one hash more", i, i)
			s.rows[i].Hashes = nil
			noticed(t, s, alone, "no hashes", i, i)
			s.rows[i].Hashes = row.Hashes
		}
	})
	t.Run("each entry removed", func(t *testing.T) {
		for i := range n {
			s := store.copy()
			s.rows = slices.Delete(s.rows, i, i+1)
			if i == n-1 {
				s.head.Size--
			}
			noticed(t, s, checkpoints, "removed", i, i)
		}
	})
	t.Run("each two entries swapped", func(t *testing.T) {
		for i := range n {
			for j := range i {
				s := store.copy()
				s.rows[i].Leaf, s.rows[j].Leaf = s.rows[j].Leaf, s.rows[i].Leaf
				s.rows[i].Hashes, s.rows[j].Hashes = s.rows[j].Hashes, s.rows[i].Hashes
				noticed(t, s, checkpoints, "swapped", j, j)
			}
		}
	})
	t.Run("a row before the first", func(t *testing.T) {
		s := store.copy()
		s.rows = slices.Insert(s.rows, 0, audit.Row{Seq: -3, Leaf: s.rows[0].Leaf, Hashes: s.rows[0].Hashes})
		noticed(t, s, checkpoints, "inserted", -3, -3)
	})
	t.Run("a row after the last", func(t *testing.T) {
		s := store.copy()
		s.rows = append(s.rows, newRow(t, int64(n)))
		s.rehash(t)
		noticed(t, s, checkpoints, "appended", n, n)
	})
	t.Run("a row far after the last", func(t *testing.T) {
		s := store.copy()
		s.rows = append(s.rows, newRow(t, 1<<40))
		s.head.Size = 1<<40 + 1
		noticed(t, s, checkpoints, "appended", n, 1<<40-1)
	})
	t.Run("the newest removed", func(t *testing.T) { // WRD-AUD-03
		for size := range n {
			s := store.copy()
			s.rows, s.head.Size = s.rows[:size], int64(size)
			noticed(t, s, checkpoints, "cut short", size, n-1)
		}
	})
	t.Run("consistently, without the key", func(t *testing.T) {
		// around checks that a change whose first effect is on entry i is found
		// between the two exported checkpoints around it.
		around := func(s *tampered, what string, i int) {
			t.Helper()
			switch {
			case i < 4:
				noticed(t, s, checkpoints, what, 0, 3)
			case i < 8:
				noticed(t, s, checkpoints, what, 4, 7)
			case len(s.rows) < n:
				noticed(t, s, checkpoints, what, n-1, n-1) // the exported checkpoint covers more
			case i < n:
				noticed(t, s, checkpoints, what, 8, n-1)
			default:
				noticed(t, s, checkpoints, what, n, n)
			}
		}
		for i := range n {
			changed := store.copy()
			changed.rows[i].Leaf = []byte(strings.Replace(string(changed.rows[i].Leaf), "ashby-general-ed", "ashby-general-eu", 1))
			changed.rehash(t)
			around(changed, "changed", i)

			inserted := store.copy()
			inserted.rows = slices.Insert(inserted.rows, i, inserted.rows[i])
			inserted.renumber(t)
			inserted.rehash(t)
			around(inserted, "inserted", i+1) // the same entry again, behind itself

			if i < n-1 {
				removed := store.copy()
				removed.rows = slices.Delete(removed.rows, i, i+1)
				removed.renumber(t)
				removed.rehash(t)
				around(removed, "removed", i)

				swapped := store.copy()
				swapped.rows[i], swapped.rows[i+1] = swapped.rows[i+1], swapped.rows[i]
				swapped.renumber(t)
				swapped.rehash(t)
				around(swapped, "swapped", i)
			}
		}
	})
	t.Run("consistently, with nothing exported", func(t *testing.T) {
		changed := store.copy()
		changed.rows[3] = newRow(t, 3)
		changed.rehash(t)
		noticed(t, changed, alone, "changed", 0, n-1)

		longer := store.copy()
		longer.rows = append(longer.rows, newRow(t, int64(n)))
		longer.rehash(t)
		noticed(t, longer, alone, "appended", n, n)

		shorter := store.copy()
		shorter.rows, shorter.head.Size = shorter.rows[:n-2], int64(n-2)
		noticed(t, shorter, alone, "cut short", n-2, n-1)
	})
	t.Run("the open intents", func(t *testing.T) {
		s := store.copy()
		s.head.Open = nil
		noticed(t, s, checkpoints, "one left out", 10, 10)
		s.head.Open = opened(4, 10)
		noticed(t, s, checkpoints, "one too many", 4, 4)
		s.head.Open = opened(8)
		noticed(t, s, checkpoints, "another", 8, 8)
		s.head.Open = opened(10, 99)
		noticed(t, s, checkpoints, "one that is not there", 99, 99)
	})
	t.Run("each byte of the checkpoint", func(t *testing.T) {
		s := store.copy()
		for j := range s.head.Checkpoint {
			s.head.Checkpoint[j] ^= 1
			_, err := audit.Verify(t.Context(), s, k.public, origin, dirs(alone))
			if err == nil && !sameSigned(s.head.Checkpoint, store.head.Checkpoint) {
				t.Errorf("byte %d was changed unseen", j)
			}
			s.head.Checkpoint[j] ^= 1
		}
		s.head.Checkpoint = nil
		_, err := audit.Verify(t.Context(), s, k.public, origin, dirs(alone))
		if err == nil {
			t.Error("a missing checkpoint is not noticed")
		}
	})
}

// sameSigned reports whether two signed checkpoints have the same text and the
// same signature: base64 has more than one spelling of its last character.
func sameSigned(a, b []byte) bool {
	decode := func(signed []byte) string {
		text, line, _ := strings.Cut(string(signed), "\n\n")
		fields := strings.Fields(line)
		signature, err := base64.StdEncoding.DecodeString(fields[len(fields)-1])
		return fmt.Sprint(text, fields[:len(fields)-1], signature, err)
	}
	return decode(a) == decode(b)
}

// An exported checkpoint that was changed is not believed.
func TestTamperedExportIsDetected(t *testing.T) {
	store, k, checkpoints := history(t)
	files, err := os.ReadDir(checkpoints)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files[:2] { // the newest and one of the history
		path := filepath.Join(checkpoints, file.Name())
		whole := readFile(t, path)
		for j := range whole {
			changed := slices.Clone(whole)
			changed[j] ^= 1
			writeFile(t, path, changed)
			_, err := audit.Verify(t.Context(), store, k.public, origin, dirs(checkpoints))
			if err == nil && sameSigned(changed, whole) {
				continue
			}
			if err == nil || !strings.Contains(err.Error(), file.Name()) {
				t.Fatalf("%s, byte %d: Verify = %v, want an error that names it", file.Name(), j, err)
			}
		}
		writeFile(t, path, whole)
	}
	mustVerify(t, store, k.public, checkpoints)
}

// Neither another key nor another log's checkpoint is accepted.
func TestVerifyNeedsTheRightKeyAndOrigin(t *testing.T) {
	store, k, checkpoints := history(t)
	for _, dir := range []string{"", checkpoints} {
		_, err := audit.Verify(t.Context(), store, newKeys(t).public, origin, dirs(dir))
		if err == nil {
			t.Error("another key was accepted")
		}
		_, err = audit.Verify(t.Context(), store, k.public, "other.example/audit", dirs(dir))
		if err == nil {
			t.Error("another origin was accepted")
		}
	}
	_, err := audit.Verify(t.Context(), store, k.public, origin, dirs(filepath.Join(checkpoints, "none")))
	if err == nil {
		t.Error("a directory that is not there was accepted")
	}
}

// WRD-AUD-03: an older copy of the whole database is whole in itself, and only
// the exported checkpoint shows it. Neither Verify nor Open accepts it.
func TestOlderCopyOfTheDatabase(t *testing.T) {
	k := newKeys(t)
	path, checkpoints := seeded(t, k, 5)
	older := readFile(t, path)
	extend(t, k, path, checkpoints, 2)
	writeFile(t, path, older)
	store := openStore(t, path)
	mustVerify(t, store, k.public, "") // whole in itself

	_, err := audit.Verify(t.Context(), store, k.public, origin, dirs(checkpoints))
	var m *audit.Mismatch
	if !errors.As(err, &m) || m.First != 5 || m.Last != 6 || !strings.Contains(err.Error(), "older copy") {
		t.Errorf("Verify = %v, want that entries 5 to 6 are missing", err)
	}
	options := k.options(store)
	options.Checkpoints = dirs(checkpoints)
	_, err = audit.Open(t.Context(), options)
	if err == nil || !strings.Contains(err.Error(), "older copy") {
		t.Errorf("Open = %v, want a refusal", err)
	}
}

// The same through the database itself.
func TestTamperingWithTheDatabase(t *testing.T) {
	tests := []struct {
		change      string
		first, last int64
	}{
		{"UPDATE entries SET leaf = CAST(replace(leaf, 'SMSP-0000', 'SMSP-0001') AS BLOB) WHERE seq = 3", 3, 3},
		{"UPDATE entries SET hashes = substr(hashes, 1, 31) WHERE seq = 2", 2, 2},
		{"UPDATE entries SET hashes = zeroblob(64) WHERE seq = 5", 5, 5},
		{"DELETE FROM entries WHERE seq = 0", 0, 0},
		{"DELETE FROM entries WHERE seq = 6", 6, 6},
		{"DELETE FROM entries WHERE seq BETWEEN 2 AND 4", 2, 4},
		{"DELETE FROM entries", 0, 6},
		{"UPDATE entries SET seq = -1 WHERE seq = 4", -1, -1},
		{"UPDATE entries SET seq = 9 WHERE seq = 6", 6, 8},
		{"INSERT INTO entries SELECT 7, leaf, hashes FROM entries WHERE seq = 6", 7, 7},
		{"INSERT INTO entries SELECT 9223372036854775807, leaf, hashes FROM entries WHERE seq = 6", 7, 9223372036854775806},
		{"DELETE FROM opened", 6, 6},
		{"INSERT INTO opened VALUES (1, 'c')", 1, 1},
	}
	k := newKeys(t)
	path, _ := seeded(t, k, 7)
	whole := readFile(t, path)
	for _, tt := range tests {
		t.Run(tt.change, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.db")
			writeFile(t, path, whole)
			execute(t, path, tt.change)
			store, err := sqlite.OpenReadOnly(path)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			_, err = audit.Verify(t.Context(), store, k.public, origin, nil)
			var m *audit.Mismatch
			if !errors.As(err, &m) || m.First != tt.first || m.Last != tt.last {
				t.Errorf("Verify = %v, want entries %d to %d", err, tt.first, tt.last)
			}
		})
	}
}

func execute(t *testing.T, path, query string) {
	t.Helper()
	conn, err := zombiezen.OpenConn(path, zombiezen.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = sqlitex.ExecuteScript(conn, query, nil)
	if err != nil {
		t.Fatal(err)
	}
}

// A key pair is made only of a name that reads back.
func TestKeysAreMadeOfUsableNamesOnly(t *testing.T) {
	for _, name := range []string{"", "two words", "a+b"} {
		_, _, err := audit.GenerateKey(name, rand.Reader)
		if err == nil {
			t.Errorf("%q was taken for the name of a log", name)
		}
	}
}
