package stage

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Build compiles the program `ward` into a folder and returns its path. It needs the
// go command.
func Build(dir string) (string, error) {
	program := filepath.Join(dir, "ward")
	out, err := exec.Command("go", "build", "-o", program, "github.com/wardsmsp/ward/cmd/ward").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build ward: %w\n%s", err, out)
	}
	return program, nil
}

// Process is a running `ward serve`: the provider in a process of its own.
type Process struct {
	command *exec.Cmd
	serving chan struct{} // closed once its log says so
	ended   chan struct{} // closed once its log has ended

	mu     sync.Mutex
	last   []string       // newest lines of its log
	events map[string]int // how often each event was logged
}

// StartProcess starts the program at a path with the configuration of this stage.
// Kill or Stop must follow.
func (s *Stage) StartProcess(program string) (*Process, error) {
	p := &Process{
		command: exec.Command(program, "serve", "-config", s.WardConfig()),
		serving: make(chan struct{}),
		ended:   make(chan struct{}),
		events:  map[string]int{},
	}
	log, err := p.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	err = p.command.Start()
	if err != nil {
		return nil, err
	}
	go p.follow(log)
	return p, nil
}

// PID is the number of the process.
func (p *Process) PID() int { return p.command.Process.Pid }

// follow reads the program's log, so that it never waits for a reader.
func (p *Process) follow(log io.Reader) {
	defer close(p.ended)
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		_, after, _ := strings.Cut(lines.Text(), `"event":"`)
		event, _, _ := strings.Cut(after, `"`)
		if event == "provider.started" {
			close(p.serving)
		}
		p.mu.Lock()
		p.events[event]++
		p.last = append(p.last[max(0, len(p.last)-19):], lines.Text())
		p.mu.Unlock()
	}
	io.Copy(io.Discard, log) // after a line that is too long
}

// Logged is how often the program has logged an event.
func (p *Process) Logged(event string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.events[event]
}

// Tail is the end of the log.
func (p *Process) Tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.last, "\n")
}

// Served reports whether the program has served.
func (p *Process) Served() bool {
	select {
	case <-p.serving:
		return true
	default:
		return false
	}
}

// WaitServing waits, for 30 s at most, until the program serves.
func (p *Process) WaitServing() error {
	select {
	case <-p.serving:
		return nil
	case <-p.ended:
		return fmt.Errorf("ward ended before it served:\n%s", p.Tail())
	case <-time.After(30 * time.Second):
		return fmt.Errorf("ward did not serve within 30 s:\n%s", p.Tail())
	}
}

// Kill is SIGKILL: nothing of the program runs after it. It may be repeated.
func (p *Process) Kill() {
	p.command.Process.Kill()
	<-p.ended
	p.command.Wait() // says that it was killed
}

// Stop is SIGTERM, after which the program ends in order.
func (p *Process) Stop() error {
	err := p.command.Process.Signal(syscall.SIGTERM)
	if err != nil {
		return err
	}
	<-p.ended
	err = p.command.Wait()
	if err != nil {
		return fmt.Errorf("ward did not stop in order: %w\n%s", err, p.Tail())
	}
	return nil
}

// Verify runs `ward audit verify` as a process of its own.
func (s *Stage) Verify(program string) error {
	var out bytes.Buffer
	command := exec.Command(program, "audit", "verify", "-config", s.WardConfig())
	command.Stdout, command.Stderr = &out, &out
	err := command.Run()
	if err != nil {
		return fmt.Errorf("ward audit verify: %w\n%s", err, out.String())
	}
	return nil
}
