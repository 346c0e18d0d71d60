package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/wardsmsp/ward/internal/audit"
)

// auditExport writes the entries that meet some criteria, the oldest first.
func auditExport(ctx context.Context, args []string, out, log io.Writer) (err error) {
	set := flags("audit export", log)
	path := set.String("config", "", "configuration `FILE`")
	criteria := criteriaFlags(set)
	open := set.Bool("open", false, "with what is personal in the entries")
	format := set.String("format", "jsonl", "`FORM` of the entries: jsonl")
	to := set.String("out", "", "write to this new `FILE` rather than to standard output")
	reason := set.String("reason", "", "`WHY` the log is exported, to be recorded")
	err = parseAlone(set, args)
	if err != nil {
		return err
	}
	c, err := criteria()
	if err != nil {
		return err
	}
	write, ok := exportForms()[*format]
	if !ok {
		return usageError(fmt.Sprintf("%q is not a form of export; name jsonl", *format))
	}
	l, err := openLog(ctx, *path, *reason)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close(ctx)) }()
	n := 0
	export := func(w io.Writer) error {
		for record, err := range l.reader().Export(ctx, l.who, c, *format) {
			if err == nil && !*open {
				record, err = audit.ReadRow(audit.Row{Seq: record.Seq, Leaf: record.Leaf, Sealed: record.Sealed}, nil)
			}
			if err == nil {
				err = write(w, record)
			}
			if err != nil {
				return fmt.Errorf("the export is not complete: it ended after %d entries: %w", n, err)
			}
			n++
		}
		return nil
	}
	if *to == "" {
		return export(out)
	}
	err = exportTo(*to, export)
	if err == nil {
		_, err = fmt.Fprintf(out, "wrote %d entries to %s\n", n, *to)
	}
	return err
}

// exportForms are the forms in which entries are exported.
func exportForms() map[string]func(io.Writer, audit.Record) error {
	return map[string]func(io.Writer, audit.Record) error{"jsonl": printLine}
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
