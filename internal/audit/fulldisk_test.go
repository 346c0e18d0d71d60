//go:build faults && linux

package audit_test

import (
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
)

// mountsEnv is set in a test that runs in name spaces of its own.
const mountsEnv = "WARD_TEST_MOUNTS"

// mayMount reports whether the test may mount a disk. Where it may not, it has been run
// once more, in name spaces of its own, where its user may.
func mayMount(t *testing.T) bool {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("ward", dir, "tmpfs", 0, "size=4k")
	if err == nil {
		err = syscall.Unmount(dir, 0)
	}
	switch {
	case err == nil:
		return true
	case !errors.Is(err, syscall.EPERM) || os.Getenv(mountsEnv) != "":
		t.Fatal(err)
	}
	again := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	again.Env = append(os.Environ(), mountsEnv+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := again.CombinedOutput()
	if err != nil {
		t.Fatalf("in name spaces of its own: %v\n%s", err, out)
	}
	return false
}

// disk mounts a small disk of its own.
func disk(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	err := syscall.Mount("ward", dir, "tmpfs", 0, "size="+size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := syscall.Unmount(dir, 0)
		if err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill takes all of a disk that is left.
func fill(t *testing.T, dir string) (filler string) {
	t.Helper()
	filler = filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	rand.Read(block)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk was not filled: %v", err)
	}
	return filler
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for start := time.Now(); !done(); time.Sleep(time.Millisecond) {
		if time.Since(start) > recovery {
			t.Fatalf("%s: not within %v", what, recovery)
		}
	}
}

// WRD-AUD-06: where the disk of the database is full nothing more is acknowledged, and
// the log recovers once there is room.
func TestFullDiskOfTheDatabase(t *testing.T) {
	if !mayMount(t) {
		return
	}
	dir, k := disk(t, "2m"), newKeys(t)
	store := openStore(t, filepath.Join(dir, "audit.db"))
	options := k.options(store)
	options.RetryEvery = time.Millisecond
	log := openLog(t, options)
	acked := mustAppend(t, log, sample(0))
	filler := fill(t, dir)
	var err error
	for err == nil { // the write-ahead log may have some room left
		var seq int64
		seq, err = log.Append(t.Context(), sample(0))
		if err == nil {
			acked = seq
		}
	}
	t.Logf("after %d entries: %v", acked+1, err)
	if log.Healthy() == nil {
		t.Error("the log is healthy on a full disk")
	}
	for range 100 {
		_, err := log.Append(t.Context(), sample(0))
		if err == nil {
			t.Fatal("an entry was acknowledged on a full disk")
		}
	}
	_, err = sqlite.Open(filepath.Join(dir, "new.db"))
	if err == nil {
		t.Error("a database was made on a full disk")
	}
	t.Log(err)
	err = os.Remove(filler)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log is healthy again", func() bool { return log.Healthy() == nil })
	if seq := mustAppend(t, log, sample(0)); seq <= acked {
		t.Errorf("entry %d was given again", seq)
	}
	mustVerify(t, store, k.public, "")
	closeAll(t, log, store)
}

// WRD-AUD-03: where the disk of the exported checkpoints is full the log goes on, says
// so, and exports again once there is room. What was exported is not lost.
func TestFullDirectoryOfCheckpoints(t *testing.T) {
	if !mayMount(t) {
		return
	}
	dir, k := disk(t, "64k"), newKeys(t)
	store := openStore(t, filepath.Join(t.TempDir(), "audit.db"))
	options := k.options(store)
	options.Checkpoints, options.CheckpointEvery, options.CheckpointKeep = dirs(dir), time.Millisecond, 2
	log := openLog(t, options)
	mustAppend(t, log, sample(0))
	eventually(t, "the first entry is exported", func() bool { return log.Exported()[0].Size == 1 })
	filler := fill(t, dir)
	eventually(t, "the failure is told", func() bool {
		mustAppend(t, log, sample(0))
		return log.Exported()[0].Err != nil
	})
	t.Log(log.Exported()[0].Err)
	before := log.Exported()[0].Size
	for range 50 {
		mustAppend(t, log, sample(0))
	}
	if exported := log.Exported()[0]; exported.Err == nil || exported.Size > before {
		t.Errorf("on a full disk: %+v", exported)
	}
	mustVerify(t, store, k.public, dir)
	_, err := audit.Open(t.Context(), options)
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Open with a full directory of checkpoints = %v", err)
	}
	err = os.Remove(filler)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is exported again", func() bool { e := log.Exported()[0]; return e.Err == nil && e.Size == log.Size() })
	report := mustVerify(t, store, k.public, dir)
	if report.Newest != report.Entries {
		t.Errorf("report %+v", report)
	}
	closeAll(t, log, store)
}
