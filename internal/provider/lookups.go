package provider

import (
	"context"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/gateway"
	"github.com/wardsmsp/ward/internal/pds"
	"github.com/wardsmsp/ward/internal/sds"
	"github.com/wardsmsp/ward/internal/spine"
)

// openLookups makes what is asked beside the Spine: the directory and the demographics
// service, where they are configured. What is asked is recorded in log.
func (p *Provider) openLookups(log gateway.Log) error {
	if p.settings.Directory != nil {
		options := *p.settings.Directory
		options.Record = func(ctx context.Context, l sds.Lookup) error {
			of := "directory, " + string(l.Purpose)
			if l.Stale {
				of += ", what it said before"
			}
			p.metrics.LookedUp("directory", directoryClass(l), l.Elapsed)
			if l.Purpose == sds.ForService && l.Result == string(sds.Found) && !l.Stale {
				p.metrics.DirectoryRead(time.Now())
			}
			return gateway.RecordLookUp(ctx, log, time.Now(), gateway.LookUp{Of: of, Result: l.Result, Elapsed: l.Elapsed})
		}
		var err error
		p.directory, err = sds.New(options)
		if err != nil {
			return err
		}
	}
	if p.settings.Demographics != nil {
		config := *p.settings.Demographics
		config.Correlation = gateway.CorrelationOf
		config.Record = func(ctx context.Context, l pds.Lookup) error {
			p.metrics.LookedUp("demographics", demographicsClass(l), l.Elapsed)
			return gateway.RecordLookUp(ctx, log, time.Now(), gateway.LookUp{Of: "demographics, " + l.Purpose, Result: l.Result, Patient: true, Elapsed: l.Elapsed})
		}
		p.demographics = pds.New(config)
	}
	return nil
}

// The classes of look-ups in the metrics.
const (
	lookUpFound   = "found"
	lookUpRefused = "refused"
	lookUpStale   = "stale"
	lookUpFailed  = "failed"
)

func directoryClass(l sds.Lookup) string {
	switch {
	case l.Stale:
		return lookUpStale
	case l.Result == string(sds.Found):
		return lookUpFound
	case l.Result == string(sds.Unavailable), l.Result == string(sds.Unusable), l.Result == string(sds.Ambiguous), l.Result == string(sds.NoRecord):
		return lookUpFailed
	default:
		return lookUpRefused
	}
}

func demographicsClass(l pds.Lookup) string {
	if l.Determined {
		return lookUpFound
	}
	return lookUpFailed
}

// routes are those to the Spine: the configured one, or the directory's (WRD-SPN-05).
func (p *Provider) routes() spine.Routes {
	if p.settings.Spine.Pattern != "sds" {
		return spine.Fixed(p.settings.Route)
	}
	return directed{p}
}

// directed is the route that the directory of a provider gives.
type directed struct{ *Provider }

// Route implements spine.Routes. It takes at most half of the time that a question has
// left, and leaves the rest to the Spine: one that is sent too late to be answered is of
// unknown outcome.
func (d directed) Route(ctx context.Context) (spine.Route, error) {
	end, ok := ctx.Deadline()
	if ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
	}
	s, err := d.directory.Service(ctx)
	if err != nil {
		d.directoryFailed(ctx, err)
		return spine.Route{}, err
	}
	route := spine.Route{Endpoint: s.Endpoint, ToASID: s.ASID}
	if s.Async {
		route.Pattern = spine.Async
		route.Contract = s.Contract
		route.Contract.FromParty = d.settings.Spine.Contract.FromParty // which the directory does not tell
	}
	return route, nil
}

// directoryFailed tells operators why: the audit log has no more than a class of it.
func (p *Provider) directoryFailed(ctx context.Context, err error) {
	p.logger.Warn("the directory gave nothing to go by", "event", "directory.failed", "correlation", gateway.CorrelationOf(ctx), "cause", err.Error())
}

// checks are made of a question in this order: who asks, then about whom.
func (p *Provider) checks() []gateway.Check {
	var checks []gateway.Check
	if p.directory != nil && p.settings.Directory.LDAP != nil { // the other form knows no people
		checks = append(checks, p.checkAuthor)
	}
	if p.demographics != nil {
		checks = append(checks, p.checkNumber)
	}
	return checks
}

// checkAuthor holds a smartcard user against the directory (WRD-IAM-18): a user of a client
// with smartcards, and whoever has a role profile, since the Spine is told of both as such.
func (p *Provider) checkAuthor(ctx context.Context, q gateway.Question) gateway.Finding {
	author, isPerson := q.Query.Author.(cpis.Person)
	if !isPerson || q.Client.Method != clients.Smartcard && author.RoleProfile() == "" {
		return gateway.Finding{}
	}
	refusal, err := p.directory.Author(ctx, author.UserID(), author.RoleProfile(), author.Represented.ID.Extension, author.Role.Code)
	switch {
	case err != nil:
		p.directoryFailed(ctx, err)
		return gateway.Finding{Refused: true, Refusal: cpis.Failed(cpis.DirectoryFailed, "the directory could not say whether the author may ask")}
	case refusal != "":
		return gateway.Finding{Refused: true, Refusal: cpis.Failed(cpis.AuthorRejected, refusal)}
	default:
		return gateway.Finding{}
	}
}

// checkNumber verifies the number of a question with the demographics service where its
// client wants that (WRD-PDS-03, WRD-PDS-04).
func (p *Provider) checkNumber(ctx context.Context, q gateway.Question) gateway.Finding {
	if !q.Client.VerifyNumber {
		return gateway.Finding{}
	}
	verdict, err := p.demographics.Verify(ctx, q.Query.Number, q.BirthDate)
	ruling := p.settings.Unverified.Check(verdict, err)
	if !ruling.Ask {
		return gateway.Finding{Refused: true, Refusal: ruling.Refusal}
	}
	return gateway.Finding{Remark: ruling.Remark, Verification: verification(verdict, ruling)}
}

// verification is what may be told of a number that is asked about.
func verification(v pds.Verdict, r pds.Ruling) cpis.Verification {
	switch {
	case r.Unverified:
		return cpis.Unverified
	case v.NoBirth:
		return cpis.VerifiedWithoutBirth
	default:
		return cpis.Verified
	}
}
