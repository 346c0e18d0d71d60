package conform

import (
	"fmt"
	"io"
)

// Temporary: the renderers come from another branch, which replaces this file.

func (r Report) Text(w io.Writer, _ int) error {
	passed, failed, notRun := r.Counts()
	_, err := fmt.Fprintf(w, "%d passed, %d failed, %d not run\n", passed, failed, notRun)
	return err
}

func (r Report) JSON(w io.Writer) error  { return r.Text(w, 0) }
func (r Report) JUnit(w io.Writer) error { return r.Text(w, 0) }
func (r Report) HTML(w io.Writer) error  { return r.Text(w, 0) }

type Progress struct{ w io.Writer }

func NewProgress(w io.Writer, _ int, _ bool) *Progress { return &Progress{w} }

func (p *Progress) Done(r Result) {
	if r.Status == Failed {
		fmt.Fprintf(p.w, "failed %s: %s: %s\n", r.ID, r.Title, r.Got)
	}
}

func (p *Progress) Finish() {}
