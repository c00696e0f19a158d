package report

import (
	"bufio"
	_ "embed" // for the page
	"fmt"
	"html/template"
	"io"
)

//go:embed incident.html.tmpl
var pageText string

var page = template.Must(template.New("report").Parse(pageText))

// HTML writes the report as one file: no script, nothing loaded from elsewhere. It
// follows the reader's choice of light or dark, and prints light.
func (i *Incident) HTML(out io.Writer) error {
	w := bufio.NewWriter(out)
	err := page.Execute(w, struct {
		Title    string
		Drill    bool
		Sections []section
		Picture  *picture
	}{i.doc.title(), i.doc.Drill != "", i.doc.sections(), i.doc.draw()})
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		return fmt.Errorf("write the report of incident %s as HTML: %w", i.doc.ID, err)
	}
	return nil
}
