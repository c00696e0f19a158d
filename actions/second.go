package actions

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"warroom/internal/plan"
)

// second checks the signature of another operator over a plan, and says who it is and
// with which key. The file of signers is read each time, so that who was taken out of
// it signs no more.
func (e *Engine) second(p *plan.Plan, armored string, now time.Time) (who, fingerprint string, err error) {
	refuse := func(why, next string) (string, string, error) {
		return "", "", &Refusal{What: "the run of " + p.Procedure + " on " + p.Target, Why: why, Next: next}
	}
	switch {
	case e.o.Signers == "":
		return refuse("another operator must sign this plan, and nobody is named who may", "set recovery.signers to an OpenSSH allowed_signers file")
	case strings.TrimSpace(armored) == "":
		return refuse("another operator must sign this plan", "have them sign its statement: ssh-keygen -Y sign -n "+plan.SignatureNamespace)
	}
	signature, err := parseSignature(armored)
	if err != nil {
		return refuse("the signature cannot be read: "+err.Error(), "paste all of it, from the first line to the last")
	}
	if err := signature.verify(p.Statement(), plan.SignatureNamespace); err != nil {
		return refuse("the signature does not hold: "+err.Error(), "have exactly the statement of this plan signed")
	}
	fingerprint = ssh.FingerprintSHA256(signature.key)
	if slices.Contains(e.o.OwnKeys, fingerprint) {
		return refuse("it was signed with a key of this console ("+fingerprint+")", "have another person sign it with theirs")
	}
	all, err := readSigners(e.o.Signers)
	if err != nil {
		return refuse(fmt.Sprintf("the file of signers %s cannot be used: %s", e.o.Signers, e.text(err.Error())), "mend it, or name another one in recovery.signers")
	}
	blob := signature.key.Marshal()
	why := "its key " + fingerprint + " is of nobody who may sign"
	for i := range all {
		s := &all[i]
		if !bytes.Equal(s.key.Marshal(), blob) {
			continue
		}
		if slices.ContainsFunc(s.principals, func(name string) bool { return samePerson(name, e.o.Operator) }) {
			return refuse("it was signed by "+e.text(strings.Join(s.principals, ","))+", and "+e.o.Operator+" is who acts here", "have another person sign it")
		}
		if err := s.allows(plan.SignatureNamespace, now); err != nil {
			why = err.Error()
		} else if who == "" {
			who = e.text(strings.Join(s.principals, ","))
		}
	}
	if who == "" {
		return refuse("the signature does not count: "+why, "have somebody sign it whom "+e.o.Signers+" allows to")
	}
	return who, fingerprint, nil
}

// samePerson reports whether a principal of the file of signers may be the operator. A
// name without a domain may be anybody's of that name.
func samePerson(principal, operator string) bool {
	principal, operator = strings.ToLower(strings.TrimPrefix(principal, "!")), strings.ToLower(operator)
	if wild(principal, operator) {
		return true
	}
	name, _, domain := strings.Cut(principal, "@")
	own, _, ownDomain := strings.Cut(operator, "@")
	return !(domain && ownDomain) && wild(name, own)
}
