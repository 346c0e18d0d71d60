//go:build postgres

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/postgres"
	"github.com/wardsmsp/ward/internal/pgtest"
)

// WRD-AUD-06: the connection is cut at each message of a commit in turn, and of what
// goes before it, sent or received, before it and in the middle of it. What was
// acknowledged is there, and the log goes on by itself.
func TestConnectionCutAtEachMessageOfACommit(t *testing.T) {
	k, direct := newKeys(t), database(t)
	proxy, err := server.Proxy()
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	url, err := proxy.URL(direct)
	if err != nil {
		t.Fatal(err)
	}
	store := open(t, url, "ward-1")
	log := openLog(t, k.options(store, "ward-1"))
	acknowledged := map[string]bool{}
	tried := 0
	appends := func() bool {
		tried++
		correlation := fmt.Sprint("c", tried)
		_, err := log.AppendOnce(t.Context(), entry(audit.Intent, correlation), audit.Claim{Client: "ed", IDs: []string{correlation}, Until: time.Now()})
		if err == nil {
			acknowledged[correlation] = true
		}
		return err == nil
	}
	cuts, unknown := 0, 0
	for _, fromClient := range []bool{true, false} {
		for at := int64(0); ; at++ {
			for !appends() { // the connections and their prepared statements are there again
				time.Sleep(10 * time.Millisecond)
			}
			size := log.Size()
			var passed atomic.Int64
			proxy.Allow(func(m pgtest.Message) int {
				switch {
				case m.FromClient != fromClient || passed.Add(1) != at+1:
					return pgtest.Whole
				case at%2 == 0:
					return 0
				default:
					return m.Size / 2
				}
			})
			good := appends()
			proxy.Allow(nil)
			if passed.Load() <= at {
				break // beyond the last message
			}
			cuts++
			direct, err := postgres.OpenReadOnly(t.Context(), direct)
			if err != nil {
				t.Fatal(err)
			}
			head, err := direct.Head(t.Context())
			direct.Close()
			if err != nil {
				t.Fatal(err)
			}
			if !good && head.Size > size {
				unknown++
			}
		}
	}
	for !appends() {
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("%d cuts, after %d of which the entry was there without being acknowledged", cuts, unknown)
	if cuts < 30 || unknown == 0 {
		t.Error("the cuts missed the commits")
	}
	report, err := audit.Verify(t.Context(), store, k.public, origin, nil)
	if err != nil {
		t.Fatal(err)
	}
	for record, err := range log.Entries(t.Context(), 0, report.Entries) {
		if err != nil {
			t.Fatal(err)
		}
		delete(acknowledged, record.Entry.Correlation)
	}
	if len(acknowledged) > 0 {
		t.Errorf("%d acknowledged entries are lost", len(acknowledged))
	}
}

// WRD-AUD-06: a caller that stops waiting once a group is on its way leaves no doubt
// about its end.
func TestCommitUnderWayIsNotCancelled(t *testing.T) {
	proxy, err := server.Proxy()
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	url, err := proxy.URL(database(t))
	if err != nil {
		t.Fatal(err)
	}
	store := open(t, url, "ward-1")
	commit := func(ctx context.Context, seq int64) error {
		return audittest.Commit(ctx, store, audit.Group{Base: seq, Rows: []audit.Row{{Seq: seq, Leaf: []byte("l")}}, Checkpoint: []byte("c")})
	}
	err = commit(t.Context(), 0) // prepares the statements
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	syncs := 0
	proxy.Allow(func(m pgtest.Message) int {
		if m.FromClient && m.Type == 'S' {
			syncs++
		}
		if syncs == 2 {
			cancel()
			time.Sleep(20 * time.Millisecond)
		}
		return pgtest.Whole
	})
	err = commit(ctx, 1)
	if err != nil || ctx.Err() == nil {
		t.Errorf("Commit that was cancelled on its way = %v after %d journeys", err, syncs)
	}
}

// crash stops the server once there is a load on it, and starts it again once every log
// has noticed. It returns when there is a load again.
func crash(logs []*audit.Log) error {
	grown := func() error {
		size := logs[0].Size()
		return await("a load", func() bool { return logs[0].Size() > size+200 })
	}
	err := grown()
	if err != nil {
		return err
	}
	err = server.Stop()
	for _, log := range logs {
		err = errors.Join(err, await("a log that noticed", func() bool { return log.Healthy() != nil }))
	}
	err = errors.Join(err, server.Resume())
	if err != nil {
		return err
	}
	return grown()
}

// WRD-AUD-06: a crash of the server under load loses nothing that was acknowledged,
// and the log goes on by itself when it is back.
func TestServerCrashesUnderLoad(t *testing.T) {
	k, url := newKeys(t), database(t)
	var logs []*audit.Log
	for i := range 2 {
		name := fmt.Sprint("ward-", i)
		logs = append(logs, openLog(t, k.options(open(t, url, name), name)))
	}
	var over atomic.Bool
	crashed := make(chan error, 1)
	go func() {
		defer over.Store(true)
		crashed <- crash(logs)
	}()
	acknowledged, failures := storm(t, logs, 8, over.Load)
	err := <-crashed
	if err != nil {
		t.Fatal(err)
	}
	if len(failures) == 0 {
		t.Error("the crash was not noticed")
	}
	for _, log := range logs {
		for log.Healthy() != nil {
			time.Sleep(50 * time.Millisecond)
		}
	}
	reader, err := postgres.OpenReadOnly(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	report, err := audit.Verify(t.Context(), reader, k.public, origin, nil)
	if err != nil {
		t.Fatal(err)
	}
	if report.Entries < acknowledged || report.Entries > acknowledged+int64(len(failures)) {
		t.Errorf("%d entries were acknowledged and %d not, the store holds %d", acknowledged, len(failures), report.Entries)
	}
	t.Logf("%d acknowledged, %d not, %d held", acknowledged, len(failures), report.Entries)
}
