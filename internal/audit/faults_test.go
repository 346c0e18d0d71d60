//go:build faults

package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
)

// allFaultsEnv asks for every fault at every place; without, each system call fails
// the first time, once under load, and from some time under load on for ever.
const allFaultsEnv = "WARD_FAULTS"

// fault is a system call that fails. Where it does, strace counts in each thread.
type fault struct {
	call   string
	errors string   // names of errors, of which the first is enough for a short run
	later  int      // how many calls go well before one fails under load
	only   []string // files of the directory for which it fails; all calls if none
}

// database are the files of the store.
var database = []string{"audit.db", "audit.db-wal", "audit.db-shm", "audit.db.lock"}

// faults are all calls by which the log and its store reach the disc.
var faults = []fault{
	{"pwrite64", "EIO ENOSPC", 60, database},
	{"pread64", "EIO", 12, database},
	{"fsync", "EIO ENOSPC", 20, nil},
	{"ftruncate", "EIO ENOSPC", 2, database},
	{"fcntl", "EIO ENOLCK EACCES", 60, database},
	{"flock", "EIO ENOLCK", 2, nil},
	{"mmap", "ENOMEM EIO", 2, database},
	{"open", "EIO EMFILE ENOSPC", 3, database},
	{"openat", "EIO EMFILE ENOSPC", 25, nil},
	{"fstat", "EIO", 12, database},
	{"stat", "EIO", 10, database},
	{"lstat", "EIO", 2, database},
	{"newfstatat", "EIO", 4, nil},
	{"fchown", "EIO EPERM", 2, database},
	{"fchmod", "EIO EPERM", 4, nil},
	{"renameat", "EIO ENOSPC", 4, nil},
	{"unlink", "EIO", 2, nil},
	{"unlinkat", "EIO", 2, nil},
	{"getdents64", "EIO", 8, nil},
	{"close", "EIO", 5, database},
}

// harmless are calls of which a failure cannot matter, or is not for this test.
var harmless = map[string]string{
	"epoll_ctl": "Go's runtime offers each file to it, and files are always refused",
	"write":     "of an exported checkpoint; a full disk there is TestFullDirectoryOfCheckpoints",
	"read":      "of an exported checkpoint; a wrong one is TestTamperedExportIsDetected",
	"munmap":    "gives back what was mapped",
	"execve":    "starts the child",
	"mkdirat":   "of the test",
	"readlink":  "the path of the database, which is absolute",
	"access":    "whether a journal of another kind is there",
}

// strace runs the child under strace with some options. It waits so long for the log to
// recover, and does not outlive that by a minute.
func strace(t *testing.T, dir, key string, wait time.Duration, options ...string) (stdout, stderr, trace string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command("strace", append(append([]string{"-f", "-y", "-o", path}, options...), os.Args[0])...)
	cmd.Env = append(os.Environ(), childEnv+"="+dir, keyEnv+"="+key, faultEnv+"="+wait.String(), "GODEBUG=asyncpreemptoff=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Start()
	if err != nil {
		t.Fatalf("this test needs strace, and to be allowed to trace: %v", err)
	}
	limit := time.AfterFunc(wait+time.Minute, func() {
		t.Error("the child hangs")
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	})
	cmd.Wait() // whether it failed is told by what it printed
	limit.Stop()
	traced, err := os.ReadFile(path)
	if err != nil || len(traced) == 0 {
		t.Fatalf("nothing was traced: %v, %s", err, errs.String())
	}
	return out.String(), errs.String(), string(traced)
}

// Every call that reaches the files of the log is in the list of faults, so that the
// list is honest.
func TestFaultsAreComplete(t *testing.T) {
	dir, key, _ := crashPlace(t)
	known := maps.Clone(harmless)
	for _, f := range faults {
		known[f.call] = "fails in TestFaultsLoseNothing"
	}
	called := make(map[string]int)
	for range 2 { // once making the log, and once going on with it
		stdout, stderr, trace := strace(t, dir, key, recovery)
		if !strings.Contains(stdout, "recovered") {
			t.Fatalf("the child failed: %s", stderr)
		}
		call := regexp.MustCompile(`^\d+ +(\w+)\(.*` + regexp.QuoteMeta(dir))
		for line := range strings.Lines(trace) {
			if m := call.FindStringSubmatch(line); m != nil {
				called[m[1]]++
			}
		}
	}
	t.Logf("calls: %v", called)
	for _, call := range slices.Sorted(maps.Keys(called)) {
		if known[call] == "" {
			t.Errorf("%s is called %d times but is in no list", call, called[call])
		}
	}
	for _, call := range []string{"pwrite64", "fsync", "fcntl", "mmap", "renameat", "flock"} {
		if called[call] == 0 {
			t.Errorf("%s was not seen: the trace is not that of the log", call)
		}
	}
}

// WRD-AUD-04, WRD-AUD-06: whatever system call fails, once or from then on, nothing
// that was acknowledged is lost, the log verifies with what was exported, it is opened
// again once the fault is gone, and it recovers by itself from a fault that passed.
func TestFaultsLoseNothing(t *testing.T) {
	all := os.Getenv(allFaultsEnv) == "all"
	for _, f := range faults {
		codes := strings.Fields(f.errors)
		whens := []string{"1", fmt.Sprint(f.later), fmt.Sprint(f.later, "+")}
		if all {
			whens = append(whens, "2", "3", "5", "1+", fmt.Sprint(2*f.later+1), fmt.Sprint(3*f.later, "+"))
		} else {
			codes = codes[:1]
		}
		t.Run(f.call, func(t *testing.T) {
			t.Parallel()
			injected := 0
			for _, code := range codes {
				for _, when := range whens {
					injected += f.inject(t, code, when)
				}
			}
			if injected == 0 && f.call != "unlink" { // which is called for in an emergency only
				t.Error("it was never made to fail")
			}
		})
	}
}

// inject makes a call fail, and returns how often it did.
func (f fault) inject(t *testing.T, code, when string) int {
	t.Helper()
	dir, key, k := crashPlace(t)
	options := []string{"-e", "trace=" + f.call, "-e", "inject=" + f.call + ":error=" + code + ":when=" + when}
	for _, name := range f.only {
		options = append(options, "-P", filepath.Join(dir, name))
	}
	lasting, wait := strings.HasSuffix(when, "+"), recovery
	if lasting {
		wait = hopeless
	}
	stdout, stderr, trace := strace(t, dir, key, wait, options...)
	injected := strings.Count(trace, "(INJECTED)")
	what := fmt.Sprintf("%s %s when=%s, injected %d times", f.call, code, when, injected)
	var acked []acknowledged
	opened, end := false, "ended"
	for line := range strings.Lines(stdout) {
		var a acknowledged
		_, err := fmt.Sscan(line, &a.seq, &a.kind, &a.correlation)
		switch {
		case err != nil:
			t.Fatalf("%s: the child printed %q", what, line)
		case a.seq >= 0:
			acked = append(acked, a)
		case a.kind == "opened":
			opened = true
		default:
			end = string(a.kind)
		}
	}
	switch {
	case !opened && !strings.Contains(stderr, "audit"):
		t.Errorf("%s: the log was not opened, without a sentence that says why: %s", what, stderr)
	case !opened:
		end = "refused"
	case end == "ended":
		t.Errorf("%s: the child ended on its own: %s", what, stderr)
	case !lasting && strings.HasPrefix(end, "failing"):
		t.Errorf("%s: the log did not recover: %s", what, stderr)
	}
	t.Logf("%s: %s, %d acknowledged: %.300s", what, end, len(acked), strings.ReplaceAll(strings.TrimSpace(stderr), "\n", "; "))
	err := f.after(t, dir, k, acked)
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	return injected
}

// after checks what a fault leaves behind, once it is gone.
func (f fault) after(t *testing.T, dir string, k keys, acked []acknowledged) error {
	store, err := sqlite.Open(filepath.Join(dir, "audit.db"))
	if err != nil {
		return fmt.Errorf("it is not opened again: %w", err)
	}
	defer store.Close()
	exported := filepath.Join(dir, "checkpoints")
	options := k.options(store)
	options.Checkpoints = dirs(exported)
	log, err := audit.Open(t.Context(), options)
	if err != nil {
		return fmt.Errorf("it is not opened again: %w", err)
	}
	_, appended := log.Append(t.Context(), refused("after"))
	err = errors.Join(appended, log.Close(t.Context()))
	if err != nil {
		return fmt.Errorf("it does not go on: %w", err)
	}
	_, err = audit.Verify(t.Context(), store, k.public, origin, dirs(exported))
	if err != nil {
		return err
	}
	stored := make(map[int64]acknowledged)
	for record, err := range audit.Entries(t.Context(), store, k.personal, 0, 1<<40) {
		if err != nil {
			return err
		}
		stored[record.Seq] = acknowledged{record.Seq, record.Entry.Kind, record.Entry.Correlation}
	}
	for _, a := range acked {
		if stored[a.seq] != a {
			return fmt.Errorf("acknowledged %+v, stored %+v", a, stored[a.seq])
		}
	}
	return nil
}
