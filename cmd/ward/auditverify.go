package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/stores"
	"github.com/wardsmsp/ward/internal/config"
)

// auditVerify checks the whole log with nothing but public keys, and records that where
// the log can be written; or checks what was handed out of a log.
func auditVerify(ctx context.Context, args []string, out, log io.Writer) error {
	set := flags("audit verify", log)
	path := set.String("config", "", "configuration `FILE`")
	reason := set.String("reason", "", "`WHY` the log is verified, to be recorded")
	var h handedOut
	set.StringVar(&h.export, "export", "", "check this exported `FILE`, with -key alone")
	set.StringVar(&h.proof, "proof", "", "check this proof of an entry in a `FILE`, with -key alone")
	set.StringVar(&h.consistency, "consistency", "", "check this proof in a `FILE` that a log only grew, with -key alone")
	set.StringVar(&h.key, "key", "", "`FILE` of the log's public key, audit-key.pub")
	err := parseAlone(set, args)
	if err != nil {
		return err
	}
	if h != (handedOut{}) {
		if *path != "" {
			return usageError("name -config to check the log, or -key and one of -export, -proof and -consistency to check what was handed out of it")
		}
		return h.verify(out)
	}
	file, err := config.LoadAudit(*path)
	if err != nil {
		return wrong(*path, err)
	}
	began := time.Now()
	report, wrong := verifyStore(ctx, file)
	if wrong == nil {
		fmt.Fprintf(out, "The audit log verifies: %d entries, %d questions under way or left open, %d exported checkpoints (the newest covers %d entries).\n",
			report.Entries, report.OpenIntents, report.Exported, report.Newest)
		fmt.Fprintf(out, "Root %s, %s\n", report.Root, time.Since(began).Round(time.Millisecond))
	}
	err = recordVerified(ctx, file, *reason, report, wrong)
	if err != nil {
		fmt.Fprintf(log, "ward: this verification could not be recorded in the log: %v\n", err)
	}
	return wrong
}

func verifyStore(ctx context.Context, file *config.AuditFile) (audit.Report, error) {
	store, err := stores.Read(ctx, file.Store)
	if err != nil {
		return audit.Report{}, err
	}
	defer store.Close()
	report, err := audit.Verify(ctx, store, note.VerifierList(file.Verifier), file.Verifier.Name(), file.Checkpoints)
	if err != nil {
		return report, fmt.Errorf("THE AUDIT LOG DOES NOT VERIFY. %d entries before the fault are as they were written. %w", report.Entries, err)
	}
	return report, nil
}

// verified is what is recorded of a verification.
type verified struct {
	Root     string `json:"root,omitempty"`
	Exported int    `json:"exported,omitempty"` // checkpoints that agreed
	Fault    string `json:"fault,omitempty"`
}

// recordVerified records a verification and what came of it (IG-3.9.3b).
func recordVerified(ctx context.Context, file *config.AuditFile, reason string, report audit.Report, wrong error) error {
	l, err := joinLog(ctx, file, reason)
	if err != nil {
		return err
	}
	result, did := "the log verifies", verified{Root: report.Root.String(), Exported: report.Exported}
	if wrong != nil {
		result, did = "the log does not verify", verified{Fault: wrong.Error()}
	}
	detail, err := json.Marshal(did)
	if err == nil {
		_, err = l.log.Append(ctx, audit.Entry{
			Kind:     audit.Verified,
			Time:     time.Now(),
			Remote:   l.who.Remote,
			Operator: l.who.Operator,
			Purpose:  l.who.Purpose,
			Reason:   result,
			Entries:  int(report.Entries),
			Detail:   detail,
		})
	}
	return errors.Join(err, l.close(ctx))
}
