package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
	"github.com/wardsmsp/ward/internal/audit/stores"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/provider"
	"github.com/wardsmsp/ward/internal/telemetry"
)

// openAudit opens the audit log that a configuration names, for reading.
func openAudit(ctx context.Context, path string) (stores.Reader, *config.AuditFile, error) {
	file, err := config.LoadAudit(path)
	if err != nil {
		return nil, nil, wrong(path, err)
	}
	store, err := stores.Read(ctx, file.Store)
	if err != nil {
		return nil, nil, err
	}
	return store, file, nil
}

func auditVerify(ctx context.Context, args []string, out, log io.Writer) error {
	set := flags("audit verify", log)
	path := set.String("config", "", "configuration `FILE`")
	err := parseAlone(set, args)
	if err != nil {
		return err
	}
	store, file, err := openAudit(ctx, *path)
	if err != nil {
		return err
	}
	defer store.Close()
	began := time.Now()
	report, err := audit.Verify(ctx, store, note.VerifierList(file.Verifier), file.Verifier.Name(), file.Checkpoints)
	if err != nil {
		return fmt.Errorf("THE AUDIT LOG DOES NOT VERIFY. %d entries before the fault are as they were written. %w", report.Entries, err)
	}
	fmt.Fprintf(out, "The audit log verifies: %d entries, %d questions under way or left open, %d exported checkpoints (the newest covers %d entries).\n",
		report.Entries, report.OpenIntents, report.Exported, report.Newest)
	fmt.Fprintf(out, "Root %s, %s\n", report.Root, time.Since(began).Round(time.Millisecond))
	return nil
}

func auditShow(ctx context.Context, args []string, out, log io.Writer) error {
	set := flags("audit show", log)
	path := set.String("config", "", "configuration `FILE`")
	from := set.Int64("from", -1, "first sequence `NUMBER`; the newest entries if left out")
	count := set.Int64("n", 20, "how many entries")
	asJSON := set.Bool("json", false, "print the stored form, one entry on each line")
	err := parseAlone(set, args)
	if err != nil {
		return err
	}
	store, file, err := openAudit(ctx, *path)
	if err != nil {
		return err
	}
	defer store.Close()
	head, err := store.Head(ctx)
	if err != nil {
		return err
	}
	if *from < 0 {
		*from = max(0, head.Size-*count)
	}
	if *asJSON {
		return showLeaves(ctx, store, *from, *from+*count, out)
	}
	return showEntries(ctx, store, file.Keys, *from, *from+*count, out)
}

func showLeaves(ctx context.Context, store audit.Reader, from, to int64, out io.Writer) error {
	for row, err := range store.Rows(ctx, from, to) {
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s\n", row.Leaf)
		if err != nil {
			return err
		}
	}
	return nil
}

func showEntries(ctx context.Context, store audit.Reader, keys *seal.Keys, from, to int64, out io.Writer) error {
	fmt.Fprintln(out, "NHS Confidential: Personal Data about a patient")
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "SEQ\tTIME (UTC)\tKIND\tCLIENT\tUSER\tNHS NUMBER\tOUTCOME\tCODE\tNOTIFIED\tCORRELATION\tREASON")
	for record, err := range audit.Entries(ctx, store, keys, from, to) {
		if err != nil {
			return errors.Join(table.Flush(), err)
		}
		e := record.Entry
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", record.Seq,
			e.Time.UTC().Format("2006-01-02 15:04:05.000"), e.Kind, cell(e.Client), cell(userOf(e)), cell(e.NHSNumber),
			cell(e.Outcome), cell(e.Code), cell(e.Notified), cell(e.Correlation), cell(e.Reason))
	}
	return table.Flush()
}

// cell is a value as it may be shown: what a client sent must not be able to end
// the line, or to speak to the terminal.
func cell(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// userOf is the first identity that the client gave.
func userOf(e audit.Entry) string {
	if len(e.AuditIdentities) == 0 {
		return ""
	}
	return e.AuditIdentities[0].URI
}

// auditRecover ends what an instance that will not come back left open.
func auditRecover(ctx context.Context, args []string, out, log io.Writer) error {
	set := flags("audit recover", log)
	path := set.String("config", "", "configuration `FILE` of any of the instances")
	instance := set.String("instance", "", "`NAME` of the instance that is gone")
	err := parseAlone(set, args)
	if err != nil {
		return err
	}
	settings, err := config.Load(*path)
	if err != nil {
		return wrong(*path, err)
	}
	switch {
	case settings.Store.Postgres == "":
		return usageError("the log is not shared by several instances: the next start of the provider closes what was left open")
	case !config.IsInstance(*instance):
		return usageError("name the instance: -instance NAME")
	}
	recovered, err := provider.Recover(ctx, settings, *instance, telemetry.NewLogger(log, settings.LogLevel, settings.Log.Format))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d question(s) of the instance %s were open and are now recorded as unknown. A process that still runs under this name can record nothing more.\n", recovered, *instance)
	return nil
}

func auditKeygen(args []string, out, log io.Writer) error {
	set := flags("audit keygen", log)
	name := set.String("name", "", "`NAME` of the log, such as smsp.example.nhs.uk/audit")
	folder := set.String("out", ".", "`FOLDER` to write audit-key and audit-key.pub to")
	err := parseAlone(set, args)
	if err != nil {
		return err
	}
	if *name == "" {
		return usageError("name the log: -name NAME")
	}
	signer, verifier, err := audit.GenerateKey(*name, rand.Reader)
	if err != nil {
		return usageError(err.Error())
	}
	secret, public := filepath.Join(*folder, "audit-key"), filepath.Join(*folder, "audit-key.pub")
	err = writeNew(secret, signer, 0o600)
	if err != nil {
		return err
	}
	err = writeNew(public, verifier, 0o644)
	if err != nil {
		return errors.Join(err, os.Remove(secret)) // of no use without the other
	}
	sealing, err := newKey(*folder, "sealing-key", seal.GenerateSealingKey)
	if err != nil {
		return err
	}
	index, err := newKey(*folder, "index-key", seal.GenerateIndexKey)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "wrote %s (secret: audit.sealing_keys) and %s (secret: audit.index_keys)\n", sealing, index)
	fmt.Fprintf(out, "wrote %s (secret: audit.signing_key) and %s (audit.verifier_key; give it to whoever checks the log)\n", secret, public)
	return nil
}

// newKey writes a new key for what is personal in a log.
func newKey(folder, name string, generate func(io.Reader) (string, error)) (path string, err error) {
	key, err := generate(rand.Reader)
	if err != nil {
		return "", err
	}
	path = filepath.Join(folder, name)
	return path, writeNew(path, key, 0o600)
}

// writeNew never replaces a file: a lost signing key cannot be made again.
func writeNew(path, content string, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content + "\n")
	return errors.Join(err, f.Close())
}
