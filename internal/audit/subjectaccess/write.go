package subjectaccess

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"io"
	"time"
)

//go:embed report.html
var page string

// HTML writes the report as one page that needs nothing else: no script, no font and no
// picture from anywhere.
func (r *Report) HTML(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"time":  func(t time.Time) string { return t.UTC().Format("2 January 2006 15:04:05 UTC") },
		"group": func(n string) string { return n[:3] + " " + n[3:6] + " " + n[6:] },
	}).Parse(page)
	if err != nil {
		return err
	}
	return t.Execute(w, r)
}

// JSON writes the report for machines.
func (r *Report) JSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}
