package audit_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
)

// The crash tests run this test program again as a child that appends to a
// database and prints what was acknowledged.
const (
	childEnv = "WARD_AUDIT_TEST_CHILD"  // directory of the log
	keyEnv   = "WARD_AUDIT_TEST_KEY"    // signer key
	limitEnv = "WARD_AUDIT_TEST_LIMIT"  // bytes of the largest file, as if the disk were full beyond
	faultEnv = "WARD_AUDIT_TEST_FAULTS" // system calls fail meanwhile; for how long the end of it is waited for
)

// child is what the child does; it returns the exit code.
func child(dir string) int {
	err := appendForever(dir)
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func appendForever(dir string) error {
	signer, err := note.NewSigner(os.Getenv(keyEnv))
	if err != nil {
		return err
	}
	store, err := sqlite.Open(filepath.Join(dir, "audit.db"))
	if err != nil {
		return err
	}
	log, err := audit.Open(context.Background(), audit.Options{Store: store, Signer: signer, Keys: audittest.Keys(),
		Checkpoints: dirs(filepath.Join(dir, "checkpoints")), CheckpointEvery: time.Millisecond, RetryEvery: time.Millisecond})
	if err != nil {
		return err
	}
	if os.Getenv(limitEnv) != "" {
		return fillDisk(log)
	}
	if os.Getenv(faultEnv) != "" {
		wait, err := time.ParseDuration(os.Getenv(faultEnv))
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return errors.Join(appendThroughFaults(log, wait), log.Close(ctx))
	}
	base := log.Size()
	var out sync.Mutex
	failed := make(chan error)
	for a := range 8 {
		go func() {
			for i := 0; ; i++ {
				e := audit.Entry{Kind: audit.Intent, Time: time.Now(), Correlation: fmt.Sprintf("%d-%d-%d", base, a, i)}
				for _, kind := range []audit.Kind{audit.Intent, audit.Outcome} {
					e.Kind = kind
					seq, err := log.Append(context.Background(), e)
					if err != nil {
						failed <- err
						return
					}
					out.Lock()
					fmt.Println(seq, kind, e.Correlation)
					out.Unlock()
				}
			}
		}()
	}
	return <-failed
}

// recovery is how long the log may take to recover from a fault that passed. SQLite
// itself tries for 10 s to get a lock that it is denied. From a fault that lasts it need
// not recover: there the child waits only as long as hopeless says.
const recovery, hopeless = 40 * time.Second, 12 * time.Second

// appendThroughFaults appends from several goroutines, whatever fails, until so many
// entries are acknowledged or time is up. It then says whether the log has recovered,
// for which it waits.
func appendThroughFaults(log *audit.Log, wait time.Duration) error {
	const enough, patience = 250, 2 * time.Second
	fmt.Println(-1, "opened", "x")
	var out sync.Mutex
	var done atomic.Int64
	began := time.Now()
	var wg sync.WaitGroup
	for a := range 8 {
		wg.Go(func() {
			for i := 0; done.Load() < enough && time.Since(began) < patience; i++ {
				e := sample(int64(2 * i))
				e.Correlation = fmt.Sprintf("%d-%d", a, i)
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				seq, err := log.Append(ctx, e)
				cancel()
				if err != nil {
					time.Sleep(time.Millisecond)
					continue
				}
				done.Add(1)
				out.Lock()
				fmt.Println(seq, e.Kind, e.Correlation)
				out.Unlock()
			}
		})
	}
	wg.Wait()
	state := "recovered"
	for start := time.Now(); log.Healthy() != nil; time.Sleep(time.Millisecond) {
		if time.Since(start) > wait {
			state = "failing"
			break
		}
	}
	exported := log.Exported()[0]
	if exported.Err != nil {
		state += "-unexported"
	}
	fmt.Println(-1, state, "x")
	return errors.Join(log.Healthy(), exported.Err)
}

// fillDisk appends until the file size limit stops it, lifts the limit, and
// waits for the log to recover.
func fillDisk(log *audit.Log) error {
	signal.Ignore(syscall.SIGXFSZ)
	var before syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before)
	if err != nil {
		return err
	}
	for round := range uint64(5) {
		err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: (round + 1) * 200_000, Max: before.Max})
		if err != nil {
			return err
		}
		for {
			e := refused(strings.Repeat("x", 1+rand.IntN(audit.MaxText)))
			seq, err := log.Append(context.Background(), e)
			if err != nil {
				break
			}
			fmt.Println(seq, e.Kind, e.Correlation)
		}
		// The room that was too small for this entry may do for a smaller commit, by which
		// the log would find that it can write.
		err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 0, Max: before.Max})
		if err != nil {
			return err
		}
		_, err = log.Append(context.Background(), refused(""))
		if err == nil || log.Healthy() == nil {
			return fmt.Errorf("on a full disk: Append = %v, Healthy = %v", err, log.Healthy())
		}
		err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before)
		if err != nil {
			return err
		}
		for start := time.Now(); log.Healthy() != nil; time.Sleep(time.Millisecond) {
			if time.Since(start) > recovery {
				return fmt.Errorf("the log did not recover: %w", log.Healthy())
			}
		}
	}
	fmt.Println(-1, "recovered", "x")
	select {} // until killed
}

// acknowledged is an entry that the child was told is durable.
type acknowledged struct {
	seq         int64
	kind        audit.Kind
	correlation string
}

// runChild runs a child and kills it as soon as stop says so.
func runChild(t *testing.T, dir, key string, env []string, stop func(acknowledged) bool) []acknowledged {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append(env, childEnv+"="+dir, keyEnv+"="+key)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	err = cmd.Start()
	if err != nil {
		t.Fatal(err)
	}
	var all []acknowledged
	lines := bufio.NewReader(stdout)
	killed := false
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // what was not printed whole was not acknowledged
		}
		var a acknowledged
		_, err = fmt.Sscan(line, &a.seq, &a.kind, &a.correlation)
		if err != nil {
			t.Fatalf("the child printed %q: %v", line, err)
		}
		if a.seq >= 0 {
			all = append(all, a)
		}
		if !killed && stop(a) {
			killed = true
			cmd.Process.Kill()
		}
	}
	cmd.Wait()
	if !killed {
		t.Fatalf("the child ended by itself after %d entries: %s", len(all), stderr.String())
	}
	return all
}

func crashPlace(t *testing.T) (dir, signerKey string, k keys) {
	t.Helper()
	dir = t.TempDir()
	err := os.Mkdir(filepath.Join(dir, "checkpoints"), 0o755)
	if err != nil {
		t.Fatal(err)
	}
	signerKey, verifierKey := newKeyStrings(t)
	return dir, signerKey, parseKeys(t, signerKey, verifierKey)
}

// WRD-AUD-06, WRD-AUD-05, WRD-AUD-03: killed at any instant, the log has every
// entry that was acknowledged, verifies with its exported checkpoints, knows
// which intents have no outcome, and goes on.
func TestKilledAtAnyInstant(t *testing.T) {
	dir, signerKey, k := crashPlace(t)
	var all []acknowledged
	for range 20 {
		var deadline time.Time // random, from the first entry on
		all = append(all, runChild(t, dir, signerKey, nil, func(acknowledged) bool {
			if deadline.IsZero() {
				deadline = time.Now().Add(rand.N(100 * time.Millisecond))
			}
			return time.Now().After(deadline)
		})...)

		store := openStore(t, filepath.Join(dir, "audit.db"))
		report := mustVerify(t, store, k.public, filepath.Join(dir, "checkpoints"))
		options := k.options(store)
		options.Checkpoints = dirs(filepath.Join(dir, "checkpoints"))
		log := openLog(t, options)
		open, err := log.OpenIntents(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(open) != report.OpenIntents {
			t.Fatalf("%d intents are open, want %d", len(open), report.OpenIntents)
		}
		for _, e := range open {
			e.Kind, e.Reason = audit.Recovered, "outcome unknown"
			mustAppend(t, log, e)
		}
		closeAll(t, log, store)
	}
	store := openStore(t, filepath.Join(dir, "audit.db"))
	if report := mustVerify(t, store, k.public, filepath.Join(dir, "checkpoints")); report.OpenIntents != 0 {
		t.Errorf("%d intents are still open", report.OpenIntents)
	}
	present(t, store, all)
}

// present checks that every acknowledged entry is in the store.
func present(t *testing.T, store audit.Reader, all []acknowledged) {
	t.Helper()
	stored := make(map[int64]acknowledged)
	for record, err := range audit.Entries(t.Context(), store, audittest.Keys(), 0, 1<<40) {
		if err != nil {
			t.Fatal(err)
		}
		stored[record.Seq] = acknowledged{record.Seq, record.Entry.Kind, record.Entry.Correlation}
	}
	for _, a := range all {
		if stored[a.seq] != a {
			t.Fatalf("acknowledged %+v, stored %+v", a, stored[a.seq])
		}
	}
	if len(all) == 0 {
		t.Fatal("nothing was acknowledged")
	}
	t.Logf("%d entries acknowledged, %d stored", len(all), len(stored))
}

// WRD-AUD-06: on a full disk appends fail, nothing acknowledged is lost, and the
// log goes on once there is room.
func TestFullDisk(t *testing.T) {
	dir, signerKey, k := crashPlace(t)
	all := runChild(t, dir, signerKey, []string{limitEnv + "=1"}, func(a acknowledged) bool { return a.seq < 0 })
	store := openStore(t, filepath.Join(dir, "audit.db"))
	mustVerify(t, store, k.public, filepath.Join(dir, "checkpoints"))
	present(t, store, all)
}

// WRD-AUD-06: a loss of power keeps what was synchronised and may leave any
// part of what was written after. Cutting the write-ahead log anywhere behind
// the commit of an entry, with or without rubbish following, keeps the entry.
func TestPowerLost(t *testing.T) {
	k := newKeys(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.db")
	store := openStore(t, path)
	log := openLog(t, k.options(store))
	var sizes []int64 // of the write-ahead log when each entry was acknowledged
	for i := range int64(25) {
		mustAppend(t, log, sample(i))
		info, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, info.Size())
	}
	database, wal := readFile(t, path), readFile(t, path+"-wal")
	closeAll(t, log, store)
	for i, size := range sizes[:len(sizes)-1] {
		if size >= sizes[i+1] {
			t.Fatalf("the write-ahead log did not grow with entry %d", i+1)
		}
		for range 4 {
			cut := size + rand.Int64N(sizes[i+1]-size)
			rubbish := make([]byte, rand.IntN(5000))
			for j := range rubbish {
				rubbish[j] = byte(rand.Int())
			}
			copied := filepath.Join(t.TempDir(), "audit.db")
			writeFile(t, copied, database)
			writeFile(t, copied+"-wal", append(wal[:cut:cut], rubbish...))
			after := openStore(t, copied)
			report := mustVerify(t, after, k.public, "")
			if report.Entries != int64(i+1) {
				t.Fatalf("cut at %d of %d: %d entries are left, want %d", cut, len(wal), report.Entries, i+1)
			}
			log := openLog(t, k.options(after))
			mustAppend(t, log, sample(int64(i+1)))
			closeAll(t, log, after)
		}
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func writeFile(t testing.TB, path string, content []byte) {
	t.Helper()
	err := os.WriteFile(path, content, 0o600)
	if err != nil {
		t.Fatal(err)
	}
}
