package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/conform"
	"github.com/wardsmsp/ward/internal/conform/providers"
)

// conformProvider tries the provider that a client's configuration names. It ends
// with exitFailed if a case failed, or if there was none that passed.
func conformProvider(ctx context.Context, args []string, out, log io.Writer) (int, error) {
	set := flags("conform", log)
	path := set.String("config", "", "client configuration `FILE` with a [conform] table")
	list := set.Bool("list", false, "list the cases and send nothing")
	only := set.String("only", "", "run the conversations in which `TEXT` stands: in id, group, title or requirement")
	var files reportFiles
	files.flags(set)
	err := parseAlone(set, args)
	if err != nil {
		return exitUsage, err
	}
	cases := providers.Selected(*only)
	asks, conversations := 0, 0
	for _, c := range cases {
		asks += c.Asks
		if c.Conversation {
			conversations++
		}
	}
	if conversations == 0 {
		return exitUsage, usageError("no case has that text; see ward conform -list")
	}
	if *list {
		return exitDone, listCases(cases, out)
	}
	suite, err := suiteOf(*path)
	if err != nil {
		return exitFailed, err
	}
	fmt.Fprintf(log, "Conversations: %d. Questions that a sound provider puts to the Spine behind it: %d.\n", conversations, asks)
	progress := conform.NewProgress(log, len(cases), isTerminal(log))
	report, err := suite.Run(ctx, *only, progress.Done)
	progress.Finish()
	if err != nil {
		return exitFailed, err
	}
	err = errors.Join(report.Text(out, width()), files.write(report))
	if err != nil {
		return exitFailed, err
	}
	if ctx.Err() != nil {
		return exitFailed, errors.New("the run was stopped")
	}
	return reportCode(report), nil
}

func suiteOf(path string) (*providers.Suite, error) {
	file, err := config.LoadClient(path)
	if err != nil {
		return nil, wrong(path, err)
	}
	settings, err := providers.Configured(file)
	if err != nil {
		return nil, err
	}
	settings.Tool = build()
	return providers.New(settings)
}

// listCases prints one case on each line.
func listCases(cases []providers.Case, out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "CASE\tASKS\tLEVEL\tREQUIREMENTS\tTITLE")
	for _, c := range cases {
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\n", c.ID, c.Asks, c.Level(), strings.Join(c.Requirements, " "), c.Title)
	}
	return table.Flush()
}

// isTerminal reports whether what is written appears at once before a person.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
