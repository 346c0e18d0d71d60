package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
)

// Names of the contenders.
const (
	nameWard         = "Ward"
	nameReverseProxy = "ReverseProxy"
	nameNginx        = "nginx"
)

// contender is a program between the load generator and the simulator.
type contender struct {
	name    string
	address string
	request *form
	success []byte // is in every answer that counts
	process *process
}

func (s *scene) startContender(ctx context.Context, name string) (*contender, error) {
	c := &contender{name: name, request: s.passed, success: []byte("REPC_IN000007GB01")}
	var err error
	switch name {
	case nameWard:
		c.address, c.request, c.success = s.stage.Address, s.question, []byte(`"SMSP-0000"`)
		c.process, err = s.startWard(ctx, s.cores.contender)
	case nameReverseProxy:
		c.address, c.process, err = s.startReverseProxy(ctx)
	case nameNginx:
		c.address, c.process, err = s.startNginx(ctx)
	default:
		err = fmt.Errorf("%q is not a contender", name)
	}
	return c, err
}

func (s *scene) startWard(ctx context.Context, cores string) (*process, error) {
	p, err := s.start(cores, "ward", s.path("ward"), "serve", "-config", s.stage.WardConfig())
	if err != nil {
		return nil, err
	}
	return p, p.ready(ctx, s.stage.Address)
}

func (s *scene) startSimulator(ctx context.Context) (*process, error) {
	return s.startSimulatorBy(ctx, "spinesim.toml")
}

// startSimulatorBy starts it with a configuration file of the scene.
func (s *scene) startSimulatorBy(ctx context.Context, file string) (*process, error) {
	p, err := s.start(s.cores.others, "spinesim", s.path("spinesim"), "-config", s.path(file))
	if err != nil {
		return nil, err
	}
	return p, p.ready(ctx, s.simulatorAddress)
}

// ready waits until the process listens, or stops it.
func (p *process) ready(ctx context.Context, address string) error {
	err := p.listening(ctx, address)
	if err != nil {
		p.stop()
	}
	return err
}

// compare runs every contender in every round, in turn, so that a machine that
// drifts does so for all of them.
func compare(ctx context.Context, s *scene, r *report) error {
	if slices.Contains(s.options.contenders, nameNginx) {
		_, err := exec.LookPath(nginxProgram)
		if err != nil {
			return fmt.Errorf("%s is missing: install the package nginx, for the comparison with it", nginxProgram)
		}
	}
	simulator, err := s.startSimulator(ctx)
	if err != nil {
		return err
	}
	defer simulator.stop()
	err = s.warmChildren(ctx)
	if err != nil {
		return err
	}
	var contenders []*contender
	for _, name := range s.options.contenders {
		c, err := s.startContender(ctx, name)
		if err != nil {
			return err
		}
		defer c.process.stop()
		contenders = append(contenders, c)
		r.results = append(r.results, result{name: name})
	}
	s.ward5, s.ward25, err = s.examples(ctx, s.stage.Address, s.question)
	if err != nil {
		return err
	}
	for range s.options.rounds {
		for i, c := range contenders {
			l := &load{scene: s, contender: c, simulator: simulator, connections: s.options.connections, seconds: s.options.seconds, least: int64(100 * s.options.connections)}
			sample, err := l.run(ctx)
			if err != nil {
				return err
			}
			r.results[i].samples = append(r.results[i].samples, sample)
		}
	}
	r.sizes = sizes{
		question: len(s.question.content), passed: len(s.passed.content),
		ward5: len(s.ward5), ward25: len(s.ward25), spine5: len(s.spine5), spine25: len(s.spine25),
	}
	return nil
}

// warmChildren asks the simulator about every child, so that each history has its
// length from the first measured question on.
func (s *scene) warmChildren(ctx context.Context) error {
	c, err := s.dial(ctx, s.simulatorAddress)
	if err != nil {
		return err
	}
	defer c.close()
	request := s.passed.copyFor()
	for _, child := range s.children {
		status, body, err := c.exchange(request.fill(s.count.Add(1), child.number))
		if err != nil {
			return err
		}
		if n := bytes.Count(body, []byte("<pertinentCP-ISNHSQuery>")); status != 200 || n != child.accesses {
			return fmt.Errorf("the simulator answers %d with %d accesses where %d were set up: %.600s", status, n, child.accesses, body)
		}
	}
	s.spine5, s.spine25, err = s.examples(ctx, s.simulatorAddress, s.passed)
	return err
}

// examples are the bodies of the answers about a child with few accesses and about
// one with many.
func (s *scene) examples(ctx context.Context, address string, t *form) (few, most []byte, err error) {
	c, err := s.dial(ctx, address)
	if err != nil {
		return nil, nil, err
	}
	defer c.close()
	request := t.copyFor()
	for _, child := range s.children[:4] {
		_, body, err := c.exchange(request.fill(s.count.Add(1), child.number))
		if err != nil {
			return nil, nil, err
		}
		if child.accesses == fewAccess {
			few = bytes.Clone(body)
		} else {
			most = bytes.Clone(body)
		}
	}
	return few, most, nil
}
