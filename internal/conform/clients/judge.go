package clients

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wardsmsp/ward/internal/conform"
	"github.com/wardsmsp/ward/internal/itk"
)

// Confirmations are what a person saw on the screens of the client.
type Confirmations struct {
	Tester string            // name and role
	Seen   []string          // ids of the screens that were as they had to be
	Wrong  map[string]string // id of a screen that was not, and what it showed
}

// Report judges what was seen until Stop.
func (r *Run) Report(c Confirmations) conform.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	report := conform.Report{
		Suite: "client", Subject: r.config.Subject, Tool: r.config.Tool, Started: r.started, Finished: r.finished,
		Results: []conform.Result{r.judgeTLS(), r.judgeHTTP()},
	}
	report.Results = append(report.Results, r.judgeRules()...)
	report.Results = append(report.Results, r.judgeContent()...)
	for i := range r.situations {
		report.Results = append(report.Results, r.judgeSituation(i))
	}
	for i := range r.situations {
		report.Results = append(report.Results, r.judgeScreen(i, c))
	}
	return report
}

func (r *Run) judgeTLS() conform.Result {
	result := conform.Result{
		ID: "mutual-tls", Group: "Connections", Title: "The client connects.", Requirements: []string{"WRD-IAM-01", "WRD-IAM-06"},
		Want: "each connection is TLS 1.2 or 1.3 with the registered client certificate", Status: conform.Failed,
	}
	c := r.connections
	unidentified := c.begun - c.identified
	var versions []string
	for _, version := range c.versions {
		versions = append(versions, tls.VersionName(version))
	}
	switch {
	case c.begun == 0:
		result.Status, result.Got = conform.NotRun, "nothing connected"
	case c.old > 0:
		result.Got = fmt.Sprintf("%d of %d connections offered nothing above TLS 1.1", c.old, c.begun)
	case unidentified > 0:
		result.Got = fmt.Sprintf("%d of %d connections came without a certificate that can be trusted, or were given up during the handshake", unidentified, c.begun)
	case c.strangers > 0:
		result.Got = fmt.Sprintf("%d requests came with a certificate other than the registered one", c.strangers)
	default:
		result.Status, result.Got = conform.Passed, fmt.Sprintf("%d connections, %s", c.begun, strings.Join(versions, " and "))
	}
	return result
}

func (r *Run) judgeHTTP() conform.Result {
	result := conform.Result{
		ID: "http-request", Group: "Connections", Title: "The client sends an HTTP request.", Requirements: []string{"WRD-MSG-01", "WRD-MSG-25"},
		Want: "a POST to the agreed path, of text/xml, without Content-Encoding, within the limit of size",
	}
	if r.unjudged() > 0 {
		result.Status = conform.Failed
		result.Got = fmt.Sprintf("%d requests were not judged: no more than %d at a time and %d in all are read", r.unjudged(), cap(r.places), maxMessages)
		return result
	}
	return r.each(result, func(m message) (bool, string) {
		if m.form == "" && m.unread {
			return false, fmt.Sprintf("refused with HTTP %d", m.status)
		}
		return m.form == "", m.form
	})
}

// unjudged is how many requests came of which nothing is known.
func (r *Run) unjudged() int { return r.turnedAway + r.underWay }

// each is a result about every message: failed if one is wrong, with what is wrong
// with the first.
func (r *Run) each(result conform.Result, right func(message) (bool, string)) conform.Result {
	wrong, first := 0, ""
	for _, m := range r.messages {
		ok, why := right(m)
		if ok {
			continue
		}
		if wrong == 0 {
			first = "first at " + clock(m.at) + ": " + why
		}
		wrong++
	}
	switch {
	case wrong > 0:
		result.Status, result.Got = conform.Failed, fmt.Sprintf("%d of %d messages were wrong, %s", wrong, len(r.messages), first)
	case len(r.messages) == 0:
		result.Got = "no message came"
	default:
		result.Status, result.Got = conform.Passed, fmt.Sprintf("so it was with all %d messages", len(r.messages))
	}
	return result
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// judgeRules has one result for each rule of package itk. A message that broke a rule
// was not judged by the rules after it.
func (r *Run) judgeRules() []conform.Result {
	ids := itk.RuleIDs()
	var results []conform.Result
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			continue // the second part of a rule
		}
		d := demands[id]
		result := conform.Result{
			ID: id + "-" + d.name, Group: "Messages", Title: "The client's messages are judged by rule " + id + ".",
			Requirements: d.requirements, Want: d.want,
		}
		results = append(results, r.judgeRule(result, ids, id))
	}
	return results
}

func (r *Run) judgeRule(result conform.Result, ids []string, id string) conform.Result {
	last := len(ids) - 1
	for ids[last] != id {
		last--
	}
	kept, broken, first := 0, 0, ""
	for _, m := range r.messages {
		switch {
		case m.unread:
		case m.broken > last:
			kept++
		case m.broken >= 0 && ids[m.broken] == id:
			if broken == 0 {
				first = "first at " + clock(m.at) + ": " + m.diagnostic
			}
			broken++
		}
	}
	switch {
	case broken > 0:
		result.Status, result.Got = conform.Failed, fmt.Sprintf("broken by %d of %d messages, %s", broken, len(r.messages), first)
	case kept > 0:
		result.Status, result.Got = conform.Passed, fmt.Sprintf("kept by %d messages", kept)
	case len(r.messages) > 0:
		result.Got = "not judged: every message broke a rule that comes before"
	default:
		result.Got = "no message came"
	}
	return result
}

// judgeContent is about what the rules of package itk let be: the payload, who asks,
// and what Ward tolerates but a message must not have.
func (r *Run) judgeContent() []conform.Result {
	kept := func(m message) bool { return !m.unread && m.broken >= len(itk.RuleIDs()) }
	judged := func(id, title, want string, requirements []string, right func(message) (bool, string)) conform.Result {
		result := conform.Result{ID: id, Group: "Messages", Title: title, Want: want, Requirements: requirements}
		if !slices.ContainsFunc(r.messages, kept) {
			result.Got = "not judged: no message kept all rules"
			return result
		}
		return r.each(result, func(m message) (bool, string) {
			if !kept(m) {
				return true, ""
			}
			return right(m)
		})
	}
	return []conform.Result{
		judged("N34-payload", "The client's payloads are judged.", "The payload is a valid QUPC_MT000006GB01.", []string{"WRD-MSG-05", "WRD-VAL-13"},
			func(m message) (bool, string) { return m.invalid == "", m.invalid }),
		judged("N36-author", "The author is compared with the registered client.", "The author's organisation, ASID and user are those of the client and of the audit identity.",
			[]string{"WRD-IAM-03", "WRD-IAM-17", "WRD-IAM-19"}, func(m message) (bool, string) { return m.author == "", m.author }),
		judged("N32-fresh-ids", "The ids of all messages are compared.", "No message id, tracking id or query id stands in two messages.",
			[]string{"WS-ADR-01a", "WRD-VAL-16", "H-21"}, func(m message) (bool, string) { return m.reused == "", "an earlier message had the same " + m.reused }),
		judged("plain-message-id", "The form of wsa:MessageID is looked at.", "wsa:MessageID is an upper-case UUID without a prefix.",
			[]string{"WS-ADR-01a"}, func(m message) (bool, string) { return m.plainID, "it has a prefix or lower-case letters" }),
		judged("no-schema-location", "The message is searched for the place of a schema.", "No message uses xsi:schemaLocation.",
			[]string{"WS-STD-04"}, func(m message) (bool, string) { return !m.hint, "it names the place of a schema" }),
		judged("listed-numbers", "The NHS numbers are compared with the list.", "Nothing but the numbers of the list is asked about: another one could be a person's.",
			[]string{"WRD-SAF-17", "H-25"}, func(m message) (bool, string) { return !m.unlisted, "a number that is not on the list" }),
	}
}

// judgeSituation demands that the client asked once, stayed for the answer, and did
// not ask again by itself.
func (r *Run) judgeSituation(i int) conform.Result {
	s := r.situations[i]
	result := conform.Result{
		ID: s.id, Group: "Situations", Title: "The client asks once. It gets: " + s.title + ".",
		Requirements: append([]string{"WRD-SUP-06", "H-03"}, s.also...),
		Want:         fmt.Sprintf("one message, and no other about the same number within %s of its end", r.config.Window),
	}
	var asks []message
	for _, m := range r.messages {
		if m.situation == i {
			asks = append(asks, m)
		}
	}
	slices.SortFunc(asks, func(a, b message) int { return a.at.Compare(b.at) })
	switch {
	case len(asks) == 0:
		result.Got = "it was not asked about"
		return result
	case !r.wasServed(i):
		result.Got = "each message about it was refused, so that the client did not get it"
		return result
	}
	result.Elapsed = asks[0].ended.Sub(asks[0].at)
	result.Status, result.Got = r.judgeAsks(s, asks)
	return result
}

// judgeAsks judges the messages about one number, of which at least one was served.
// One that was refused counts as asking, but shows nothing of how its answer is taken.
func (r *Run) judgeAsks(s situation, asks []message) (conform.Status, string) {
	for k := 1; k < len(asks); k++ {
		since := asks[k].at.Sub(asks[k-1].ended)
		if since < 0 {
			return conform.Failed, "asked again while the first message was under way"
		}
		if since < r.config.Window {
			return conform.Failed, fmt.Sprintf("asked again %s after the first message had ended", since.Round(10*time.Millisecond))
		}
	}
	first, last := asks[slices.IndexFunc(asks, func(m message) bool { return m.served })], asks[len(asks)-1]
	took := first.ended.Sub(first.at).Round(10 * time.Millisecond)
	switch {
	case first.gaveUp && s.id != silent:
		return conform.Failed, fmt.Sprintf("the client did not wait: it had gone after %s", took)
	case r.unjudged() > 0:
		return conform.NotRun, "not judged: a request that was not read may have been about the same number"
	case r.finished.Sub(last.ended) < r.config.Window:
		return conform.NotRun, "the run ended before it was known that no second message follows"
	case first.gaveUp:
		return conform.Passed, fmt.Sprintf("asked once; the client gave up after %s", took)
	case s.id == silent:
		return conform.Passed, fmt.Sprintf("asked once; the client was still waiting after %s", took)
	case len(asks) > 1:
		return conform.Passed, fmt.Sprintf("asked %d times, each time by itself", len(asks))
	default:
		return conform.Passed, fmt.Sprintf("asked once; ended after %s", took)
	}
}
