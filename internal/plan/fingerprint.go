package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Fingerprint identifies everything that a plan will do, on what it rests and until
// when it may be granted: the SHA-256 of its JSON, whose maps are sorted, in
// hexadecimal. Two plans that differ in anything a person would want to know have
// different ones.
func (p *Plan) Fingerprint() string {
	text, err := json.Marshal(p)
	if err != nil { // strings, times and numbers: only a year beyond 9999
		return ""
	}
	sum := sha256.Sum256(append([]byte("warroom plan v1\n"), text...))
	return hex.EncodeToString(sum[:])
}

// SignatureNamespace is what another operator signs in: ssh-keygen -Y sign -n.
const SignatureNamespace = "warroom-plan"

// Statement is the text that another operator signs: it can be read and sent over
// any channel.
func (p *Plan) Statement() string {
	return fmt.Sprintf("warroom %s %s %s in %s\nplan %s\nfingerprint sha256:%s\nvalid until %s\n",
		p.Mode, p.Procedure, p.Target, p.Environment, p.ID, p.Fingerprint(), p.Expires.UTC().Format("2006-01-02T15:04:05Z"))
}

// Step is the step called id.
func (p *Plan) Step(id string) (Step, bool) {
	for i := range p.Steps {
		if p.Steps[i].ID == id {
			return p.Steps[i], true
		}
	}
	return Step{}, false
}

// Changes reports whether any step changes anything.
func (p *Plan) Changes() bool {
	for i := range p.Steps {
		if p.Steps[i].Change {
			return true
		}
	}
	return false
}

// NeedsTyped reports whether the target's name must be typed to consent: where
// something that is changed cannot be undone, or a reason is asked for. Any other
// plan needs an explicit yes.
func (p *Plan) NeedsTyped() bool {
	return p.Changes() && (p.Irreversible != "" || p.NeedsReason != "")
}
