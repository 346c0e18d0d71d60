package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

func auditKeygen(args []string, out, log io.Writer) error {
	set := flags("audit keygen", log)
	name := set.String("name", "", "`NAME` of the log, such as smsp.example.nhs.uk/audit")
	folder := set.String("out", ".", "`FOLDER` to write audit-key, audit-key.pub, sealing-key and index-key to")
	only := set.String("only", "", "make only another `KEY` of what is personal in the log: sealing or index")
	err := parseAlone(set, args)
	if err != nil {
		return err
	}
	if *only != "" {
		return anotherKey(*only, *folder, out)
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

// anotherKey makes a key that takes the place of the newest one.
func anotherKey(kind, folder string, out io.Writer) error {
	generate := map[string]func(io.Reader) (string, error){"sealing": seal.GenerateSealingKey, "index": seal.GenerateIndexKey}[kind]
	if generate == nil {
		return usageError("a log can get another sealing or index key: -only sealing|index")
	}
	path, err := newKey(folder, kind+"-key-"+time.Now().UTC().Format(time.DateOnly), generate)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "wrote %s (secret: put it first in audit.%s_keys, and keep those that are there)\n", path, kind)
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
