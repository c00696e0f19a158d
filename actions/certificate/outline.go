package certificate

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"warroom/actions"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// Ids of the steps.
const (
	stepKey     = "key"
	stepOrder   = "order"
	stepIssue   = "issue"
	stepCheck   = "check"
	stepBackup  = "backup"
	stepInstall = "install"
	stepObject  = "object"
	stepACM     = "acm"
	stepServed  = "served"
	stepCleanup = "cleanup"
)

// outline is the plan with what carries it out. Without a sight it is that of an
// earlier run, which is not observed anew: each of its steps looks for itself.
func (n *renewal) outline(ask actions.Ask, s *sight) (plan.Plan, []actions.Step, func(context.Context) ([]plan.Observed, error)) {
	p := plan.Plan{Title: fmt.Sprintf("Renew the certificate of %s (%s)", n.e.name, n.e.id), Facts: n.facts, Affected: n.affected()}
	var observe func(context.Context) ([]plan.Observed, error)
	if s != nil {
		p.Why = "It is renewed although it is in order: " + lifeLeft(s.leaf.NotBefore, s.leaf.NotAfter, n.p.now()) + "."
		if len(s.due) > 0 {
			p.Why = "The certificate must be renewed: " + strings.Join(s.due, "; ") + "."
		} else {
			p.NeedsReason = "the certificate is in order, and is renewed all the same"
		}
		p.Observed = n.observed(s)
		p.Warnings = n.warnings(s)
		observe = func(ctx context.Context) ([]plan.Observed, error) {
			now, err := n.look(ctx)
			if err != nil {
				return nil, err
			}
			return n.observed(now), nil
		}
	}
	if n.e.rot.ACM != "" && !n.acmReturns() {
		p.Irreversible = "the import over " + n.e.rot.ACM + ": ACM gives no private key back, and the certificate that it holds is not the one on this host, so it cannot be put back"
	}
	steps := []struct {
		on   bool
		step plan.Step
		do   actions.Step
	}{
		{true, n.keyStep(), n.keyWork()},
		{n.e.rot.ACME != nil, n.orderStep(), n.orderWork()},
		{true, n.issueStep(), n.issueWork()},
		{true, n.checkStep(), n.checkWork()},
		{n.keeps(), n.backupStep(), n.backupWork()},
		{n.where.kind != inNothing, n.installStep(), n.installWork(ask.Past)},
		{n.e.rot.Object != "", n.objectStep(), n.objectWork()},
		{n.e.rot.ACM != "", n.acmStep(), n.acmWork()},
		{true, n.servedStep(), n.servedWork()},
		{true, n.cleanupStep(), n.cleanupWork()},
	}
	var works []actions.Step
	for _, one := range steps {
		if one.on {
			p.Steps, works = append(p.Steps, one.step), append(works, one.do)
		}
	}
	return p, works, observe
}

// keeps reports whether something is replaced that can be backed up.
func (n *renewal) keeps() bool { return n.where.kind != inNothing || n.e.rot.Object != "" }

// acmReturns reports whether what ACM holds can be imported again: it is what lies on
// this host.
func (n *renewal) acmReturns() bool {
	return n.where.kind != inNothing && n.facts[factACM] != "" && n.facts[factACM] == plainSerial(n.facts[factOld])
}

// observed is on what the plan rests.
func (n *renewal) observed(s *sight) []plan.Observed {
	served, _ := s.observed()
	var out []plan.Observed
	if s.disk != nil {
		out = append(out, plan.Observed{Name: "Certificate in " + n.where.cert, Value: fmt.Sprintf("serial %s, %s", s.leaf.Serial, s.leaf.NotAfter.UTC().Format(time.RFC3339))})
	}
	out = append(out, plan.Observed{Name: "Served by " + n.e.Address + " for " + n.e.name, Value: served, Live: s.disk != nil})
	if s.revoke != "" {
		out = append(out, plan.Observed{Name: "Revocation", Value: s.revoke, Live: true})
	}
	out = append(out, plan.Observed{Name: "Remaining life", Value: lifeLeft(s.leaf.NotBefore, s.leaf.NotAfter, n.p.now()), Live: true})
	if n.e.rot.Object != "" {
		out = append(out, plan.Observed{Name: "Secret " + n.e.rot.Object, Value: "serial " + n.facts[factObject], Live: true})
	}
	if n.e.rot.ACM != "" {
		out = append(out, plan.Observed{Name: "ACM " + n.e.rot.ACM, Value: "serial " + n.facts[factACM], Live: true})
	}
	return out
}

// warnings are what a person must know first.
func (n *renewal) warnings(s *sight) []plan.Warning {
	var out []plan.Warning
	add := func(id, text string, accept bool) {
		out = append(out, plan.Warning{ID: id, Text: text, Accept: accept})
	}
	if s.stale(n) {
		add("reload-may-do", "The certificate on disk is in order and only not served: reloading the server may be all that is needed.", true)
	}
	if _, lost, _ := n.wanted(s); len(lost) > 0 {
		add("names-lost", "The new certificate will no longer be for "+strings.Join(lost[:min(len(lost), 10)], ", ")+": names of the rotation block leaves them out.", true)
	}
	if n.e.rot.SelfSigned {
		add("self-signed", "The new certificate is signed by its own key: whoever trusts the old one must be told of the new one by its fingerprint, or will refuse it.", true)
	}
	if text := n.where.window(); text != "" {
		add("two-renames", "Two files cannot be replaced at once: "+text+".", false)
	}
	if n.where.kind != inNothing && len(n.e.rot.Test) == 0 {
		add("no-test", "No command tests the server's configuration before it is reloaded: set test in the rotation block.", false)
	}
	if n.reloads() == "" {
		add("no-reload", "Nothing makes the server read the new certificate: it must notice by itself, or the last step fails.", false)
	}
	for i, note := range s.notes[:min(len(s.notes), 5)] {
		add(fmt.Sprintf("note-%d", i+1), strings.ToUpper(note[:1])+note[1:]+".", false)
	}
	add("issued", "What is issued stays issued: after a roll-back an unused certificate remains, which does no harm and ends by itself"+
		map[bool]string{true: " (in Vault it can be revoked)"}[n.e.rot.Vault != nil]+".", false)
	return out
}

// affected is who depends on the endpoint.
func (n *renewal) affected() []plan.Affected {
	out := []plan.Affected{{Component: estate.ID(n.e.component.ID), Name: n.e.component.Name, Critical: n.e.component.Criticality == "critical",
		How: "serves the new certificate for " + n.e.name + " once it is reloaded; connections that stand are kept by a reload"}}
	for _, peer := range n.peers()[1:] {
		out = append(out, plan.Affected{Component: estate.ID(peer.component.ID), Name: peer.component.Name, How: "serves the same files for " + peer.name + " at " + peer.Address})
	}
	cfg := n.p.systems.Config
	for _, f := range cfg.Flows {
		other := ""
		switch n.e.component.ID {
		case f.From:
			other = f.To
		case f.To:
			other = f.From
		}
		for i := range cfg.Components {
			if c := &cfg.Components[i]; other != "" && c.ID == other && !slices.ContainsFunc(out, func(a plan.Affected) bool { return a.Component == estate.ID(other) }) {
				out = append(out, plan.Affected{Component: estate.ID(c.ID), Name: c.Name, How: "is joined to it by an arrow of the diagram", Critical: c.Criticality == "critical"})
			}
		}
	}
	return out
}

func (n *renewal) keyStep() plan.Step {
	kind := n.e.rot.KeyType
	if kind == "" {
		kind = "ecdsa-p256"
	}
	return plan.Step{
		ID: stepKey, Title: "Make a new key and request", Where: n.e.component.Name, Change: true, Limit: 30 * time.Second,
		Calls: []string{
			"make the folder " + n.folder + " (mode 0700)", "write the new key (" + kind + ") to " + n.file(keyFile) + " (mode 0600)",
			"write the request for " + strings.Join(n.want().names, ", ") + " to " + n.file(requestFile),
		},
		Before: "the lock beside the files is free: nobody else on this host renews this certificate",
		Verify: "reads both back: the request is signed by the key, and nobody else may read the key",
		Undo:   "remove the folder " + n.folder + " with all that is in it",
	}
}

func (n *renewal) orderStep() plan.Step {
	calls := []string{"POST newAccount (finds the account of " + n.accountFile() + ", made with its key when there is none)", "POST newOrder for " + strings.Join(n.want().names, ", ")}
	if id := n.facts[factReplaces]; id != "" {
		calls[1] += ", as the replacement of " + id + "; without that where the server refuses it"
	}
	return plan.Step{
		ID: stepOrder, Title: "Order the certificate", Where: n.directory(), Change: true, Limit: 2 * time.Minute, Calls: calls,
		Verify: "the server named a place of the order, which is journalled, so that it is taken up again after a crash",
		Undo:   "nothing: an order that nobody finishes ends by itself",
	}
}

func (n *renewal) issueStep() plan.Step {
	by := n.issuerAbout()
	return plan.Step{
		ID: stepIssue, Title: "Have the certificate issued", Where: by, Change: true, Limit: acmePoll + 2*time.Minute,
		Calls:  append(n.issuerCalls(), "write it to "+n.file(chainFile)),
		Verify: "reads it back: it is for our key",
		Undo:   "nothing at the issuer: an unused certificate remains; the file goes with the folder",
	}
}

func (n *renewal) checkStep() plan.Step {
	verify := "the key is its own; it is for " + strings.Join(n.want().names, ", ") + "; its chain builds to the endpoint's CA; it is valid now, for servers, and long enough"
	if n.e.rot.SelfSigned {
		verify = "the key is its own; it is for " + strings.Join(n.want().names, ", ") + "; it is valid now, for servers, and long enough"
	}
	return plan.Step{ID: stepCheck, Title: "Check the certificate before it is installed", Where: n.e.component.Name, Verify: verify, Limit: 30 * time.Second}
}

func (n *renewal) backupStep() plan.Step {
	var calls []string
	for _, path := range n.where.files() {
		calls = append(calls, "copy "+path+" to "+n.oldDir()+" (mode 0600)")
	}
	if n.e.rot.Object != "" {
		calls = append(calls, "GET Secret "+n.e.rot.Object, "write its certificate and key to "+n.oldDir()+" (mode 0600)")
	}
	return plan.Step{
		ID: stepBackup, Title: "Back up what will be replaced", Where: n.e.component.Name, Calls: calls, Change: true, Limit: 30 * time.Second,
		Verify: "reads the copies back and compares them with their digests", Undo: "nothing: the back-up goes with the folder, once all is put back",
	}
}

func (n *renewal) installStep() plan.Step {
	var calls []string
	switch n.where.kind {
	case inFolder:
		dir, to := n.where.next(n.tag)
		calls = []string{"write a copy of " + filepath.Dir(n.where.cert) + " with the new key and certificate to " + dir, "swap the link " + n.where.link + " to " + to + ", by one rename"}
	case inCombined:
		calls = []string{"replace " + n.where.cert + " with certificate and key, by one rename"}
	default:
		calls = []string{"write both beside " + n.where.cert + " and " + n.where.key, "rename the key, then the certificate, into their places"}
	}
	undo := "put the files of the back-up in place, with mode and owner"
	if len(n.e.rot.Test) > 0 {
		calls = append(calls, "run "+quoted(n.e.rot.Test)+"; where it says no, the old files are put back at once and read back")
	}
	if how := n.reloads(); how != "" {
		undo += "; " + how + ", unless nothing was reloaded and every address serves the old one"
	}
	return plan.Step{
		ID: stepInstall, Title: "Install key and certificate", Where: n.e.component.Name, Calls: calls, Change: true, Limit: 2 * time.Minute,
		Before: "the files are those of the back-up", Verify: "reads them back: content, mode and owner", Undo: undo,
	}
}

func (n *renewal) objectStep() plan.Step {
	return plan.Step{
		ID: stepObject, Title: "Update the Kubernetes Secret", Where: "kubernetes:" + n.e.rot.Cluster, Change: true, Limit: time.Minute,
		Calls:  []string{"GET Secret " + n.e.rot.Object, "PATCH Secret " + n.e.rot.Object + " with tls.crt and tls.key, of the version that was read"},
		Before: "it is a kubernetes.io/tls Secret that nothing else keeps", Verify: "reads it back: the new serial number, and its key", Undo: "PATCH it with what the back-up holds",
	}
}

func (n *renewal) acmStep() plan.Step {
	s := plan.Step{
		ID: stepACM, Title: "Import the certificate into ACM", Where: "aws:" + n.e.rot.Account, Change: true, Limit: 3 * time.Minute,
		Calls: []string{"acm:ImportCertificate over " + n.e.rot.ACM}, Before: "it was imported, and not issued by ACM", Verify: "acm:DescribeCertificate names the new serial number",
	}
	if n.acmReturns() {
		s.Undo = "acm:ImportCertificate of the old certificate and key from the back-up"
	}
	return s
}

func (n *renewal) servedStep() plan.Step {
	s := plan.Step{
		ID: stepServed, Title: "See the new certificate served", Where: n.e.component.Name, Limit: commandLimit + 2*n.p.drain + time.Minute,
		Verify: fmt.Sprintf("%d new handshakes in a row with every address of %s, none of them resumed, show the new serial number", looks, n.e.Address),
	}
	if how := n.reloads(); how != "" {
		s.Title, s.Calls, s.Change = "Reload, and see the new certificate served", []string{how}, true
		s.Undo = "nothing by itself: the server is reloaded once the old files are back"
	}
	return s
}

func (n *renewal) cleanupStep() plan.Step {
	keep := ""
	if n.keeps() {
		keep = "; the back-up stays in " + n.oldDir() + " until the next renewal"
	}
	return plan.Step{
		ID: stepCleanup, Title: "Remove the temporary key", Where: n.e.component.Name, Change: true, Limit: 30 * time.Second,
		Calls:  []string{"remove key, request and certificate from " + n.folder + keep, "remove the back-ups of earlier renewals of " + n.e.name},
		Verify: "looks that they are gone", Undo: "nothing: they are of no use to the old certificate",
	}
}
