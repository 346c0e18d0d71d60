package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/reading"
	"github.com/wardsmsp/ward/internal/audit/stores"
	"github.com/wardsmsp/ward/internal/config"
)

// auditTime is how long opening and closing the audit log may take, beside a provider
// that writes to it.
const auditTime = 10 * time.Second

// auditLog is an audit log that was opened beside the provider, so that what is done
// with it can be recorded in it.
type auditLog struct {
	file  *config.AuditFile
	store stores.Store
	log   *audit.Log
	who   reading.Who
}

// openLog opens the audit log of a configuration for somebody to read it.
func openLog(ctx context.Context, path, reason string) (*auditLog, error) {
	file, err := config.LoadAudit(path)
	if err != nil {
		return nil, wrong(path, err)
	}
	return joinLog(ctx, file, reason)
}

// joinLog opens an audit log beside the provider. It needs the keys of the log, and
// neither the certificates of the service nor the service.
func joinLog(ctx context.Context, file *config.AuditFile, reason string) (*auditLog, error) {
	switch {
	case file.Signer == nil:
		return nil, errors.New("what is done with the log is recorded in it, and that needs audit.signing_key, which cannot be read; " +
			"run this as the user of the service, or see what is wrong with: ward config check")
	case file.Keys == nil:
		return nil, errors.New("opening the log needs audit.sealing_keys and audit.index_keys, which cannot be read; " +
			"run this as the user of the service, or see what is wrong with: ward config check")
	}
	who, err := operator(reason)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, auditTime)
	defer cancel()
	store, err := stores.Join(ctx, file.Store)
	if err != nil {
		return nil, fmt.Errorf("what is done with the log is recorded in it, and it cannot be opened to be written: %w", err)
	}
	log, err := audit.Open(ctx, audit.Options{
		Store:       store,
		Signer:      file.Signer,
		Keys:        file.Keys,
		Checkpoints: file.Checkpoints,
		Logger:      slog.New(slog.DiscardHandler), // errors are returned
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("what is done with the log is recorded in it, and it cannot be written: %w", err), store.Close())
	}
	return &auditLog{file: file, store: store, log: log, who: who}, nil
}

func (l *auditLog) reader() *reading.Reader { return reading.New(l.store, l.file.Keys, l.log) }

// close closes the log in order, also after ctx has ended.
func (l *auditLog) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTime)
	defer cancel()
	return errors.Join(l.log.Close(ctx), l.store.Close())
}

// operator is who runs this program: of one who became root, who they were before.
func operator(reason string) (reading.Who, error) {
	current, err := user.Current()
	if err != nil {
		return reading.Who{}, fmt.Errorf("who reads the log is recorded in it, and cannot be told: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return reading.Who{}, fmt.Errorf("the name of this machine is recorded in the log, and cannot be told: %w", err)
	}
	who := reading.Who{Operator: current.Username, Purpose: reason, Remote: host}
	before := os.Getenv("SUDO_USER")
	if os.Getuid() == 0 && before != "" {
		who.Operator = before
	}
	return who, nil
}
