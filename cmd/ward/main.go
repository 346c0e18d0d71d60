// Command ward is a CP-IS Spine Mini Service Provider and its tools.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	_ "time/tzdata" // United Kingdom time on machines without a zone database
)

const usage = `ward is a CP-IS Spine Mini Service Provider.

  ward serve -config FILE                    answer clients
  ward config check FILE                     find every problem of a configuration
  ward config budget-notice FILE             write the limits of ASIDs as a notice to NHS England
  ward ask -config FILE NHSNUMBER            ask a provider one question. This notifies.
           [-json | -raw | -request] [-born YYYY-MM-DD]
  ward conform -config FILE                  try a provider of a test environment, case by
           [-only TEXT] [-list]              case. Cases that it must accept ask: this notifies.
           [-json FILE] [-junit FILE] [-html FILE]
  ward conform client -config FILE           play the provider for a client under test
           [-confirm FILE] [-json FILE] [-junit FILE] [-html FILE]
  ward audit verify -config FILE             check the whole audit log, or what was handed
           -key FILE -export|-proof FILE     out of it, with nothing but its public key
  ward audit search -config FILE             find entries by patient, user, client, time ...
           [-nhs NUMBER] [-user USER] ...    (-h lists all). Reading is recorded in the log.
  ward audit viewers -config FILE            list who asked about a patient, and who saw the
           -nhs NUMBER|- [-json]             log's entries about them. Recorded in the log.
           [-since TIME] [-until TIME] [-reason TEXT]
  ward audit show -config FILE               show entries  [-from N] [-n COUNT] [-json]
           [-correlation ID]                 or one whole transaction. Recorded in the log.
  ward audit export -config FILE             write the entries that a search would find
           [-format jsonl|fhir|atna] [-open] (-h lists all). Recorded in the log.
  ward audit prove -config FILE -seq N       write a proof that an entry is in the log
           [-open] [-out FILE]               Recorded in the log.
  ward audit backup -config FILE -out FILE   copy the audit log, in use or not. Recorded in the log.
  ward audit restore -config FILE            go on from a backup, or from a database brought
           [-from FILE] [-accept-loss]       back by its own tools  [-reason TEXT]
  ward audit migrate -config FILE -to FILE   move the audit log to another store
  ward audit recover -config FILE            close as unknown what an instance that is gone for
           -instance NAME                    good left open, in a log that several share
  ward audit keygen -name NAME -out FOLDER   make the keys that sign checkpoints
  ward audit hold -config FILE -name NAME    lay a legal hold: nothing that it covers is removed
           -authority TEXT [-nhs NUMBER|-] [-user USER] [-org CODE]
           [-since DATE] [-until DATE] [-reason TEXT]
  ward audit holds -config FILE              list the active holds
  ward audit release -config FILE            lift one  -name NAME -authority TEXT [-reason TEXT]
  ward audit expire -config FILE             remove content whose time of retention has ended
           [-dry-run]
  ward audit order -key FILE -origin NAME    sign an erasure order, on another machine
           -nhs NUMBER|- -authority TEXT -until DATE -out FILE [-first N -last N]
  ward audit order -generate -name NAME      make the keys that sign erasure orders
           -out FOLDER
  ward audit erase -config FILE -order FILE  destroy content on a signed order  [-dry-run]
  ward audit subject -config FILE            write what the log holds about a person, for them
           -nhs NUMBER|- -out FOLDER [-mask] [-reason TEXT]
  ward audit compact -config FILE            write the database anew, while Ward is stopped
  ward version
`

// Exit codes. Those of ask keep an answer apart from the two kinds of no answer.
const (
	exitDone       = 0 // an answer: a record was found, or none is held
	exitFailed     = 1
	exitUsage      = 2
	exitNotChecked = 3 // nothing was asked, or the Spine refused who asked
	exitNotKnown   = 4 // asked, or possibly asked, without a usable answer
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// usageError means that the command line is wrong. An empty one was already told.
type usageError string

func (e usageError) Error() string { return string(e) }

// run is the whole program but the process around it.
func run(ctx context.Context, args []string, out, log io.Writer) int {
	if len(args) > 1 && (args[0] == "config" || args[0] == "audit" || args[0] == "conform" && args[1] == "client") {
		args = append([]string{args[0] + " " + args[1]}, args[2:]...)
	}
	if len(args) == 0 {
		fmt.Fprint(log, usage)
		return exitUsage
	}
	code := exitDone
	var err error
	switch args[0] {
	case "serve":
		err = serve(ctx, args[1:], log)
	case "config check":
		err = checkConfig(args[1:], out)
	case "config budget-notice":
		err = budgetNotice(args[1:], out)
	case "ask":
		code, err = ask(ctx, args[1:], out, log)
	case "conform client":
		code, err = conformClient(ctx, args[1:], out, log)
	case "audit verify":
		err = auditVerify(ctx, args[1:], out, log)
	case "audit search":
		err = auditSearch(ctx, args[1:], out, log)
	case "audit viewers":
		err = auditViewers(ctx, args[1:], out, log)
	case "audit export":
		err = auditExport(ctx, args[1:], out, log)
	case "audit prove":
		err = auditProve(ctx, args[1:], out, log)
	case "audit show":
		err = auditShow(ctx, args[1:], out, log)
	case "audit backup":
		err = auditBackup(ctx, args[1:], out, log)
	case "audit restore":
		err = auditRestore(ctx, args[1:], out, log)
	case "audit migrate":
		err = auditMigrate(ctx, args[1:], out, log)
	case "audit recover":
		err = auditRecover(ctx, args[1:], out, log)
	case "audit keygen":
		err = auditKeygen(args[1:], out, log)
	case "audit hold":
		err = auditHold(ctx, args[1:], out, log)
	case "audit holds":
		err = auditHolds(ctx, args[1:], out, log)
	case "audit release":
		err = auditRelease(ctx, args[1:], out, log)
	case "audit expire":
		err = auditExpire(ctx, args[1:], out, log)
	case "audit order":
		err = auditOrder(args[1:], out, log)
	case "audit erase":
		err = auditErase(ctx, args[1:], out, log)
	case "audit subject":
		err = auditSubject(ctx, args[1:], out, log)
	case "audit compact":
		err = auditCompact(ctx, args[1:], out, log)
	case "conform":
		code, err = conformProvider(ctx, args[1:], out, log)
	case "version":
		fmt.Fprintln(out, build())
	case "help", "-h", "-help", "--help":
		fmt.Fprint(out, usage)
	default:
		fmt.Fprintf(log, "ward: %q is not a command\n\n%s", args[0], usage)
		return exitUsage
	}
	var misused usageError
	switch {
	case err == nil:
		return code
	case errors.As(err, &misused):
		code = exitUsage
	default:
		code = exitFailed
	}
	if err.Error() != "" {
		fmt.Fprintf(log, "ward: %v\n", err)
	}
	return code
}

// flags makes a flag set that reports errors without ending the process.
func flags(name string, log io.Writer) *flag.FlagSet {
	set := flag.NewFlagSet("ward "+name, flag.ContinueOnError)
	set.SetOutput(log)
	return set
}

// parse reads flags that may stand before and after the arguments, and returns
// the arguments.
func parse(set *flag.FlagSet, args []string) ([]string, error) {
	var rest []string
	for {
		err := set.Parse(args)
		if err != nil {
			return nil, usageError("")
		}
		if set.NArg() == 0 {
			return rest, nil
		}
		rest = append(rest, set.Arg(0))
		args = set.Args()[1:]
	}
}

// parseAlone reads flags that no argument may follow.
func parseAlone(set *flag.FlagSet, args []string) error {
	rest, err := parse(set, args)
	if err == nil && len(rest) > 0 {
		err = usageError(set.Name() + " takes flags only")
	}
	return err
}

// build says which build this is.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "ward (unknown build)"
	}
	revision := "no revision"
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	return "ward " + info.Main.Version + " " + revision + " " + info.GoVersion
}
