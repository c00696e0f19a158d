package certificate

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// Facts of a run besides factOrder: what it must know again after a crash, when the
// systems no longer look as they did when it was planned.
const (
	factTag       = "tag"       // random: part of the names of what it makes
	factFolder    = "folder"    // where key, request, certificate and back-up lie
	factPlace     = "place"     // JSON of the place of the files
	factNames     = "names"     // comma-separated
	factCommon    = "common"    // common name
	factOld       = "old"       // serial number on disk, else served
	factUntil     = "until"     // end of the old one, RFC 3339
	factAnswering = "answering" // addresses that served something, comma-separated
	factReplaces  = "replaces"  // how ACME names the old one
	factObject    = "object"    // serial number in the Kubernetes Secret before
	factACM       = "acm"       // serial number in ACM before
	factSerial    = "serial"    // of the new one, once issued
)

// renewal is one target on its way.
type renewal struct {
	p      *Procedure
	e      *endpoint
	where  place
	tag    string
	folder string
	facts  map[string]string

	mu   sync.Mutex
	lock *flock.Flock
}

// Prepare looks at the endpoint and plans its renewal.
func (p *Procedure) Prepare(ctx context.Context, ask actions.Ask) (*actions.Prepared, error) {
	e, err := p.find(ask.Target)
	if err != nil {
		return nil, err
	}
	if no := usable(e); no != nil {
		return nil, no
	}
	n := &renewal{p: p, e: e}
	if ask.Past != nil {
		if err := n.recall(ask.Past.Facts); err != nil {
			return nil, err
		}
		return n.ready(n.outline(ask, nil)), nil
	}
	if n.where, err = locate(e); err != nil {
		return nil, err
	}
	if err := n.where.permitted(e); err != nil {
		return nil, err
	}
	s, err := n.look(ctx)
	if err != nil {
		return nil, err
	}
	n.facts = map[string]string{}
	if n.e.rot.ACME != nil && s.cert != nil {
		n.advised(ctx, s)
	}
	if len(s.due) == 0 && ask.Options[anyway] != "yes" {
		why := "it is in order: " + lifeLeft(s.leaf.NotBefore, s.leaf.NotAfter, p.now()) + ", every address serves it, and it is " + s.revoke
		if len(s.notes) > 0 {
			why += " (" + strings.Join(s.notes, "; ") + ")"
		}
		return nil, &actions.Refusal{What: "renewing the certificate of " + e.id, Why: why, Next: "ask for it with " + anyway + "=yes if you need it all the same, for example because its key may be known"}
	}
	if err := n.begin(ctx, s); err != nil {
		return nil, err
	}
	return n.ready(n.outline(ask, s)), nil
}

// advised adds what the ACME server says of the certificate.
func (n *renewal) advised(ctx context.Context, s *sight) {
	a := n.acme()
	defer a.close()
	due, replaces, note := a.advice(ctx, s.cert)
	if due != "" {
		s.due = append(s.due, due)
	}
	if note != "" {
		s.notes = append(s.notes, note)
	}
	n.facts[factReplaces] = replaces
}

// begin decides what a new run is to know.
func (n *renewal) begin(ctx context.Context, s *sight) error {
	var random [4]byte
	_, _ = rand.Read(random[:]) // it never fails
	n.tag = hex.EncodeToString(random[:])
	base := n.where.base
	if n.where.kind == inNothing {
		if base = n.p.state(); !filepath.IsAbs(base) {
			return &estate.Failure{Kind: estate.Misconfigure, Doing: "find a folder for the new key of " + n.e.id, Detail: "the state folder is not an absolute path", Next: "set XDG_STATE_HOME to one"}
		}
	}
	n.folder = filepath.Join(base, folderName(n.e)+n.tag)
	want, _, err := n.wanted(s)
	if err != nil {
		return err
	}
	where, err := json.Marshal(saveable(n.where))
	if err != nil {
		return changeError("plan", err)
	}
	_, answering := s.observed()
	n.facts[factTag], n.facts[factFolder], n.facts[factPlace] = n.tag, n.folder, string(where)
	n.facts[factNames], n.facts[factCommon] = strings.Join(want.names, ","), want.common
	n.facts[factOld], n.facts[factUntil], n.facts[factAnswering] = s.leaf.Serial, s.leaf.NotAfter.UTC().Format(time.RFC3339), strings.Join(answering, ",")
	if n.e.rot.Object != "" {
		if n.facts[factObject], err = n.objectSerial(ctx); err != nil {
			return err
		}
	}
	if n.e.rot.ACM != "" {
		if n.facts[factACM], err = n.acmSerial(ctx); err != nil {
			return err
		}
	}
	return nil
}

// placed is a place as it is kept.
type placed struct {
	Kind string `json:"kind,omitempty"`
	Cert string `json:"cert,omitempty"`
	Key  string `json:"key,omitempty"`
	Link string `json:"link,omitempty"`
	To   string `json:"to,omitempty"`
	Base string `json:"base,omitempty"`
}

func saveable(w place) placed { return placed{w.kind, w.cert, w.key, w.link, w.to, w.base} }

// recall takes up what an earlier run knew.
func (n *renewal) recall(facts map[string]string) error {
	n.facts, n.tag, n.folder = facts, facts[factTag], facts[factFolder]
	var w placed
	if err := json.Unmarshal([]byte(facts[factPlace]), &w); err != nil || n.tag == "" || !filepath.IsAbs(n.folder) {
		return &estate.Failure{Kind: estate.Broken, Doing: "take up the renewal of " + n.e.id, Detail: "the journal lacks what the run knew", Next: "abandon it, and go on by hand from the back-up beside the certificate"}
	}
	n.where = place{w.Kind, w.Cert, w.Key, w.Link, w.To, w.Base}
	base, err := n.baseOf(w.Kind)
	if err == nil {
		err = n.trusted(base)
	}
	if err != nil {
		return &estate.Failure{
			Kind: estate.Broken, Doing: "take up the renewal of " + n.e.id, Detail: clients.Strip(err.Error(), clients.DetailLimit),
			Next: "see who changed the journal or warroom.yaml since; else abandon it, and go on by hand from the back-up beside the certificate",
		}
	}
	return nil
}

// folderName begins the names of the folders of an endpoint. The dot keeps them out of
// servers that load every file of a folder.
func folderName(e *endpoint) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, e.name)
	return ".warroom-" + clean[:min(len(clean), 80)] + "-"
}

// want is for whom the certificate is asked.
func (n *renewal) want() subject {
	return subject{common: n.facts[factCommon], names: strings.Split(n.facts[factNames], ",")}
}

func (n *renewal) file(name string) string { return filepath.Join(n.folder, name) }

// Names of the files in the folder of a run.
const (
	keyFile     = "key.pem"
	requestFile = "request.pem"
	chainFile   = "certificate.pem"
	testedFile  = "tested"
	doneFile    = "done"
)

// newKeyPair reads the new key.
func (n *renewal) newKeyPair() (crypto.Signer, []byte, error) {
	text, m, err := readFile(n.file(keyFile))
	if err != nil {
		return nil, nil, errors.New("the new key is not in " + n.folder)
	}
	if m.UID >= 0 && m.Mode.Perm() != 0o600 {
		return nil, nil, fmt.Errorf("%s can be read by others", n.file(keyFile))
	}
	register(n.p.systems.Act.Net(), text)
	key, err := parseKey(text)
	return key, text, err
}

// issued reads the new certificate and its key, and makes sure that they belong
// together.
func (n *renewal) issued() (*bundle, []byte, error) {
	key, text, err := n.newKeyPair()
	if err != nil {
		return nil, nil, err
	}
	data, _, err := readFile(n.file(chainFile))
	if err != nil {
		return nil, nil, errors.New("the new certificate is not in " + n.folder)
	}
	b, err := parseBundle(data)
	if err != nil {
		return nil, nil, err
	}
	if !belongs(key, b.leaf) {
		return nil, nil, errors.New("the certificate in " + n.folder + " is for another key")
	}
	return b, text, nil
}

// newSerial is the new one's, from the run or from its folder.
func (n *renewal) newSerial(r *actions.Run) (string, error) {
	if s := r.Fact(factSerial); s != "" {
		return s, nil
	}
	b, _, err := n.issued()
	if err != nil {
		return "", err
	}
	return serial(b.leaf), nil
}

// builds reports whether a bundle leads to what the endpoint's clients trust.
func (n *renewal) builds(b *bundle) bool {
	key, _, err := n.newKeyPair()
	return err == nil && n.vet(b, key, subject{}, 0, time.Time{}) == nil
}

// hold takes the lock of the files, which lies beside them and ends with the process:
// two consoles on a host cannot renew one certificate at once.
func (n *renewal) hold(ctx context.Context, r *actions.Run) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.lock != nil {
		return nil
	}
	dir := filepath.Dir(n.folder)
	path := filepath.Join(dir, strings.TrimSuffix(folderName(n.e), "-")+".lock")
	held, who := false, "another console"
	err := changeFile(ctx, "lock "+path, func() error {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		l := flock.New(path, flock.SetPermissions(0o600), flock.SetFlag(os.O_CREATE|os.O_RDWR))
		ok, err := l.TryLock()
		if err != nil {
			return err
		}
		if !ok {
			// Who holds it is only a courtesy.
			if text, _, err := readFile(path); err == nil && len(text) > 0 {
				who = clients.Strip(string(text), 160)
			}
			held = true
			return errors.Join(l.Close(), errHeld)
		}
		n.lock = l
		text := fmt.Sprintf("run %s of %s since %s", r.Plan().ID, n.p.systems.Holder, n.p.now().UTC().Format(time.RFC3339))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			n.lock = nil
			return errors.Join(err, l.Close())
		}
		return nil
	})
	if held {
		return &actions.Refusal{What: "renewing the certificate of " + n.e.id, Why: "it is being renewed already, by " + who, Next: "wait for that run, or end it there"}
	}
	if err == nil {
		r.Hold(plan.Held{What: "lock " + path, For: "this renewal, against a second one on this host"}, true)
	}
	return err
}

var errHeld = errors.New("somebody else holds it")

// close gives the lock back.
func (n *renewal) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.lock != nil {
		_ = n.lock.Close() // it ends with the process at the latest
		n.lock = nil
	}
}

// ready is what carries a plan out.
func (n *renewal) ready(o plan.Plan, steps []actions.Step, observe func(context.Context) ([]plan.Observed, error)) *actions.Prepared {
	systems := []string{"files"}
	r := n.e.rot
	if r.Vault != nil {
		systems = append(systems, "vault:"+r.Vault.Cluster)
	}
	if r.Object != "" {
		systems = append(systems, "kubernetes:"+r.Cluster)
	}
	if r.ACM != "" {
		systems = append(systems, "aws:"+r.Account)
	}
	if r.Unit != "" {
		systems = append(systems, "systemd:"+n.bus())
	}
	return &actions.Prepared{Plan: o, Steps: steps, Observe: observe, Systems: systems, Close: n.close}
}

// prune removes the back-ups of earlier renewals of the endpoint that came to their
// end: the one of this run is kept.
func (n *renewal) prune(ctx context.Context) error {
	dir := filepath.Dir(n.folder)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return changeError("look for old back-ups in "+dir, err)
	}
	prefix := folderName(n.e)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if tag, ok := strings.CutPrefix(e.Name(), prefix); ok && len(tag) == 2*4 && e.IsDir() && path != n.folder && there(filepath.Join(path, doneFile)) {
			if err := remove(ctx, path); err != nil {
				return err
			}
		}
	}
	return nil
}

// temporaries are what must not stay when a run has ended: the second copy of the new
// key above all.
func (n *renewal) temporaries() []string {
	out := []string{n.file(keyFile), n.file(requestFile), n.file(chainFile), n.file(testedFile)}
	for _, name := range []string{keyFile, requestFile, chainFile, testedFile} {
		out = append(out, temporary(n.file(name)))
	}
	for _, path := range n.where.files() {
		out = append(out, temporary(path))
	}
	return slices.Compact(out)
}
