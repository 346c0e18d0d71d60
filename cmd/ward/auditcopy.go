package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/stores"
	"github.com/wardsmsp/ward/internal/config"
)

// auditBackup copies the log, in use or not, into an SQLite file, or brings an earlier
// backup up to date. That is recorded as a reading.
func auditBackup(ctx context.Context, args []string, out, log io.Writer) (err error) {
	set := flags("audit backup", log)
	path := set.String("config", "", "configuration `FILE`")
	target := set.String("out", "", "SQLite `FILE` to write, or an earlier backup of the same log to bring up to date")
	reason := set.String("reason", "", "what for, for the log")
	err = parseAlone(set, args)
	if err != nil {
		return err
	}
	if *target == "" {
		return usageError("name the file of the backup: -out FILE")
	}
	l, err := openLog(ctx, *path, *reason)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close(ctx)) }()
	_, err = l.log.Append(ctx, audit.Entry{
		Kind: audit.Read, Time: time.Now(), Operator: l.who.Operator, Purpose: l.who.Purpose, Remote: l.who.Remote,
		Detail: json.RawMessage(`{"did":"backup"}`),
	})
	if err != nil {
		return err
	}
	return copyInto(ctx, l.store, config.Store{Database: *target}, l.file.Verifier, out)
}

// auditMigrate copies the log of one configuration into the empty store of another, of
// whichever kind, and proves that both trees are equal.
func auditMigrate(ctx context.Context, args []string, out, log io.Writer) error {
	set := flags("audit migrate", log)
	path := set.String("config", "", "configuration `FILE` of the log as it is; its provider must not run")
	target := set.String("to", "", "configuration `FILE` that names the new store")
	err := parseAlone(set, args)
	if err != nil {
		return err
	}
	file, err := config.LoadAudit(*path)
	if err != nil {
		return wrong(*path, err)
	}
	next, err := config.LoadAudit(*target)
	if err != nil {
		return wrong(*target, err)
	}
	if next.Verifier.Name() != file.Verifier.Name() || next.Verifier.KeyHash() != file.Verifier.KeyHash() {
		return errors.New("the two configurations have different verifier keys: a log keeps its key when it moves")
	}
	store, err := openSource(ctx, file.Store)
	if err != nil {
		return err
	}
	defer store.Close()
	err = copyInto(ctx, store, next.Store, file.Verifier, out)
	if err != nil {
		return err
	}
	copied, err := stores.Read(ctx, next.Store)
	if err != nil {
		return err
	}
	defer copied.Close()
	after, err := audit.Verify(ctx, copied, note.VerifierList(file.Verifier), file.Verifier.Name(), next.Checkpoints)
	if err != nil {
		return fmt.Errorf("the new log does not verify: %w", err)
	}
	// Last, so that what was added until now is seen.
	before, err := audit.Verify(ctx, store, note.VerifierList(file.Verifier), file.Verifier.Name(), file.Checkpoints)
	if err != nil {
		return fmt.Errorf("the log that was copied does not verify: %w", err)
	}
	if before.Root != after.Root || before.Entries != after.Entries {
		return errors.New("entries were added to the log while it was copied: stop every provider that writes to it, and run this again")
	}
	fmt.Fprintf(out, "Both logs verify, and both trees are equal: %d entries, root %s.\n", after.Entries, after.Root)
	fmt.Fprintln(out, "From now on start providers over the new one only.")
	return nil
}

// openSource opens a log that is to move. Nobody else can write to an SQLite store
// meanwhile. In PostgreSQL no instance loses its name to somebody who only tries this;
// that none wrote has to be seen from what is there at the end.
func openSource(ctx context.Context, c config.Store) (stores.Store, error) {
	if c.Postgres != "" {
		return stores.Join(ctx, c)
	}
	return stores.Open(ctx, c)
}

// auditRestore puts a backup into the empty store of a configuration, or takes that
// store as it was brought back by other means. Where exported checkpoints show that
// entries are missing in it, the log goes on only if the operator says so, and says so
// itself.
func auditRestore(ctx context.Context, args []string, out, log io.Writer) error {
	set := flags("audit restore", log)
	path := set.String("config", "", "configuration `FILE`; with -from its store must be empty or not there")
	source := set.String("from", "", "SQLite `FILE` made by ward audit backup, or the second copy that the provider kept; left out if the store itself was brought back, by the tools of its database")
	accept := set.Bool("accept-loss", false, "go on from the backup although exported checkpoints cover more entries")
	reason := set.String("reason", "", "why, for the log")
	err := parseAlone(set, args)
	if err != nil {
		return err
	}
	settings, err := config.Load(*path)
	if err != nil {
		return wrong(*path, err)
	}
	from := settings.Store
	if *source != "" {
		from = config.Store{Database: *source}
	}
	backup, err := stores.Read(ctx, from)
	if err != nil {
		return err
	}
	defer backup.Close()
	head, err := backup.Head(ctx)
	if err != nil {
		return err
	}
	var whole audit.Reader = backup
	if *source != "" {
		whole = audit.Covered(backup, note.VerifierList(settings.Verifier), settings.Verifier.Name())
		held := head.Size
		head, err = whole.Head(ctx)
		if err != nil {
			return err
		}
		if head.Size < held {
			fmt.Fprintf(out, "The backup was left while it was being brought up to date: %d entries beyond its %d are not covered by its checkpoint and are left out.\n", held-head.Size, head.Size)
		}
	}
	lost, err := exportedSince(settings, head.Size)
	if err != nil {
		return err
	}
	if len(lost) > 0 && !*accept {
		newest := lost[len(lost)-1]
		return fmt.Errorf("the backup holds %d entries, but the exported checkpoint %s covers %d: the entries since are lost with it. "+
			"Look for a newer backup; with -accept-loss the log goes on from this one, and says so", head.Size, newest.Path, newest.Size)
	}
	if *source != "" {
		err = copyInto(ctx, whole, settings.Store, settings.Verifier, out)
	} else {
		err = verifyRestored(ctx, backup, settings.Verifier, out)
	}
	if err != nil {
		return err
	}
	err = recordRestore(ctx, settings, lost, *reason, out)
	if err != nil {
		return err
	}
	return setAside(lost)
}

// verifyRestored verifies a store that was brought back, without the checkpoints that
// may be newer.
func verifyRestored(ctx context.Context, store audit.Reader, verifier note.Verifier, out io.Writer) error {
	report, err := audit.Verify(ctx, store, note.VerifierList(verifier), verifier.Name(), nil)
	if err != nil {
		return fmt.Errorf("the store that was brought back does not verify: %w", err)
	}
	fmt.Fprintf(out, "The store verifies: %d entries, root %s.\n", report.Entries, report.Root)
	return nil
}

// copyInto copies a log into a store and verifies the copy.
func copyInto(ctx context.Context, from audit.Reader, to config.Store, verifier note.Verifier, out io.Writer) error {
	target, err := stores.Make(ctx, to)
	if err != nil {
		return err
	}
	defer target.Close()
	began := time.Now()
	known := note.VerifierList(verifier)
	copied, err := audit.Copy(ctx, from, target, known, verifier.Name())
	if err != nil {
		return fmt.Errorf("the log was not copied: %w", err)
	}
	report, err := audit.Verify(ctx, target, known, verifier.Name(), nil)
	if err != nil {
		return fmt.Errorf("the copy does not verify: %w", err)
	}
	fmt.Fprintf(out, "Copied %d entries to the %d that were there, and verified all of them: root %s, %s.\n",
		copied.After-copied.Before, copied.Before, report.Root, time.Since(began).Round(time.Millisecond))
	return nil
}

// exportedSince lists the exported checkpoints that cover more than size entries, the
// one that covers most last.
func exportedSince(settings *config.Settings, size int64) ([]audit.Exported, error) {
	var since []audit.Exported
	for _, dir := range settings.Audit.Checkpoints {
		all, err := audit.ReadExported(dir, note.VerifierList(settings.Verifier), settings.Verifier.Name())
		if err != nil {
			return nil, err
		}
		since = append(since, all...)
	}
	since = slices.DeleteFunc(since, func(e audit.Exported) bool { return e.Size <= size })
	slices.SortStableFunc(since, func(a, b audit.Exported) int { return cmp.Compare(a.Size, b.Size) })
	return since, nil
}

// recordRestore is the first entry of a log that goes on from a copy. Until the newer
// checkpoints were set aside no provider starts over it.
func recordRestore(ctx context.Context, settings *config.Settings, lost []audit.Exported, reason string, out io.Writer) error {
	who, err := operator(reason)
	if err != nil {
		return err
	}
	store, err := stores.Join(ctx, settings.Store)
	if err != nil {
		return err
	}
	defer store.Close()
	log, err := audit.Open(ctx, audit.Options{Store: store, Signer: settings.Signer, Keys: settings.Keys})
	if err != nil {
		return err
	}
	e := audit.Entry{
		Kind: audit.Restored, Time: time.Now(), Operator: who.Operator, Remote: who.Remote, Purpose: who.Purpose,
		Reason: "the log goes on from a backup; no exported checkpoint covers more",
	}
	if len(lost) > 0 {
		e.Covered = lost[len(lost)-1].Size
		e.Reason = "the log goes on from a backup; entries that an exported checkpoint covers are lost"
	}
	seq, err := log.Append(ctx, e)
	switch {
	case err != nil:
	case len(lost) == 0:
		fmt.Fprintf(out, "The log goes on with entry %d, which says so. No exported checkpoint covers more than the backup held.\n", seq)
	default:
		fmt.Fprintf(out, "The log goes on with entry %d, which says that the entries up to %d were lost. "+
			"Their checkpoints were set aside as lost-*: keep them. A witness will not cosign this log any more.\n", seq, e.Covered-1)
	}
	return errors.Join(err, log.Close(ctx))
}

// setAside renames exported checkpoints of entries that are lost, so that they are kept
// as evidence but the log is not held against them.
func setAside(lost []audit.Exported) error {
	now := time.Now().UTC().Format("20060102T150405.000Z")
	for _, e := range lost {
		err := os.Rename(e.Path, filepath.Join(filepath.Dir(e.Path), "lost-"+now+"-"+filepath.Base(e.Path)))
		if err != nil {
			return fmt.Errorf("a checkpoint of lost entries was not set aside; rename it by hand: %w", err)
		}
	}
	return nil
}
