package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/atna"
	"github.com/wardsmsp/ward/internal/audit/event"
	"github.com/wardsmsp/ward/internal/audit/evidence"
	"github.com/wardsmsp/ward/internal/audit/fhir"
	"github.com/wardsmsp/ward/internal/audit/reading"
)

// export is an export as it was asked for.
type export struct {
	criteria reading.Criteria
	open     bool
	form     string
	file     string // "" for standard output
	syslog   collector
}

// collector is where entries are sent to by syslog over TLS.
type collector struct{ address, ca, certificate, key string }

// auditExport writes or sends the entries that meet some criteria, the oldest first.
func auditExport(ctx context.Context, args []string, out, log io.Writer) (err error) {
	set := flags("audit export", log)
	path := set.String("config", "", "configuration `FILE`")
	criteria := criteriaFlags(set)
	var x export
	set.BoolVar(&x.open, "open", false, "with what is personal in the entries")
	set.StringVar(&x.form, "format", "jsonl", "`FORM` of the entries: jsonl, with proofs, which ward audit verify -export checks; fhir, AuditEvent resources; atna, DICOM audit messages")
	set.StringVar(&x.file, "out", "", "write to this new `FILE` rather than to standard output")
	set.StringVar(&x.syslog.address, "to-syslog", "", "send to this collector, `HOST:PORT`, by syslog over TLS, as atna")
	set.StringVar(&x.syslog.ca, "syslog-ca", "", "`FILE` of the certificate authority of the collector")
	set.StringVar(&x.syslog.certificate, "syslog-certificate", "", "`FILE` of our certificate, if the collector asks for one")
	set.StringVar(&x.syslog.key, "syslog-key", "", "`FILE` of its key")
	reason := set.String("reason", "", "`WHY` the log is exported, to be recorded")
	err = parseAlone(set, args)
	if err != nil {
		return err
	}
	x.criteria, err = criteria()
	if err != nil {
		return err
	}
	err = x.check()
	if err != nil {
		return err
	}
	l, err := openLog(ctx, *path, *reason)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close(ctx)) }()
	var n int64
	write := func(w io.Writer) (err error) {
		n, err = x.write(ctx, l, w)
		if err != nil {
			return fmt.Errorf("the export is not complete: %w", err)
		}
		return nil
	}
	switch {
	case x.syslog.address != "":
		n, err = x.send(ctx, l)
		x.file = x.syslog.address
	case x.file != "":
		err = exportTo(x.file, write)
	default:
		return write(out)
	}
	if err == nil {
		_, err = fmt.Fprintf(out, "%d entries went to %s\n", n, x.file)
	}
	return err
}

func (x *export) check() error {
	switch {
	case x.form != "jsonl" && x.form != "fhir" && x.form != "atna":
		return usageError(fmt.Sprintf("%q is not a form of export; name jsonl, fhir or atna", x.form))
	case x.syslog.address == "" && (x.syslog.ca != "" || x.syslog.certificate != "" || x.syslog.key != ""):
		return usageError("name the collector: -to-syslog HOST:PORT")
	case x.syslog.address == "":
		return nil
	case x.file != "":
		return usageError("name one of -out and -to-syslog")
	case x.syslog.ca == "":
		return usageError("name the certificate authority of the collector: -syslog-ca FILE")
	case (x.syslog.certificate == "") != (x.syslog.key == ""):
		return usageError("name both -syslog-certificate and -syslog-key, or neither")
	}
	x.form = "atna"
	return nil
}

// write writes the export and returns how many entries it has.
func (x *export) write(ctx context.Context, l *auditLog, w io.Writer) (n int64, err error) {
	if x.form == "jsonl" {
		return x.writeEvidence(ctx, l, w)
	}
	source := l.source()
	for record, err := range x.records(ctx, l) {
		switch {
		case err != nil:
		case x.form == "fhir":
			err = fhir.Encode(w, record, source)
		default:
			err = writeMessage(w, record, source)
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// writeMessage writes the audit message of an entry, which has no line ends, as a line.
func writeMessage(w io.Writer, record audit.Record, source event.Source) error {
	message, err := atna.Marshal(record, source)
	if err != nil {
		return err
	}
	_, err = w.Write(append(message, '\n'))
	return err
}

// records are the entries of the export, each read before only as far as it may be.
func (x *export) records(ctx context.Context, l *auditLog) func(func(audit.Record, error) bool) {
	return func(yield func(audit.Record, error) bool) {
		for record, err := range l.reader().Export(ctx, l.who, x.criteria, x.form) {
			if err == nil && !x.open {
				record, err = audit.ReadRow(audit.Row{Seq: record.Seq, Leaf: record.Leaf, Sealed: record.Sealed}, nil)
			}
			if !yield(record, err) || err != nil {
				return
			}
		}
	}
}

// maxSelection bounds an export of chosen entries, each of which has a proof of its own.
const maxSelection = 1 << 20

// writeEvidence writes entries with proofs: of a range, that it is whole; of chosen
// entries, that each is in the log.
func (x *export) writeEvidence(ctx context.Context, l *auditLog, w io.Writer) (n int64, err error) {
	o := l.evidence(x.open)
	if x.criteria == (reading.Criteria{From: x.criteria.From, To: x.criteria.To}) {
		h, err := l.reader().HandOver(ctx, l.who, x.criteria, x.form)
		if err != nil {
			return 0, err
		}
		o.First, o.End = x.criteria.From, h.Size()
		if x.criteria.To > 0 {
			o.End = min(o.End, x.criteria.To)
		}
		n, err := evidence.Write(ctx, w, l.store, o)
		return n, errors.Join(err, h.Ended(ctx, int(n), err))
	}
	var chosen []int64
	for record, err := range l.reader().Export(ctx, l.who, x.criteria, x.form) {
		if err == nil && len(chosen) == maxSelection {
			err = fmt.Errorf("more than %d entries meet the criteria; export parts of them, with -from and -to", maxSelection)
		}
		if err != nil {
			return 0, err
		}
		chosen = append(chosen, record.Seq)
	}
	return evidence.WriteSelection(ctx, w, l.store, chosen, o)
}

// send sends the export to a collector and returns how many entries it has.
func (x *export) send(ctx context.Context, l *auditLog) (n int64, err error) {
	source := l.source()
	ca, err := readBounded(x.syslog.ca, 1<<20)
	if err != nil {
		return 0, err
	}
	o := atna.Options{Address: x.syslog.address, Roots: x509.NewCertPool(), Source: source, Host: l.who.Remote}
	if !o.Roots.AppendCertsFromPEM(ca) {
		return 0, fmt.Errorf("%s holds no certificate in PEM", x.syslog.ca)
	}
	if x.syslog.key != "" {
		pair, err := tls.LoadX509KeyPair(x.syslog.certificate, x.syslog.key)
		if err != nil {
			return 0, fmt.Errorf("-syslog-certificate and -syslog-key: %w", err)
		}
		o.Certificate = &pair
	}
	sender, err := atna.NewSender(o)
	if err != nil {
		return 0, err
	}
	for record, err := range x.records(ctx, l) {
		if err == nil {
			err = sender.Send(ctx, record)
		}
		if err != nil {
			return n, errors.Join(resume(sender, err), sender.Close())
		}
		n++
	}
	err = sender.Close()
	if err != nil {
		return n, resume(sender, err)
	}
	return n, nil
}

// resume says where to go on after a failure.
func resume(sender *atna.Sender, err error) error {
	return fmt.Errorf("not every entry has certainly arrived; go on with -from %d: %w", sender.Resume(), err)
}

// source is what reports the events of the log.
func (l *auditLog) source() event.Source {
	return event.Source{Log: l.file.Verifier.Name(), Site: l.file.ODSCode, Name: l.who.Remote}
}

// exportTo writes a new file that only its owner can read. One that would not be whole
// is not left behind.
func exportTo(path string, export func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	err = export(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
