package runbook

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"slices"
	"sync"

	"warroom/internal/decode"
)

//go:embed guide.yaml
var guide []byte

// Guide is the embedded runbook. It is shared: nobody may change it.
func Guide() *Runbook { return parsedGuide() }

var parsedGuide = sync.OnceValue(func() *Runbook {
	r, err := Parse("guide.yaml", guide, nil)
	if err != nil {
		panic(err) // a mistake in the program; a test parses it
	}
	return r
})

// Error is everything that is wrong with one runbook.
type Error struct {
	File     string
	Problems decode.Problems // at least one, in the order of their lines
}

// Error is one problem a line, each as file:line:column: path: what is wrong.
func (e *Error) Error() string { return e.Problems.Error() }

// Parse reads and validates data. file is the name that problems carry; sensors
// are the names that may stand under sense, nil when they are not to be checked.
// The error is an *Error with all that is wrong; there is no runbook then.
func Parse(file string, data []byte, sensors []string) (*Runbook, error) {
	r := &Runbook{}
	doc := decode.YAML(file, data, r)
	if !doc.Broken() {
		(&validator{doc: doc, sensors: sensors}).runbook(r)
	}
	if problems := doc.Problems(); len(problems) > 0 {
		return nil, &Error{File: file, Problems: problems}
	}
	sum := sha256.Sum256(data)
	r.Digest, r.Source = hex.EncodeToString(sum[:]), slices.Clone(data)
	return r, nil
}

// Node is the node of the flow with this id and its phase; nil when there is
// none.
func (r *Runbook) Node(id string) (*FlowPhase, *Node) {
	for i := range r.Flow {
		for j := range r.Flow[i].Nodes {
			if r.Flow[i].Nodes[j].ID == id {
				return &r.Flow[i], &r.Flow[i].Nodes[j]
			}
		}
	}
	return nil, nil
}

// Item is the item of the checklist with this id and its phase; nil when there
// is none. A completion call is found too, made by Call.
func (r *Runbook) Item(id string) (*ListPhase, *Item) {
	for i := range r.Checklist {
		p := &r.Checklist[i]
		for j := range p.Items {
			if p.Items[j].ID == id {
				return p, &p.Items[j]
			}
		}
		if p.CompleteID() == id {
			return p, p.Call()
		}
	}
	return nil, nil
}

// Call is the phase's completion call as an item.
func (p *ListPhase) Call() *Item { return &Item{ID: p.CompleteID(), Text: p.Complete} }

// Matrix reports whether the phase is drawn as a matrix instead of a line.
func (p *FlowPhase) Matrix() bool { return len(p.Nodes) > 0 && p.Nodes[0].Group != "" }

// Groups lists the columns of a matrix from left to right; nil for a line.
func (p *FlowPhase) Groups() []string {
	var out []string
	for i := range p.Nodes {
		if g := p.Nodes[i].Group; g != "" && !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	return out
}
