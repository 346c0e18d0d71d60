package endtoend_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/pds"
	"github.com/wardsmsp/ward/internal/spinesim/platform"
	"github.com/wardsmsp/ward/internal/stage"
	"github.com/wardsmsp/ward/internal/testpki"
)

// verifying sets the stage of a provider who verifies the client's numbers, by settings of
// the section [pds].
func verifying(t *testing.T, settings string, o stage.Options) *ward {
	t.Helper()
	o.Demographics = true
	if !strings.Contains(settings, "timeout") {
		settings += fmt.Sprintf("\ntimeout = %q", enough)
	}
	w := set(t, o)
	w.configure(t, "[pds]\n", "[pds]\n"+settings+"\n")
	return w
}

// askBorn asks about somebody of a date of birth, or of none that is known.
func (w *ward) askBorn(t *testing.T, c *client.Client, number, born string) client.Result {
	t.Helper()
	q := w.question(t, number)
	if born != "" {
		var err error
		q.BirthDate, err = cpis.ParseBirthDate(born, time.Now())
		must(t, err)
	}
	return c.Ask(t.Context(), q)
}

// verified is what was looked up of a number, without what was of the Spine.
func (w *ward) verified(t *testing.T, r client.Result) []string {
	t.Helper()
	all, _ := w.lookedUp(t, r)
	return verifications(all)
}

func verifications(all []string) (found []string) {
	for _, l := range all {
		of, result, _ := strings.Cut(l, ": ")
		if of == "demographics, verify the NHS number" {
			found = append(found, result)
		}
	}
	return found
}

// asked is how often the demographics service was asked about a number.
func (w *ward) asked(number string) int64 { return w.Platform.Counters().PatientsAsked[number] }

// WRD-PDS-03, WRD-PDS-01, WRD-PDS-06, MSCA-DQ-03: what the demographics service says of
// each of its people, with and without the date of birth. What is not somebody's number is
// never asked about; what is, is asked about under the number that came, and no other.
func TestNumbersAreVerified(t *testing.T) {
	t.Parallel()
	w := verifying(t, "", stage.Options{})
	w.start(t)
	c := w.client(t)
	const wrong = "2001-09-09"
	replacedBy := w.Platform.Person("9990000018").Birth
	withPlanBorn := w.Platform.Person(withPlan).Birth
	cases := []struct {
		about, number, born string
		outcome             cpis.Outcome
		replacement         string
		verification        cpis.Verification
		says                string
	}{
		{"superseded", "9990030014", "", cpis.NumberSuperseded, "9990000018", 0, "the number has been replaced by another one"},
		{"superseded, born as the other", "9990030014", replacedBy, cpis.NumberSuperseded, "9990000018", 0, "the number has been replaced by another one"},
		{"superseded by somebody else's", "9990030014", wrong, cpis.NumberMismatch, "", 0, "the number is of somebody with another date of birth"},
		{"superseded, the other without a record", "9990030022", "", cpis.NumberSuperseded, "9990000034", 0, "the number has been replaced by another one"},
		{"invalidated", "9990030030", "", cpis.NumberInvalidated, "", 0, "the number is no longer in use"},
		{"invalidated, with a birth date", "9990030030", wrong, cpis.NumberInvalidated, "", 0, "the number is no longer in use"},
		{"unknown", "9990030049", "", cpis.NumberUnknown, "", 0, "nobody has the number"},
		{"unknown, with a birth date", "9990030049", wrong, cpis.NumberUnknown, "", 0, "nobody has the number"},
		{"redacted", "9990030073", "", cpis.NumberInvalidated, "", 0, "the number is no longer in use"},
		{"restricted", "9990030057", "", cpis.NoRecord, "", cpis.Verified, "the number is verified"},
		{"restricted, right", "9990030057", "2016-04-09", cpis.NoRecord, "", cpis.Verified, "the number is verified, and so is the date of birth"},
		{"restricted, wrong", "9990030057", wrong, cpis.NumberMismatch, "", 0, "the number is of somebody with another date of birth"},
		{"very restricted", "9990030065", "2014-11-30", cpis.NoRecord, "", cpis.Verified, "the number is verified, and so is the date of birth"},
		{"no birth date there, none given", "9990030081", "", cpis.NoRecord, "", cpis.Verified, "the number is verified"},
		{"no birth date there, one given", "9990030081", wrong, cpis.NoRecord, "", cpis.VerifiedWithoutBirth, "the number is verified without the date of birth, which the service did not give"},
		{"a year alone, right", "9990030103", "2015-12-31", cpis.NoRecord, "", cpis.Verified, "the number is verified, and so is the date of birth"},
		{"a year alone, wrong", "9990030103", "2016-01-01", cpis.NumberMismatch, "", 0, "the number is of somebody with another date of birth"},
		{"a month alone, right", "9990030111", "2015-06-30", cpis.NoRecord, "", cpis.Verified, "the number is verified, and so is the date of birth"},
		{"a month alone, wrong", "9990030111", "2015-07-01", cpis.NumberMismatch, "", 0, "the number is of somebody with another date of birth"},
		{"in use, unknown to CP-IS", "9990030138", "2013-09-17", cpis.NoRecord, "", cpis.Verified, "the number is verified, and so is the date of birth"},
		{"in use, day and month swapped", "9990030138", "2013-09-07", cpis.NumberMismatch, "", 0, "the number is of somebody with another date of birth"},
		{"with a plan", withPlan, "", cpis.Found, "", cpis.Verified, "the number is verified"},
		{"with a plan, right", withPlan, withPlanBorn, cpis.Found, "", cpis.Verified, "the number is verified, and so is the date of birth"},
		{"with a plan, wrong", withPlan, wrong, cpis.NumberMismatch, "", 0, "the number is of somebody with another date of birth"},
	}
	expected := map[string]int64{} // questions to CP-IS, by number
	for _, this := range cases {
		t.Run(this.about, func(t *testing.T) {
			before := w.asked(this.number)
			r := w.askBorn(t, c, this.number, this.born)
			if r.Answer.Outcome() != this.outcome || r.Answer.Replacement().Digits() != this.replacement || r.Answer.Verification() != this.verification {
				t.Errorf("told %s, replacement %q, %s; want %s (%v)", r.Answer.Outcome(), r.Answer.Replacement().Digits(), r.Answer.Verification(), this.outcome, r.Cause)
			}
			if this.outcome == cpis.NoRecord || this.outcome == cpis.Found {
				expected[this.number]++
			} else {
				w.refused(t, r, this.outcome)
			}
			if diff := cmp.Diff([]string{this.says}, w.verified(t, r)); diff != "" {
				t.Errorf("looked up (-want +got):\n%s", diff)
			}
			if n := w.asked(this.number) - before; n != 1 {
				t.Errorf("the demographics service was asked %d times", n)
			}
			w.checkBornNowhere(t, r, this.born)
		})
	}
	if diff := cmp.Diff(expected, w.Simulator.Counters().ByNumber); diff != "" {
		t.Errorf("CP-IS was asked (-want +got):\n%s", diff)
	}
	if n := w.asked("9990000018") + w.asked("9990000034"); n != 0 {
		t.Errorf("a replacement was asked about %d times (MSCA-DQ-03)", n)
	}
	text := w.log.String()
	for _, this := range cases {
		for _, secret := range []string{this.number, this.replacement, this.born} {
			if secret != "" && strings.Contains(text, secret) {
				t.Errorf("the operational log holds %q", secret)
			}
		}
	}
}

// checkBornNowhere fails if the date of birth of a question is in the audit log; what
// CP-IS found is another matter.
func (w *ward) checkBornNowhere(t *testing.T, r client.Result, born string) {
	t.Helper()
	for _, e := range w.transaction(t, r.Correlation) {
		if e.Kind == audit.LookedUp && e.NHSNumber != r.Asked.Digits() && strings.HasPrefix(e.Reason, "demographics") {
			t.Errorf("a look-up about %q", e.NHSNumber)
		}
		detail := string(e.Detail)
		e.Detail = nil
		content, err := json.Marshal(e)
		must(t, err)
		if born != "" && (strings.Contains(string(content), born) || e.Outcome != "found" && strings.Contains(detail, born)) {
			t.Errorf("the audit log holds the date of birth: %s", content)
		}
	}
}

// WRD-PDS-04: whatever the demographics or the token service does, the policy decides, the
// reply says so, and the log too. Refusing never looks like "no record"; going on asks
// once and says that nothing was verified. The service is asked about a number once, and
// once more only after it refused the token.
func TestDemographicsMisbehaves(t *testing.T) {
	t.Parallel()
	policies := []string{"proceed", "refuse"}
	if testing.Short() { // races are looked for, of which refusing has no others
		policies = policies[:1]
	}
	for _, policy := range policies {
		for _, service := range []platform.Service{platform.Patient, platform.Token} {
			t.Run(policy+" "+string(service), func(t *testing.T) {
				t.Parallel()
				w := verifying(t, fmt.Sprintf("timeout = %q\nunavailable = %q", enough, policy), stage.Options{})
				asked, limit := 0, enough
				for _, b := range platform.Behaviours() {
					if len(b.Services) > 0 && !slices.Contains(b.Services, service) {
						continue
					}
					must(t, w.Platform.Play(platform.Script{Service: service, Steps: []platform.Step{{Behaviour: b.Name, Delay: delayOf(b.Name), Every: true}}}))
					if timeFor(b.Name) != limit {
						w.configure(t, fmt.Sprintf("\ntimeout = %q", limit), fmt.Sprintf("\ntimeout = %q", timeFor(b.Name)))
						limit = timeFor(b.Name)
					}
					asked += w.meet(t, policy, service, b.Name)
				}
				w.untouched(t, asked)
				if n := w.Platform.Counters().Requests[platform.Other]; n != 0 {
					t.Errorf("%d redirects were followed", n)
				}
				if strings.Contains(w.log.String(), known) {
					t.Error("the operational log holds the number")
				}
			})
		}
	}
}

// known is somebody with a plan, other than whom the platform's contradictions name.
const known = "9990000018"

// meet asks a provider that has just started, and so makes no pause, while a service
// misbehaves, and returns how often CP-IS was to be asked.
func (w *ward) meet(t *testing.T, policy string, service platform.Service, b platform.Behaviour) int {
	t.Helper()
	w.start(t)
	defer w.stop(t)
	before := w.asked(known)
	r := w.ask(t, w.client(t), known)
	n := w.asked(known) - before
	var limit int64 = 1
	if service == platform.Patient && b == "http-401" {
		limit = 2
	}
	lookUps, outcome := w.lookedUp(t, r) // once: it reads the whole log
	if n > limit || len(verifications(lookUps)) != int(n) {
		t.Errorf("%s: the demographics service was asked %d times, looked up %v", b, n, lookUps)
	}
	switch {
	case service == platform.Patient && b == "http-404": // says what the service says of a number that nobody has
		checkRefused(t, r, outcome, cpis.NumberUnknown)
		return 0
	case harmless(service, b):
		if r.Answer.Outcome() != cpis.Found || r.Answer.Verification() != cpis.Verified {
			t.Errorf("%s: %s, %s", b, r.Answer.Outcome(), outcome.Reason)
		}
		return 1
	case policy == "refuse":
		if r.Answer.Outcome() != cpis.DemographicsFailed {
			t.Errorf("%s: %s, %s", b, r.Answer.Outcome(), outcome.Reason)
		}
		checkRefused(t, r, outcome, cpis.DemographicsFailed)
		return 0
	default:
		if r.Answer.Outcome() != cpis.Found || r.Answer.Verification() != cpis.Unverified || !strings.Contains(outcome.Reason, pds.RemarkUnverified+": ") {
			t.Errorf("%s: %s, %s, %s", b, r.Answer.Outcome(), r.Answer.Verification(), outcome.Reason)
		}
		return 1
	}
}

// harmless are the behaviours that keep nobody from verifying a number.
func harmless(service platform.Service, b platform.Behaviour) bool {
	switch b {
	case platform.AsHeld, "slow-drip":
		return true
	case "no-security":
		return true
	case "wrong-media-type", "expires-in-number":
		return service == platform.Token
	default:
		return false
	}
}

// A token that was revoked is renewed once, and the number is asked about again; both
// requests are recorded.
func TestRevokedTokenIsRenewed(t *testing.T) {
	t.Parallel()
	w := verifying(t, "", stage.Options{})
	w.start(t)
	c := w.client(t)
	w.found(t, c)
	w.Platform.RevokeTokens()
	r := w.found(t, c)
	if diff := cmp.Diff([]string{string(pds.TokenRefused), "the number is verified"}, w.verified(t, r)); diff != "" {
		t.Errorf("looked up (-want +got):\n%s", diff)
	}
	if n := w.Platform.Counters(); n.TokensIssued != 2 || w.asked(withPlan) != 3 || r.Answer.Verification() != cpis.Verified {
		t.Errorf("%d tokens, %d requests, %s", n.TokensIssued, w.asked(withPlan), r.Answer.Verification())
	}
	w.untouched(t, 2)
}

// WRD-PDS-04: after the service asked for a pause nobody asks it, and the policy decides.
func TestPauseOfTheDemographicsService(t *testing.T) {
	t.Parallel()
	w := verifying(t, "", stage.Options{}) // refuse is the default
	w.start(t)
	c := w.client(t)
	must(t, w.Platform.Play(platform.Script{Service: platform.Patient, Steps: []platform.Step{{Behaviour: "http-429", RetryAfter: time.Minute}}}))
	for range 3 {
		w.refused(t, w.ask(t, c, withPlan), cpis.DemographicsFailed)
	}
	if n := w.asked(withPlan); n != 1 {
		t.Errorf("it was asked %d times in its pause", n)
	}
	w.untouched(t, 0)
}

// Nothing is verified unless a client's entry says so, and then for that client alone.
func TestVerifyingIsEachClientsOwn(t *testing.T) {
	t.Parallel()
	t.Run("off by default", func(t *testing.T) {
		t.Parallel()
		w := start(t, stage.Options{Directory: "fhir"}) // the platform is there
		r := w.askBorn(t, w.client(t), withPlan, "2001-09-09")
		n := w.Platform.Counters().Requests
		if r.Answer.Outcome() != cpis.Found || r.Answer.Verification() != cpis.NotVerifying || n[platform.Token]+n[platform.Patient] != 0 {
			t.Errorf("%s, %s, requests %v", r.Answer.Outcome(), r.Answer.Verification(), n)
		}
	})
	t.Run("another client", func(t *testing.T) {
		t.Parallel()
		w := verifying(t, "", stage.Options{})
		w.start(t)
		c, err := client.New(client.Config{
			URL: w.settings.URL, Username: stage.OtherUsername, Organisation: "RYY", Provider: w.settings.Provider,
			TLS: w.as(t, w.Authority, testpki.Request{CommonName: "maternity.example.invalid", DNSNames: []string{"maternity.example.invalid"}}),
		})
		must(t, err)
		t.Cleanup(c.Close)
		q := w.question(t, withPlan)
		author := q.Author.(cpis.System)
		author.ASID, author.Maintaining.ID.Extension = "200000000389", "RYY"
		q.Author = author
		q.AuditIdentities = []cpis.AuditIdentity{{Type: q.AuditIdentities[0].Type, URI: "urn:nhs-uk:identity:ods:RYY:midwife-7"}}
		r := c.Ask(t.Context(), q)
		if r.Answer.Outcome() != cpis.Found || r.Answer.Verification() != cpis.NotVerifying || w.asked(withPlan) != 0 {
			t.Errorf("%s, %s, %v", r.Answer.Outcome(), r.Answer.Verification(), r.Cause)
		}
		if r := w.found(t, w.client(t)); r.Answer.Verification() != cpis.Verified || w.asked(withPlan) != 1 {
			t.Errorf("%s; the demographics service was asked %d times", r.Answer.Verification(), w.asked(withPlan))
		}
	})
}
