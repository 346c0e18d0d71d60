package platform_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim/platform"
)

// A request leaves its kind, what was asked, ids and the names of its headers,
// and never a key, a token or an assertion.
func TestEvidenceHoldsNoSecret(t *testing.T) {
	c := start(t, nil)
	assertion := c.assertion(nil)
	token, _ := c.exchange(assertion).json(t)["access_token"].(string)
	c.get(c.PatientURL()+"/Patient/"+robin, "Authorization", "Bearer "+token, "X-Request-ID", requestID, "NHSD-End-User-Organisation-ODS", "RXX")
	c.lookUp("Device", "organization", organisation+"YES", "identifier", interaction+platform.QueryInteraction)
	c.get("https://" + c.Addr() + "/elsewhere?token=" + token)

	requests := c.Requests()
	text, err := json.Marshal(map[string]any{"requests": requests, "counters": c.Counters()})
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string]string{"a token": token, "a key": apiKey, "an assertion": assertion[:40]} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the evidence holds %s", name)
		}
	}
	if len(requests) != 4 {
		t.Fatalf("%d requests", len(requests))
	}
	asked := requests[1]
	if asked.Service != platform.Patient || asked.NHSNumber != robin || asked.RequestID != requestID || asked.EndUser != "RXX" || asked.Status != 200 ||
		!slices.Contains(asked.Headers, "Authorization") || !slices.Contains(asked.Headers, "X-Request-Id") || asked.Sequence != 2 {
		t.Errorf("%+v", asked)
	}
	looked := requests[2]
	if looked.Service != platform.Device || looked.Organisation != "YES" || looked.Interaction != platform.QueryInteraction || !slices.Contains(looked.Headers, "Apikey") {
		t.Errorf("%+v", looked)
	}
	if requests[3].Service != platform.Other || requests[3].Status != 404 {
		t.Errorf("%+v", requests[3])
	}
}

// The list keeps the newest; the counters count all.
func TestEvidenceIsBounded(t *testing.T) {
	c := start(t, func(cfg *platform.Config) { cfg.KeepRequests = 3 })
	for i := range 5 {
		c.get(fmt.Sprintf("%s/%s.crl", strings.TrimSuffix(c.CRLURL("x"), "/x.crl"), fmt.Sprint("list", i)))
	}
	var names []string
	for _, r := range c.Requests() {
		names = append(names, r.List)
	}
	if !slices.Equal(names, []string{"list2", "list3", "list4"}) || c.Counters().Requests[platform.CRL] != 5 {
		t.Errorf("%v, %d counted", names, c.Counters().Requests[platform.CRL])
	}
}

// Many ask at once while others script, read and reset; every request is
// counted once.
func TestConcurrency(t *testing.T) {
	c := start(t, func(cfg *platform.Config) { cfg.RateLimit = 10_000 })
	token := c.token()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 10 {
				c.patient(robin, token)
			}
		})
		group.Go(func() {
			for range 10 {
				c.token()
				c.lookUp("Endpoint", "organization", organisation+"YES", "identifier", interaction+platform.QueryInteraction)
			}
		})
		group.Go(func() {
			for range 10 {
				c.play(platform.Script{Service: platform.CRL, Steps: []platform.Step{{Behaviour: "http-503", Times: 3}}})
				err := c.SetDirectory(records())
				if err != nil {
					t.Error(err)
				}
				err = c.SetCRL("ca", firstList())
				if err != nil {
					t.Error(err)
				}
				c.get(c.CRLURL("ca"))
				c.Requests()
				c.Directory().LDIF()
			}
		})
	}
	group.Wait()
	counters := c.Counters()
	if counters.PatientsAsked[robin] != 40 || counters.TokensIssued != 41 || counters.Requests[platform.Endpoint] != 40 || counters.Requests[platform.CRL] != 40 {
		t.Errorf("%+v", counters)
	}
}

// Close cuts stalled replies at once and waits for those in progress.
func TestClose(t *testing.T) {
	c := start(t, nil)
	c.play(once(platform.CRL, "hang"))
	var group sync.WaitGroup
	group.Go(func() {
		_, err := c.send("GET", c.CRLURL("ca"), "")
		if err == nil {
			t.Error("a stalled request was answered")
		}
	})
	for c.Counters().Requests[platform.CRL] == 0 {
		time.Sleep(time.Millisecond)
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := c.Close(ctx)
	if err != nil || time.Since(begun) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(begun))
	}
	group.Wait()
}
