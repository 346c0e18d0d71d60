package conform

import (
	"crypto/sha256"
	_ "embed" // the page and its style
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"time"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// HTML writes the report as one page that needs nothing else: no script, no font,
// no address. Its policy admits its own style by that style's hash and nothing more.
// It returns the error of w.
func (r Report) HTML(w io.Writer) error {
	page, err := template.New("report").Funcs(template.FuncMap{"elapsed": elapsed, "sentence": sentence}).Parse(pageHTML)
	if err != nil {
		return err
	}
	c := r.Counts()
	hash := sha256.Sum256([]byte(pageCSS))
	return page.Execute(w, struct {
		view
		Style  template.CSS
		Policy string
		Note   string
		Counts []count
	}{
		view:   r.view(),
		Style:  template.CSS(pageCSS),
		Policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; base-uri 'none'; form-action 'none'",
		Note:   selfAssessed,
		Counts: []count{{Failed, c.Failed}, {Differs, c.Differs}, {NotRun, c.NotRun}, {Passed, c.Passed}},
	})
}

// count is how many cases have a status.
type count struct {
	Status Status
	Number int
}

// elapsed is "1.2 s", or "12 ms" for less than a second.
func elapsed(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// sentence is the status at the beginning of a line.
func sentence(s Status) string {
	switch s {
	case Passed:
		return "Passed"
	case Failed:
		return "Failed"
	case Differs:
		return "Differs"
	default:
		return "Not run"
	}
}
