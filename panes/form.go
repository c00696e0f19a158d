package panes

// FormField is one line, text or choice of a form.
type FormField struct {
	Label   string
	Value   string   // what was typed
	Hint    string   // shown while Value is empty
	Problem string   // why it cannot be sent as it is; empty when it can
	Options []string // one of which is chosen; nil for a text
	Chosen  int      // index into Options
	Cursor  int      // bytes of Value before the cursor
	// Multiline says that Value may hold line ends.
	Multiline bool
}

// FormView is a form: text, fields and buttons of which the first is Cancel.
type FormView struct {
	Title    string
	Body     []string
	Fields   []FormField
	Buttons  []string
	Selected int // a field, and from len(Fields) on a button
}

// Form is a framed dialog with fields. Its buttons and the selected field are in
// sight however small the frame is.
func Form(f Frame, v FormView) []string {
	body := append([]string(nil), v.Body...)
	for _, one := range v.Fields {
		value := one.Value
		if len(one.Options) > 0 {
			value = one.Options[max(0, min(one.Chosen, len(one.Options)-1))]
		}
		body = append(body, one.Label+" "+value+" "+one.Problem)
	}
	return Dialog(f, v.Title, body, v.Buttons, v.Selected-len(v.Fields))
}
