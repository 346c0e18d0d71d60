package main

import (
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/stage"
)

// A wrong command line is told apart from a failure: exit code 2, nothing on
// standard output, and how it is right.
func TestUsage(t *testing.T) {
	tests := map[string]struct {
		args []string
		says string
	}{
		"nothing":                     {nil, "ward serve -config FILE"},
		"an unknown command":          {[]string{"query"}, `"query" is not a command`},
		"half a command":              {[]string{"audit"}, `"audit" is not a command`},
		"an unknown half":             {[]string{"audit", "alter"}, `"audit alter" is not a command`},
		"an unknown flag":             {[]string{"ask", "-again", withPlan}, "-again"},
		"serve without a file":        {[]string{"serve"}, "-config FILE"},
		"serve with an argument":      {[]string{"serve", "-config", "x", "now"}, "takes flags only"},
		"check without a file":        {[]string{"config", "check"}, "ward config check FILE"},
		"check of two files":          {[]string{"config", "check", "a", "b"}, "ward config check FILE"},
		"ask without a number":        {[]string{"ask", "-config", "x"}, "name one NHS number"},
		"ask with two numbers":        {[]string{"ask", "-config", "x", withPlan, withoutRecord}, "name one NHS number"},
		"ask without a file":          {[]string{"ask", withPlan}, "-config FILE"},
		"ask in two forms":            {[]string{"ask", "-json", "-raw", withPlan}, "one of -json, -raw and -request"},
		"ask and do not ask":          {[]string{"ask", "-raw", withPlan, "-request"}, "one of -json, -raw and -request"},
		"play without a file":         {[]string{"conform", "client"}, "-config FILE"},
		"play with an argument":       {[]string{"conform", "client", "-config", "x", "now"}, "takes flags only"},
		"verify without a file":       {[]string{"audit", "verify"}, "-config FILE"},
		"verify with an argument":     {[]string{"audit", "verify", "audit.db"}, "takes flags only"},
		"show without a file":         {[]string{"audit", "show"}, "-config FILE"},
		"show with a count of a word": {[]string{"audit", "show", "-n", "all"}, "-n"},
		"recover without a file":      {[]string{"audit", "recover", "-instance", "ward-0"}, "-config FILE"},
		"show of nothing":             {[]string{"audit", "show", "-config", "x", "-n", "0"}, "-n must be from 1 to 1000"},
		"search without a file":       {[]string{"audit", "search"}, "-config FILE"},
		"search with an argument":     {[]string{"audit", "search", withPlan}, "takes flags only"},
		"search for too many":         {[]string{"audit", "search", "-config", "x", "-n", "1001"}, "-n must be from 1 to 1000"},
		"search for half a number":    {[]string{"audit", "search", "-config", "x", "-nhs", "99900"}, "ten digits"},
		"search for no such kind":     {[]string{"audit", "search", "-config", "x", "-kind", "intents"}, "the kinds are"},
		"search for no such time":     {[]string{"audit", "search", "-config", "x", "-since", "today"}, "give a time as"},
		"export without a file":       {[]string{"audit", "export"}, "-config FILE"},
		"keygen without a name":       {[]string{"audit", "keygen"}, "-name NAME"},
		"erase without an order":      {[]string{"audit", "erase", "-config", "x"}, "-order FILE"},
		"hold with a wrong date":      {[]string{"audit", "hold", "-config", "x", "-since", "2 May"}, "2026-11-02"},
		"order without a key":         {[]string{"audit", "order", "-origin", "x"}, "-key FILE"},
		"order keys without a name":   {[]string{"audit", "order", "-generate"}, "-name NAME"},
		"conform without a file":      {[]string{"conform"}, "-config FILE"},
		"conform with a number":       {[]string{"conform", "-config", "x", withPlan}, "takes flags only"},
		"conform with no such case":   {[]string{"conform", "-list", "-only", "no case has this"}, "no case has that text"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := ward(t, test.args...)
			e.expect(t, exitUsage)
			if e.out != "" || !strings.Contains(e.log, test.says) {
				t.Errorf("out %q, log %q: expected %q in the log alone", e.out, e.log, test.says)
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, help := range []string{"help", "-h", "--help"} {
		ward(t, help).expect(t, exitDone, "ward ask -config FILE NHSNUMBER", "This notifies", "ward conform -config FILE", "this notifies")
	}
	ward(t, "version").expect(t, exitDone, "ward ", "go1.")
}

// A number that is not ten digits is refused before anything is read or sent, and is
// not repeated: it may be a true one, mistyped (WRD-VAL-14).
func TestBadNumbersAreNeverSent(t *testing.T) {
	s := set(t, stage.Options{})
	play(t, s)
	for _, number := range []string{"", "999000004", "99900000421", "999 000 0042", "999-000-0042", "999000004a", "٩٩٩٠٠٠٠٠٤٢", "9990000042\n"} {
		e := ward(t, "ask", "-config", s.ClientConfig(), number)
		e.expect(t, exitUsage, "exactly ten digits", "Nothing was asked")
		if number != "" && strings.Contains(e.log+e.out, number) {
			t.Errorf("the number is repeated: %s", e.log)
		}
	}
	ward(t, "ask", "-config", s.ClientConfig(), wrongDigit).expect(t, exitNotChecked, "the check was not made")
	if n := s.Simulator.Counters().Connections; n != 0 {
		t.Errorf("%d connections reached the Spine", n)
	}
}
