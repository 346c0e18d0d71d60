package sds

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"
)

// Options say which directory is asked, what for, and how long its answers are used. One
// of LDAP and FHIR must be given.
type Options struct {
	LDAP *LDAP
	FHIR *FHIR

	Organisation string // ODS code of the Spine, to which the service belongs
	Interaction  string // service and interaction: urn:nhs:names:services:cpisquery:QUPC_IN000006GB01

	// Endpoints replace those of the directory, which are not always what is to be dialled.
	Endpoints map[string]*url.URL
	Accept    func(*url.URL) error // says why an endpoint of the directory must not be used; nil: all may

	Fresh    time.Duration // how long an answer about the service is used
	Stale    time.Duration // how long where the directory is not at hand, from the answer on
	Patience time.Duration // how long a question waits for the directory where there is a stale answer
	Retry    time.Duration // how soon the directory is asked again after it failed
	Author   time.Duration // how long the answer that an author fits is used, whether or not the directory is at hand

	Record Recorder
	Now    func() time.Time
}

// recordTime bounds how long a look-up takes to be recorded.
const recordTime = 5 * time.Second

// question is what is asked about a service.
type question struct{ organisation, interaction, correlation string }

// source is a protocol of the directory.
type source interface {
	// system returns the accredited system of an organisation and interaction.
	system(ctx context.Context, q question) (asid, partyKey string, err error)
	// handler returns the message handling system of a party key and interaction.
	handler(ctx context.Context, q question, partyKey string) (record, error)
	close()
}

// Directory answers from what it keeps, or asks. It may be used by several goroutines.
type Directory struct {
	options  Options
	limit    time.Duration // of a whole look-up
	source   source
	people   *directoryLDAP // nil if nobody can be looked up
	uk       *time.Location
	services *cache[Service]
	authors  *cache[string] // of refusals, "" for those who fit
	closing  context.Context
	close    context.CancelFunc
}

// New makes a directory. It does not connect yet. Close must follow.
func New(o Options) (*Directory, error) {
	if (o.LDAP == nil) == (o.FHIR == nil) {
		return nil, errors.New("directory: configure LDAP or FHIR")
	}
	uk, err := time.LoadLocation("Europe/London")
	if err != nil {
		return nil, err
	}
	d := &Directory{options: o, uk: uk}
	if o.LDAP != nil {
		client := newLDAP(*o.LDAP)
		d.source, d.limit = client, o.LDAP.ConnectTimeout+3*o.LDAP.SearchTimeout
		if o.LDAP.People != nil {
			d.people = client
		}
	} else {
		d.source, d.limit = newFHIR(*o.FHIR), o.FHIR.ConnectTimeout+2*o.FHIR.AnswerTimeout
	}
	r := &rest{period: o.Retry}
	d.services = newCache[Service](o.Fresh, o.Stale, o.Patience, r, o.Now)
	d.authors = newCache[string](o.Author, 0, 0, r, o.Now)
	d.closing, d.close = context.WithCancel(context.Background())
	return d, nil
}

// Close ends the questions under way, which are recorded, and the connections. Nothing
// is asked after it.
func (d *Directory) Close() {
	d.close()
	d.services.finish()
	d.authors.finish()
	d.source.close()
}

// Service returns what the directory says of the service (WRD-SPN-05), for at most Stale
// after it said so (WRD-SPN-15). Its error is an *Error, or that of the recorder; nothing
// may be asked then.
func (d *Directory) Service(ctx context.Context) (Service, error) {
	s, stale, err := d.services.get(ctx, "", d.lookUpService)
	if err == nil && stale {
		err = d.record(ctx, Lookup{Purpose: ForService, Result: string(Found), Stale: true})
	}
	if err != nil {
		return Service{}, err
	}
	return s, nil
}

func (d *Directory) lookUpService(ctx context.Context) (s Service, keep bool, err error) {
	err = d.recorded(ctx, Lookup{Purpose: ForService}, func(ctx context.Context, correlation string) (string, error) {
		s, err = d.service(ctx, question{d.options.Organisation, d.options.Interaction, correlation})
		return string(Found), err
	})
	return s, true, err
}

// service asks for the accredited system, and then for the message handling system of
// its party key.
func (d *Directory) service(ctx context.Context, q question) (Service, error) {
	asid, partyKey, err := d.source.system(ctx, q)
	if err != nil {
		return Service{}, err
	}
	if !isASID(asid) || !isPlain(partyKey) {
		return Service{}, failure(Unusable, "the record of the accredited system has no ASID of twelve digits or no party key; tell the directory's owner")
	}
	r, err := d.source.handler(ctx, q, partyKey)
	if err != nil {
		return Service{}, err
	}
	contract, err := r.contract(partyKey)
	if err != nil {
		return Service{}, err
	}
	s := Service{ASID: asid, Async: isAsync(contract), Contract: contract}
	if s.Async && contract.CPAID == "" {
		return Service{}, failure(Unusable, "the record of the message handling system has no nhsMhsCPAId, which the asynchronous pattern needs; tell the directory's owner")
	}
	s.Endpoint, err = d.endpoint(r.address)
	return s, err
}

// recorded asks within the time for a look-up and records how it went. What cannot be
// recorded is an error that is not an *Error.
func (d *Directory) recorded(ctx context.Context, l Lookup, ask func(ctx context.Context, correlation string) (result string, err error)) error {
	l.Correlation = uuid.NewString()
	limited, cancel := context.WithTimeout(ctx, d.limit)
	defer cancel()
	defer context.AfterFunc(d.closing, cancel)()
	began := time.Now()
	result, err := ask(limited, l.Correlation)
	l.Elapsed, l.Result = time.Since(began), result
	var e *Error
	if errors.As(err, &e) {
		l.Result = string(e.Result)
	}
	ctx, cancel = context.WithTimeout(ctx, recordTime)
	defer cancel()
	unrecorded := d.record(ctx, l)
	if unrecorded != nil {
		return unrecorded
	}
	return err
}

func (d *Directory) record(ctx context.Context, l Lookup) error {
	err := d.options.Record(ctx, l)
	if err != nil {
		return fmt.Errorf("the look-up in the directory could not be recorded and is not used: %w", err)
	}
	return nil
}
