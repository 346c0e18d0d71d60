package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// machine is what the figures are figures of.
type machine struct {
	processor  string
	cores      int
	memory     string
	virtual    bool
	system     string
	kernel     string
	goVersion  string
	nginx      string
	revision   string
	load       string // average, before anything ran
	fileSystem string // of the audit log
	device     string
	fsync      []time.Duration // of 4 KiB appended, sorted
	volatile   bool            // the file system is memory
}

func describeMachine(ctx context.Context, s *scene) (machine, error) {
	cpu := content("/proc/cpuinfo")
	m := machine{
		processor: field(cpu, "model name"),
		cores:     runtime.NumCPU(),
		memory:    fmt.Sprintf("%d MiB", kilobytes(content("/proc/meminfo"), "MemTotal:")>>10),
		virtual:   strings.Contains(field(cpu, "flags"), "hypervisor"),
		system:    strings.Trim(after(content("/etc/os-release"), "PRETTY_NAME="), `"`),
		kernel:    strings.TrimSpace(content("/proc/sys/kernel/osrelease")),
		goVersion: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH,
		nginx:     "not there",
		load:      loadAverage(),
	}
	said, err := exec.CommandContext(ctx, nginxProgram, "-v").CombinedOutput()
	if err == nil {
		m.nginx = strings.TrimSpace(strings.TrimPrefix(string(said), "nginx version: "))
	}
	m.revision = revision(ctx, s.root)
	m.findFileSystem(s.dir)
	m.fsync, err = measureFsync(s.dir, 100)
	return m, err
}

func content(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(text)
}

// field is the value of the first "name : value" line.
func field(text, name string) string {
	line := after(text, name)
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), ":"))
}

// after is the rest of the first line that begins with prefix.
func after(text, prefix string) string {
	_, rest, _ := strings.Cut("\n"+text, "\n"+prefix)
	line, _, _ := strings.Cut(rest, "\n")
	return line
}

func loadAverage() string {
	fields := strings.Fields(content("/proc/loadavg"))
	return strings.Join(fields[:min(3, len(fields))], " ")
}

func revision(ctx context.Context, root string) string {
	said, err := exec.CommandContext(ctx, "git", "-C", root, "describe", "--always", "--dirty", "--abbrev=12").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(said))
}

// findFileSystem takes the mount that has the longest path above the folder.
func (m *machine) findFileSystem(dir string) {
	longest := ""
	for line := range strings.Lines(content("/proc/mounts")) {
		fields := strings.Fields(line)
		if len(fields) < 3 || len(fields[1]) < len(longest) || !strings.HasPrefix(dir+"/", strings.TrimSuffix(fields[1], "/")+"/") {
			continue
		}
		longest = fields[1]
		m.device, m.fileSystem = fields[0], fields[2]
	}
	m.volatile = m.fileSystem == "tmpfs" || m.fileSystem == "ramfs"
}

// durability says in a sentence what an fsync is worth here.
func (m machine) durability() string {
	if m.volatile {
		return "fsync is NOT real: the file system is memory, and the durability of the log costs nothing here"
	}
	cache := strings.TrimSpace(content("/sys/class/block/" + filepath.Base(m.device) + "/queue/write_cache"))
	sentence := "fsync reaches the device"
	switch cache {
	case "write back":
		sentence += ", which says that it has a write-back cache, so that the kernel has it flushed each time"
	case "write through":
		sentence += ", which says that it has no volatile cache, so that the kernel flushes nothing"
	}
	if m.virtual {
		sentence += "; whether the host of this virtual machine keeps what it says cannot be seen from here"
	}
	return sentence
}

// measureFsync appends 4 KiB and waits for the disc, n times.
func measureFsync(dir string, n int) ([]time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	block := make([]byte, 4<<10)
	times := make([]time.Duration, 0, n)
	for range n {
		began := time.Now()
		_, err = f.Write(block)
		if err == nil {
			err = f.Sync()
		}
		if err != nil {
			return nil, err
		}
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	return times, nil
}
