package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a program that the bench started, with its children.
type process struct {
	name  string
	log   string // path of what it says
	cmd   *exec.Cmd
	ended chan struct{}
}

// start runs a program, bound to cores unless they are empty.
func (s *scene) start(cores, name string, args ...string) (*process, error) {
	if cores != "" {
		args = append([]string{"taskset", "-c", cores}, args...)
	}
	p := &process{name: name, log: s.path(name + ".log"), cmd: exec.Command(args[0], args[1:]...), ended: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd.Stdout, p.cmd.Stderr = log, log
	err = p.cmd.Start()
	if err != nil {
		return nil, fmt.Errorf("%s does not start: %w", name, err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// patience is how long a process may take to begin and to end.
const patience = 20 * time.Second

// stop ends the process in good order, or after a while without.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.cmd.Process.Kill()
		<-p.ended
	}
}

// listening waits until the address takes connections.
func (p *process) listening(ctx context.Context, address string) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return c.Close()
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended at once:\n%s", p.name, p.lastWords())
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
	}
	return fmt.Errorf("%s does not listen at %s:\n%s", p.name, address, p.lastWords())
}

func (p *process) lastWords() []byte {
	said, err := os.ReadFile(p.log)
	if err != nil {
		return nil
	}
	return said[max(0, len(said)-2000):]
}

// pids are those of the process and of its direct children: nginx has workers.
func (p *process) pids() []int {
	all := []int{p.cmd.Process.Pid}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		fields := statFields(pid)
		if err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(p.cmd.Process.Pid) {
			all = append(all, pid)
		}
	}
	return all
}

// statFields are the fields of /proc/PID/stat that follow the name.
func statFields(pid int) []string {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(content[bytes.LastIndexByte(content, ')')+1:]))
}

// tick is the unit of times in /proc/PID/stat, the same on every Linux that Go
// runs on.
const tick = 10 * time.Millisecond

// processorTime is what the process and its children have used, in user and kernel
// mode.
func (p *process) processorTime() time.Duration {
	var ticks int64
	for _, pid := range p.pids() {
		fields := statFields(pid)
		for _, i := range []int{11, 12} {
			if i < len(fields) {
				n, _ := strconv.ParseInt(fields[i], 10, 64)
				ticks += n
			}
		}
	}
	return time.Duration(ticks) * tick
}

// memory is the resident memory of a process and its children in bytes: now, and
// at its highest.
type memory struct{ now, highest int64 }

func (p *process) memory() memory {
	var m memory
	for _, pid := range p.pids() {
		content, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		m.now += kilobytes(string(content), "VmRSS:") << 10
		m.highest += kilobytes(string(content), "VmHWM:") << 10
	}
	return m
}

// kilobytes reads one line of a file such as /proc/PID/status; 0 if it has none.
func kilobytes(content, key string) int64 {
	_, rest, _ := strings.Cut("\n"+content, "\n"+key)
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(fields[0], 10, 64)
	return n
}

// ownProcessorTime is that of this process, the load generator.
func ownProcessorTime() time.Duration {
	var usage syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	if err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
