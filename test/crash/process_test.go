package crash_test

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
	"testing"
	"time"
)

// build compiles the program that is killed.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "ward")
	out, err := exec.Command("go", "build", "-o", program, "github.com/wardsmsp/ward/cmd/ward").CombinedOutput()
	if err != nil {
		t.Fatalf("build ward: %v\n%s", err, out)
	}
	return program
}

// process is a running `ward serve`.
type process struct {
	command *exec.Cmd
	serving chan struct{} // closed once its log says so
	ended   chan struct{} // closed once its log has ended

	mu   sync.Mutex
	last []string // newest lines of its log
}

func start(t *testing.T, program, config string) (*process, error) {
	p := &process{
		command: exec.Command(program, "serve", "-config", config),
		serving: make(chan struct{}),
		ended:   make(chan struct{}),
	}
	log, err := p.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	err = p.command.Start()
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { p.command.Process.Kill() }) // does nothing to a process that has ended
	go p.follow(log)
	return p, nil
}

// follow reads the program's log, so that it never waits for a reader.
func (p *process) follow(log io.Reader) {
	defer close(p.ended)
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if strings.Contains(lines.Text(), `"event":"provider.started"`) {
			close(p.serving)
		}
		p.mu.Lock()
		p.last = append(p.last[max(0, len(p.last)-19):], lines.Text())
		p.mu.Unlock()
	}
}

// tail is the end of the log.
func (p *process) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.last, "\n")
}

func (p *process) served() bool {
	select {
	case <-p.serving:
		return true
	default:
		return false
	}
}

func (p *process) waitServing() error {
	select {
	case <-p.serving:
		return nil
	case <-p.ended:
		return fmt.Errorf("ward ended before it served:\n%s", p.tail())
	case <-time.After(30 * time.Second):
		return fmt.Errorf("ward did not serve within 30 s:\n%s", p.tail())
	}
}

// kill is SIGKILL: nothing of the program runs after it.
func (p *process) kill() {
	p.command.Process.Kill()
	<-p.ended
	p.command.Wait() // says that it was killed
}

// stop is SIGTERM, after which the program ends in order.
func (p *process) stop() error {
	err := p.command.Process.Signal(syscall.SIGTERM)
	if err != nil {
		return err
	}
	<-p.ended
	err = p.command.Wait()
	if err != nil {
		return fmt.Errorf("ward did not stop in order: %w\n%s", err, p.tail())
	}
	return nil
}

// verify runs `ward audit verify` as a process of its own.
func verify(program, config string) error {
	var out bytes.Buffer
	command := exec.Command(program, "audit", "verify", "-config", config)
	command.Stdout, command.Stderr = &out, &out
	err := command.Run()
	if err != nil {
		return fmt.Errorf("ward audit verify: %w\n%s", err, out.String())
	}
	return nil
}
