package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/wardsmsp/ward/internal/conform"
)

// reportFiles are the files into which a conformance report is written, "" for none.
type reportFiles struct{ json, junit, html string }

func (f *reportFiles) flags(set *flag.FlagSet) {
	set.StringVar(&f.json, "json", "", "write the report as JSON into `FILE`")
	set.StringVar(&f.junit, "junit", "", "write the report as JUnit XML into `FILE`")
	set.StringVar(&f.html, "html", "", "write the report as a page into `FILE`")
}

// reportCode is the exit code of a run.
func reportCode(report conform.Report) int {
	if report.Succeeded() {
		return exitDone
	}
	return exitFailed
}

// write writes every file that was asked for. What cannot be written stops nothing
// else: a run is not to be repeated for it.
func (f *reportFiles) write(report conform.Report) error {
	var failed error
	for _, form := range []struct {
		path  string
		write func(io.Writer) error
	}{{f.json, report.JSON}, {f.junit, report.JUnit}, {f.html, report.HTML}} {
		if form.path == "" {
			continue
		}
		err := writeFile(form.path, form.write)
		if err != nil && failed == nil {
			failed = fmt.Errorf("the report could not be written: %w", err)
		}
	}
	return failed
}

func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	err = write(file)
	closed := file.Close()
	if err == nil {
		err = closed
	}
	return err
}
