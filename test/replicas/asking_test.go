//go:build postgres

package replicas_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
)

// told is what came of a question to one instance about a generated child.
type told struct {
	instance int
	child    spinesim.ChildView
	result   client.Result
	took     time.Duration
}

// asking asks the instances of a cluster, about each child once, and keeps what it is
// told.
type asking struct {
	clients  []*client.Client // one for each instance
	settings *config.ClientSettings
	children []spinesim.ChildView
	next     atomic.Int64 // child
	running  sync.WaitGroup

	mu  sync.Mutex
	all []told
}

func newAsking(t *testing.T, c *cluster) *asking {
	t.Helper()
	a := &asking{}
	for _, each := range c.instances {
		asker, settings, err := each.Asker()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(asker.Close)
		a.clients, a.settings = append(a.clients, asker), settings
	}
	for _, child := range c.stage.Children(0) {
		if strings.HasPrefix(child.Situation, "generated") {
			a.children = append(a.children, child)
		}
	}
	return a
}

// ask asks an instance about the next child.
func (a *asking) ask(instance int) told {
	child := a.children[a.next.Add(1)-1]
	number, err := cpis.ParseNHSNumber(child.NHSNumber)
	if err != nil {
		panic(err) // the simulator made it
	}
	began := time.Now()
	r := a.clients[instance].Ask(context.Background(), client.Question{
		Number: number, Author: a.settings.Author, AuditIdentities: a.settings.AuditIdentities,
	})
	one := told{instance, child, r, time.Since(began)}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, one)
	return one
}

// burst asks an instance many questions at once, and returns at once.
func (a *asking) burst(instance, questions int) {
	for range questions {
		a.running.Go(func() { a.ask(instance) })
	}
}

// over asks an instance over some connections, one question after the other, and
// returns at once.
func (a *asking) over(instance, connections, questions int) {
	for range connections {
		a.running.Go(func() {
			for range questions {
				a.ask(instance)
			}
		})
	}
}

// until asks an instance over some connections until stop is closed, and returns at
// once.
func (a *asking) until(stop <-chan struct{}, instance, connections int) {
	for range connections {
		a.running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if a.ask(instance).result.Answer.Outcome() != cpis.Found {
					time.Sleep(50 * time.Millisecond) // lest a long outage takes all children
				}
			}
		})
	}
}

// found counts the answers of an instance until now.
func (a *asking) found(instance int) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, each := range a.all {
		if each.instance == instance && each.result.Answer.Outcome() == cpis.Found {
			n++
		}
	}
	return n
}

// end waits until all are told, and returns what they were since the last end.
func (a *asking) end() []told {
	a.running.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.all
	a.all = nil
	return all
}

// right checks that each question was answered with what is held about its child.
func right(t *testing.T, all []told) {
	t.Helper()
	for _, each := range all {
		for _, difference := range stage.Differences(each.child, each.result) {
			t.Errorf("instance %d, after %v: %s", each.instance+1, each.took, difference)
		}
	}
}

// of is what one instance told.
func of(instance int, all []told) (list []told) {
	for _, each := range all {
		if each.instance == instance {
			list = append(list, each)
		}
	}
	return list
}

// answersOf are the answers that the log has to hold.
func answersOf(all []told) (list []answer) {
	for _, each := range all {
		if each.result.Answer.Outcome() == cpis.Found {
			list = append(list, answer{
				correlation: each.result.Correlation,
				messageID:   each.result.MessageID,
				number:      each.child.NHSNumber,
				code:        cpis.Codes{}.Of(cpis.Found),
			})
		}
	}
	return list
}
