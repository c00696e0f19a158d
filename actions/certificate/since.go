package certificate

import (
	"os"
	"strings"

	"warroom/actions"
	"warroom/internal/clients"
)

// mismatched begins the serial number of a certificate that lies beside a key that is
// not its own.
const mismatched = "mismatched "

// ours refuses to put the old certificate back in the place of one that is neither that
// nor the one of this run: somebody has renewed it since, and theirs is the newer one.
func (n *renewal) ours(r *actions.Run, where, is, old string) error {
	fresh, _ := n.newSerial(r) // empty where none came to be issued: then nothing of ours is there
	if is == "" || is == old || is == fresh || strings.HasPrefix(is, mismatched) {
		return nil
	}
	return &actions.Refusal{
		What: "putting the old certificate back in " + where, Why: "it holds serial " + clients.Strip(brief(is), 60) + ", which is neither that of before nor that of this run: somebody has renewed it since",
		Next: "see that the newer one is served, and abandon this run",
	}
}

// replacedSince is ours for the files. What cannot be read is put back.
func (n *renewal) replacedSince(r *actions.Run) error {
	if n.where.kind == inNothing {
		return nil
	}
	if n.where.kind == inFolder {
		_, to := n.where.next(n.tag)
		if now, err := os.Readlink(n.where.link); err == nil && now != to && now != n.where.to {
			return n.ours(r, n.where.link, "in "+now, n.facts[factOld])
		}
		return nil
	}
	data, _, err := readFile(n.where.cert)
	if err != nil {
		return nil
	}
	b, err := parseBundle(data)
	if err != nil {
		return nil
	}
	return n.ours(r, n.where.cert, serial(b.leaf), n.facts[factOld])
}
