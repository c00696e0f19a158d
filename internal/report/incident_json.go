package report

import (
	"encoding/json"
	"fmt"
	"io"
)

// JSON writes the document warroom.incident-report/v1.
func (i *Incident) JSON(out io.Writer) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&i.doc); err != nil {
		return fmt.Errorf("write the report of incident %s as JSON: %w", i.doc.ID, err)
	}
	return nil
}
