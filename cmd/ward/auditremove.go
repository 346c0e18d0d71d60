package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/removal"
	"github.com/wardsmsp/ward/internal/audit/sqlite"
	"github.com/wardsmsp/ward/internal/config"
)

// withRemover opens the log of a configuration, beside a provider that may be running,
// and lets act change it.
func withRemover(ctx context.Context, path string, act func(*removal.Remover, *config.Settings) error) error {
	settings, err := config.Load(path)
	if err != nil {
		return wrong(path, err)
	}
	l, err := openLog(ctx, path, "")
	if err != nil {
		return err
	}
	err = act(&removal.Remover{
		Log: l.log, Store: l.store, Keys: settings.Keys, Origin: settings.Signer.Name(), Operator: l.who.Operator, Now: time.Now,
	}, settings)
	// What was done is to be in a checkpoint, whatever became of the rest.
	return errors.Join(err, l.close(ctx))
}

func auditErase(ctx context.Context, args []string, out, log io.Writer) error {
	set := flags("audit erase", log)
	path := set.String("config", "", "configuration `FILE`")
	order := set.String("order", "", "`FILE` of the signed order")
	rehearsal := set.Bool("dry-run", false, "say what would be erased, and erase nothing")
	err := parseAlone(set, args)
	if err != nil {
		return err
	}
	if *order == "" {
		return usageError("name the order: -order FILE")
	}
	file, err := readOrder(*order)
	if err != nil {
		return err
	}
	return withRemover(ctx, *path, func(r *removal.Remover, s *config.Settings) error {
		if s.Erasure == nil {
			return errors.New("nothing can be erased: no key of erasure orders is configured (audit.erasure_key)")
		}
		erased, err := r.Erase(ctx, file, s.Erasure, *rehearsal)
		verb := "Erased"
		if *rehearsal {
			verb = "To be erased:"
		}
		if err == nil || erased.Entries > 0 {
			fmt.Fprintf(out, "%s the content of %d entries.\n", verb, erased.Entries)
		}
		if err != nil {
			return err
		}
		if erased.Inline > 0 {
			fmt.Fprintf(out, "%d entries of an earlier form of the log hold their content in the tree. They cannot be erased.\n", erased.Inline)
		}
		if erased.Locked+erased.Open > 0 {
			return fmt.Errorf("the order is not complete: the sealing key of %d entries is not configured, and %d questions are under way or left open; "+
				"see to it and run the same command again", erased.Locked, erased.Open)
		}
		if erased.Complete {
			fmt.Fprintln(out, "The order is complete and cannot be used again. Copies outside the log are not reached: backups, snapshots, exports.")
			fmt.Fprintln(out, "At the next time when Ward may stand still, run: ward audit compact")
		}
		return nil
	})
}

// readOrder reads no more than an order may have.
func readOrder(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, removal.MaxOrder+1))
}

func auditExpire(ctx context.Context, args []string, out, log io.Writer) error {
	set := flags("audit expire", log)
	path := set.String("config", "", "configuration `FILE`")
	rehearsal := set.Bool("dry-run", false, "say what would be removed, and remove nothing")
	err := parseAlone(set, args)
	if err != nil {
		return err
	}
	return withRemover(ctx, *path, func(r *removal.Remover, s *config.Settings) error {
		if len(s.Retention) == 0 {
			fmt.Fprintln(out, "Everything is kept for ever: no time of retention is configured (audit.retention).")
		}
		for _, class := range []audit.Class{audit.Questions, audit.Readings, audit.Operations} {
			period, ok := s.Retention[class]
			if !ok {
				continue
			}
			x, err := r.Expire(ctx, class, period, *rehearsal)
			verb := "removed"
			if *rehearsal {
				verb = "to be removed"
			}
			fmt.Fprintf(out, "%s of before %s: the content of %d entries %s, %d kept under a hold, %d waiting for their transaction.\n",
				class, x.Before.Format(time.DateOnly), x.Entries, verb, x.Held, x.Waiting)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func auditCompact(ctx context.Context, args []string, out, log io.Writer) error {
	set := flags("audit compact", log)
	path := set.String("config", "", "configuration `FILE`")
	err := parseAlone(set, args)
	if err != nil {
		return err
	}
	file, err := config.LoadAudit(*path)
	if err != nil {
		return wrong(*path, err)
	}
	if file.Store.Postgres != "" {
		return errors.New("this log is in PostgreSQL, which is compacted with its own tools: as the owner of its tables, at a time when Ward may stand still, " +
			"run: VACUUM (FULL) ward.content; VACUUM (FULL) ward.terms; CHECKPOINT; (if search_path of audit.postgres names another schema than ward, that one)")
	}
	_, err = os.Stat(file.Store.Database)
	if err != nil {
		return err // rather than make an empty one
	}
	store, err := sqlite.Open(file.Store.Database)
	if err != nil {
		return fmt.Errorf("stop Ward first: %w", err)
	}
	err = errors.Join(store.Compact(ctx), store.Close())
	if err == nil {
		fmt.Fprintln(out, "The database was written anew. Nothing of what was removed is left in it.")
	}
	return err
}

func auditHold(ctx context.Context, args []string, out, log io.Writer) error {
	set := flags("audit hold", log)
	path := set.String("config", "", "configuration `FILE`")
	name := set.String("name", "", "`NAME` of the hold, in clear in the log: not who it is about")
	number := set.String("nhs", "", "hold entries about this `NUMBER`; - to read it from standard input")
	var h removal.Hold
	set.StringVar(&h.Criteria.User, "user", "", "hold entries of this `USER`: an audit identity, user id or user name")
	set.StringVar(&h.Criteria.Organisation, "org", "", "hold entries of the organisation with this ODS `CODE`")
	since := set.String("since", "", "hold entries from this `DATE` on, such as 2026-11-02, UTC")
	until := set.String("until", "", "hold entries up to this `DATE`, that day included, UTC")
	set.StringVar(&h.Authority, "authority", "", "on whose authority: `TEXT`")
	set.StringVar(&h.Reason, "reason", "", "`TEXT`")
	err := parseAlone(set, args)
	if err != nil {
		return err
	}
	h.Name = *name
	h.Criteria.NHSNumber, err = numberFrom(*number, os.Stdin)
	if err != nil {
		return err
	}
	h.Criteria.Since, err = day(*since)
	if err != nil {
		return err
	}
	h.Criteria.Until, err = day(*until)
	if err != nil {
		return err
	}
	if !h.Criteria.Until.IsZero() {
		h.Criteria.Until = h.Criteria.Until.AddDate(0, 0, 1)
	}
	return withRemover(ctx, *path, func(r *removal.Remover, _ *config.Settings) error {
		err := r.Lay(ctx, h)
		if err == nil {
			fmt.Fprintf(out, "The hold %q is active.\n", h.Name)
		}
		return err
	})
}

// day reads a date; "" is the zero time.
func day(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, usageError("write dates like 2026-11-02")
	}
	return t, nil
}

func auditRelease(ctx context.Context, args []string, out, log io.Writer) error {
	set := flags("audit release", log)
	path := set.String("config", "", "configuration `FILE`")
	name := set.String("name", "", "`NAME` of the hold")
	authority := set.String("authority", "", "on whose authority: `TEXT`")
	reason := set.String("reason", "", "`TEXT`")
	err := parseAlone(set, args)
	if err != nil {
		return err
	}
	return withRemover(ctx, *path, func(r *removal.Remover, _ *config.Settings) error {
		err := r.Release(ctx, *name, *authority, *reason)
		if err == nil {
			fmt.Fprintf(out, "The hold %q is released.\n", *name)
		}
		return err
	})
}

func auditHolds(ctx context.Context, args []string, out, log io.Writer) (err error) {
	set := flags("audit holds", log)
	path := set.String("config", "", "configuration `FILE`")
	err = parseAlone(set, args)
	if err != nil {
		return err
	}
	l, err := openLog(ctx, *path, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close(ctx)) }()
	r := &removal.Remover{Store: l.store, Keys: l.file.Keys, Now: time.Now}
	active, err := r.Holds(ctx)
	if err != nil {
		return err
	}
	_, err = l.log.Append(ctx, audit.Entry{
		Kind: audit.Read, Time: time.Now(), Operator: l.who.Operator, Remote: l.who.Remote, Entries: len(active),
		Detail: json.RawMessage(`{"did":"holds"}`),
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "NHS Confidential: Personal Data about a patient")
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tLAID (UTC)\tBY\tAUTHORITY\tNHS NUMBER\tUSER\tORGANISATION\tSINCE\tBEFORE")
	for _, h := range active {
		c := h.Criteria
		if h.Unknown {
			c.NHSNumber, c.User, c.Organisation = "cannot be read: counts as everything", "", ""
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", cell(h.Name), h.Time.UTC().Format(time.DateTime), cell(h.Operator),
			cell(h.Authority), cell(c.NHSNumber), cell(c.User), cell(c.Organisation), date(c.Since), date(c.Until))
	}
	return table.Flush()
}

func date(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}

// auditOrder is for the holder of the key of erasure orders, on another machine.
func auditOrder(args []string, out, log io.Writer) error {
	set := flags("audit order", log)
	generate := set.Bool("generate", false, "make the key pair: -name NAME -out FOLDER")
	name := set.String("name", "", "`NAME` of the holder of the key, such as caldicott.example.nhs.uk")
	key := set.String("key", "", "`FILE` of the secret key")
	origin := set.String("origin", "", "name of the log, as in its verifier key")
	number := set.String("nhs", "", "whose entries: `NUMBER`, or - to read it from standard input")
	authority := set.String("authority", "", "on whose decision, with its reference: `TEXT`; it stays in the log")
	until := set.String("until", "", "the last `DATE` on which the order may be carried out")
	first := set.Int64("first", -1, "only entries from this sequence `NUMBER` on")
	last := set.Int64("last", -1, "only entries up to this sequence `NUMBER`")
	path := set.String("out", "", "`FILE` to write the order to, or folder for the keys")
	err := parseAlone(set, args)
	if err != nil {
		return err
	}
	if *generate {
		return orderKeys(*name, *path, out)
	}
	if *key == "" || *path == "" {
		return usageError("name the secret key and the file to write: -key FILE -out FILE; or make the keys: -generate")
	}
	o := removal.Order{Origin: *origin, Authority: *authority, Issued: time.Now().UTC().Truncate(24 * time.Hour)}
	o.NHSNumber, err = numberFrom(*number, os.Stdin)
	if err != nil {
		return err
	}
	o.Until, err = day(*until)
	if err != nil {
		return err
	}
	if *first >= 0 || *last >= 0 {
		o.Entries = &audit.Range{First: max(0, *first), Last: *last}
	}
	signer, err := readSigner(*key)
	if err != nil {
		return err
	}
	signed, err := o.Sign(signer)
	if err != nil {
		return usageError(err.Error())
	}
	err = writeNew(*path, strings.TrimSuffix(string(signed), "\n"), 0o600)
	if err == nil {
		fmt.Fprintf(out, "wrote %s. It is confidential, since it names a person. Carry it to the operator of the log.\n", *path)
	}
	return err
}

// orderKeys makes the key pair of erasure orders.
func orderKeys(name, folder string, out io.Writer) error {
	if name == "" {
		return usageError("name the holder of the key: -name NAME")
	}
	signer, verifier, err := audit.GenerateKey(name, rand.Reader)
	if err != nil {
		return usageError(err.Error())
	}
	secret, public := filepath.Join(folder, "erasure-key"), filepath.Join(folder, "erasure-key.pub")
	err = writeNew(secret, signer, 0o600)
	if err != nil {
		return err
	}
	err = writeNew(public, verifier, 0o644)
	if err != nil {
		return errors.Join(err, os.Remove(secret)) // of no use without the other
	}
	fmt.Fprintf(out, "wrote %s (secret: never take it to the machine of the log) and %s (audit.erasure_key)\n", secret, public)
	return nil
}

// readSigner never quotes what it read.
func readSigner(path string) (note.Signer, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(strings.TrimSpace(string(content)))
	if err != nil {
		return nil, fmt.Errorf("%s is not the secret key of erasure orders; make one with: ward audit order -generate", path)
	}
	return signer, nil
}
