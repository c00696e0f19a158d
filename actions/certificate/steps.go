package certificate

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

func (n *renewal) issuerAbout() string {
	if r := n.e.rot; r.ACME != nil {
		return "the ACME server " + r.ACME.Directory
	}
	return n.issuerOf().about()
}

func (n *renewal) issuerCalls() []string {
	if n.e.rot.ACME != nil {
		return (&acmeIssuer{n: n, of: n.e.rot.ACME}).calls()
	}
	return n.issuerOf().calls()
}

// keyWork makes key and request.
func (n *renewal) keyWork() actions.Step {
	whole := func() error {
		key, _, err := n.newKeyPair()
		if err != nil {
			return err
		}
		request, err := n.request()
		if err != nil {
			return err
		}
		if !sameKey(key, request) {
			return fmt.Errorf("the request is not of the new key")
		}
		return nil
	}
	return actions.Step{
		Do: func(ctx context.Context, r *actions.Run) error {
			if err := n.hold(ctx, r); err != nil {
				return err
			}
			if err := makeDir(ctx, n.folder); err != nil {
				return err
			}
			key, _, err := n.newKeyPair()
			if err != nil {
				var text []byte
				if key, text, err = newKey(n.e.rot.KeyType); err != nil {
					return changeError("make a key", err)
				}
				register(n.p.systems.Act.Net(), text)
				if err := put(ctx, n.file(keyFile), text, private); err != nil {
					return err
				}
			}
			der, err := n.want().request(key)
			if err != nil {
				return changeError("make a request", err)
			}
			return put(ctx, n.file(requestFile), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), private)
		},
		Probe: func(context.Context, *actions.Run) (plan.Effect, string, error) {
			if !there(n.folder) {
				return plan.NotDone, n.folder + " is not there", nil
			}
			if err := whole(); err != nil {
				return plan.Partly, err.Error(), nil
			}
			return plan.Took, "key and request are in " + n.folder, nil
		},
		Verify: func(context.Context, *actions.Run) (string, error) {
			if err := whole(); err != nil {
				return "", changeError("read the new key back", err)
			}
			return "key and request are in " + n.folder + ", and belong together", nil
		},
		Undo: func(ctx context.Context, r *actions.Run) error {
			if err := n.hold(ctx, r); err != nil {
				return err
			}
			if err := n.sweep(ctx); err != nil {
				return err
			}
			return remove(ctx, n.folder)
		},
		VerifyUndo: func(context.Context, *actions.Run) (string, error) {
			for _, path := range append(n.temporaries(), n.folder) {
				if there(path) {
					return "", &estate.Failure{Kind: estate.Broken, Doing: "see the temporary files gone", Detail: path + " is still there", Next: "remove it by hand: the new key may be in it"}
				}
			}
			return "no copy of the new key is left", nil
		},
	}
}

// orderWork places the order at the ACME server.
func (n *renewal) orderWork() actions.Step {
	if n.e.rot.ACME == nil {
		return actions.Step{}
	}
	return actions.Step{
		Do: func(ctx context.Context, r *actions.Run) error {
			a := n.acme()
			defer a.close()
			return a.place(ctx, r, n.want(), n.facts[factReplaces])
		},
		Probe: func(_ context.Context, r *actions.Run) (plan.Effect, string, error) {
			if at := r.Fact(factOrder); at != "" {
				return plan.Took, "the order is at " + at, nil
			}
			return plan.NotDone, "no order is known; one that was placed and not noted ends by itself", nil
		},
		Verify: func(_ context.Context, r *actions.Run) (string, error) {
			if at := r.Fact(factOrder); at != "" {
				return "the order is at " + n.p.systems.Act.Text(at, 200), nil
			}
			return "", &estate.Failure{Kind: estate.BadAnswer, Doing: "order a certificate for " + n.e.id, Detail: "the server named no place of the order"}
		},
	}
}

// issueWork has the certificate issued for the request in the folder.
func (n *renewal) issueWork() actions.Step {
	found := func(r *actions.Run) (string, error) {
		b, _, err := n.issued()
		if err != nil {
			return "", err
		}
		r.Note(factSerial, serial(b.leaf))
		return fmt.Sprintf("serial %s, by %s, until %s", serial(b.leaf), n.p.systems.Act.Text(b.leaf.Issuer.String(), 120), b.leaf.NotAfter.UTC().Format("2006-01-02 15:04Z")), nil
	}
	return actions.Step{
		Do: func(ctx context.Context, r *actions.Run) error {
			if err := n.hold(ctx, r); err != nil {
				return err
			}
			if _, err := found(r); err == nil {
				return nil
			}
			key, _, err := n.newKeyPair()
			if err != nil {
				return changeError("have the certificate issued", err)
			}
			request, err := n.request()
			if err != nil {
				return changeError("have the certificate issued", err)
			}
			by := n.issuerOf()
			if a, ok := by.(*acmeIssuer); ok {
				defer a.close()
			}
			text, err := by.issue(ctx, r, order{subject: n.want(), request: request.Raw, key: key, life: n.e.rot.ValidFor})
			if err != nil {
				return err
			}
			b, err := parseBundle(text)
			if err != nil {
				return &estate.Failure{Kind: estate.BadAnswer, Doing: "have the certificate issued by " + by.about(), Detail: "what came is no certificate: " + err.Error()}
			}
			// Kept even if it is not ours: the next step tells what is wrong with it.
			return put(ctx, n.file(chainFile), b.pem, private)
		},
		Probe: func(_ context.Context, r *actions.Run) (plan.Effect, string, error) {
			seen, err := found(r)
			if err != nil {
				return plan.NotDone, "no certificate is in " + n.folder, nil
			}
			return plan.Took, seen, nil
		},
		Verify: func(_ context.Context, r *actions.Run) (string, error) {
			seen, err := found(r)
			if err != nil {
				return "", &estate.Failure{Kind: estate.BadAnswer, Doing: "read the new certificate of " + n.e.id, Detail: err.Error(), Next: "nothing was installed: roll back and plan again"}
			}
			return seen, nil
		},
	}
}

// checkWork checks it before anything is replaced.
func (n *renewal) checkWork() actions.Step {
	return actions.Step{Verify: func(_ context.Context, r *actions.Run) (string, error) {
		b, text, err := n.issued()
		if err != nil {
			return "", changeError("check the new certificate", err)
		}
		key, err := parseKey(text)
		if err != nil {
			return "", changeError("check the new certificate", err)
		}
		until, _ := time.Parse(time.RFC3339, n.facts[factUntil]) // zero asks for nothing
		if r.Plan().Options[anyway] == "yes" || n.e.rot.ValidFor > 0 {
			until = time.Time{} // it was asked for, or its life was
		}
		if err := n.vet(b, key, n.want(), n.e.rot.ValidFor, until); err != nil {
			return "", err
		}
		return fmt.Sprintf("serial %s is for %s and %s", serial(b.leaf), n.p.systems.Act.Text(strings.Join(namesOf(b.leaf), ", "), 200), lifeLeft(b.leaf.NotBefore, b.leaf.NotAfter, n.p.now())), nil
	}}
}

// backupWork copies what will be replaced.
func (n *renewal) backupWork() actions.Step {
	return actions.Step{
		Do: func(ctx context.Context, r *actions.Run) error {
			if err := n.hold(ctx, r); err != nil {
				return err
			}
			if n.where.kind != inNothing {
				data, _, err := readFile(n.where.cert)
				if err != nil {
					return changeError("back up "+n.where.cert, err)
				}
				if b, err := parseBundle(data); err != nil || serial(b.leaf) != n.facts[factOld] {
					return &actions.Refusal{What: "backing " + n.where.cert + " up", Why: "it is not the certificate any more for which this was planned: somebody else has replaced it", Next: "roll back, and plan again"}
				}
			}
			return n.save(ctx)
		},
		Probe: func(context.Context, *actions.Run) (plan.Effect, string, error) {
			if _, err := n.saved(); err != nil {
				return plan.NotDone, err.Error(), nil
			}
			return plan.Took, "the back-up in " + n.oldDir() + " is whole", nil
		},
		Verify: func(context.Context, *actions.Run) (string, error) {
			b, err := n.saved()
			if err != nil {
				return "", changeError("read the back-up back", err)
			}
			return fmt.Sprintf("the back-up of %d files in %s is whole", len(b.Files), n.oldDir()), nil
		},
	}
}

// installWork puts the files in place and has the server's configuration tested.
func (n *renewal) installWork(past *actions.Past) actions.Step {
	reloaded := past != nil && past.Steps[stepServed] != plan.Waiting
	return actions.Step{
		Check: func(context.Context, *actions.Run) error {
			fresh, old, err := n.installed()
			if err != nil {
				return changeError("look at the files of "+n.e.id, err)
			}
			if !fresh && !old && past == nil {
				return &actions.Refusal{What: "installing the certificate of " + n.e.id, Why: "the files are not those of the back-up any more", Next: "roll back, and plan again"}
			}
			return nil
		},
		Do: func(ctx context.Context, r *actions.Run) error {
			if err := n.hold(ctx, r); err != nil {
				return err
			}
			if err := n.install(ctx); err != nil {
				if fresh, _, look := n.installed(); look != nil || !fresh {
					return n.takenBack(ctx, r, err, "The new files could not be put in place as a whole.")
				}
				r.Say("warn", "A call said no, and the new files are in place as a whole: "+n.p.systems.Act.Text(err.Error(), clients.DetailLimit))
			}
			if len(n.e.rot.Test) == 0 {
				return nil
			}
			if err := n.command(ctx, "test the configuration", n.e.rot.Test); err != nil {
				return n.takenBack(ctx, r, err, "The server refuses its configuration with the new files.")
			}
			return put(ctx, n.file(testedFile), []byte("the configuration was tested with the new files\n"), private)
		},
		Probe: func(context.Context, *actions.Run) (plan.Effect, string, error) {
			fresh, old, err := n.installed()
			switch {
			case err != nil:
				return plan.Unclear, err.Error(), nil
			case fresh && (len(n.e.rot.Test) == 0 || there(n.file(testedFile))):
				return plan.Took, "the new files are in place", nil
			case fresh:
				return plan.Partly, "the new files are in place, and the configuration was not tested with them", nil
			case old:
				return plan.NotDone, "the old files are in place", nil
			}
			return plan.Partly, "some of the files are new", nil
		},
		Verify: func(context.Context, *actions.Run) (string, error) {
			fresh, _, err := n.installed()
			if err == nil && !fresh {
				err = fmt.Errorf("the files in place are not the new ones")
			}
			if err != nil {
				return "", changeError("read the installed files back", err)
			}
			return "the new files are in place, with mode and owner as before", nil
		},
		Undo: func(ctx context.Context, r *actions.Run) error {
			if err := n.hold(ctx, r); err != nil {
				return err
			}
			if err := n.replacedSince(r); err != nil {
				return err
			}
			if err := n.restore(ctx); err != nil {
				return err
			}
			if !reloaded {
				if effect, _, err := n.effect(ctx, n.facts[factOld]); err == nil && effect == plan.Took {
					return nil
				}
			}
			return n.reload(ctx)
		},
		VerifyUndo: func(ctx context.Context, r *actions.Run) (string, error) {
			if err := n.restored(); err != nil {
				return "", changeError("read the old files back", err)
			}
			seen, err := n.servesOld(ctx, r)
			if err != nil {
				return "", err
			}
			return "the old files are back; " + seen, nil
		},
	}
}

// servesOld waits until the addresses that served something serve the old certificate.
func (n *renewal) servesOld(ctx context.Context, r *actions.Run) (string, error) {
	return n.serves(ctx, r, n.facts[factOld], strings.Split(n.facts[factAnswering], ","))
}

// takenBack puts the old files back at once: a server that restarts by itself must not
// find files that it refuses, or that do not belong together.
func (n *renewal) takenBack(ctx context.Context, r *actions.Run, why error, what string) error {
	if _, old, err := n.installed(); err == nil && old {
		return why // nothing was replaced
	}
	// The time of the step may be used up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commandLimit)
	defer cancel()
	err := n.restore(ctx)
	if err == nil {
		err = n.restored()
	}
	if err != nil {
		r.Say("fail", what+" The old files could not be put back: "+n.p.systems.Act.Text(err.Error(), clients.DetailLimit))
		return fmt.Errorf("%w; and the old files could not be put back: %w", why, err)
	}
	r.Say("warn", what+" The old files are back in place and were read back.")
	return why
}

// servedWork reloads the server and waits for what it serves.
func (n *renewal) servedWork() actions.Step {
	s := actions.Step{Verify: func(ctx context.Context, r *actions.Run) (string, error) {
		want, err := n.newSerial(r)
		if err != nil {
			return "", changeError("see the new certificate served", err)
		}
		return n.serves(ctx, r, want, nil)
	}}
	if n.reloads() == "" {
		return s
	}
	s.Do = func(ctx context.Context, r *actions.Run) error {
		if err := n.hold(ctx, r); err != nil {
			return err
		}
		return n.reload(ctx)
	}
	s.Probe = func(ctx context.Context, r *actions.Run) (plan.Effect, string, error) {
		want, err := n.newSerial(r)
		if err != nil {
			return plan.Unclear, err.Error(), nil
		}
		return n.effect(ctx, want)
	}
	return s
}

// cleanupWork removes the second copy of the new key.
func (n *renewal) cleanupWork() actions.Step {
	left := func() string {
		for _, path := range n.temporaries() {
			if there(path) {
				return path
			}
		}
		if n.keeps() && !there(n.file(doneFile)) {
			return "the end is not marked"
		}
		return ""
	}
	return actions.Step{
		Do: func(ctx context.Context, r *actions.Run) error {
			if err := n.hold(ctx, r); err != nil {
				return err
			}
			for _, path := range n.temporaries() {
				if err := remove(ctx, path); err != nil {
					return err
				}
			}
			if !n.keeps() {
				return remove(ctx, n.folder)
			}
			if err := put(ctx, n.file(doneFile), []byte(n.p.now().UTC().Format(time.RFC3339)+"\n"), private); err != nil {
				return err
			}
			return n.prune(ctx)
		},
		Probe: func(context.Context, *actions.Run) (plan.Effect, string, error) {
			if path := left(); path != "" {
				return plan.NotDone, path, nil
			}
			return plan.Took, "no temporary file is left", nil
		},
		Verify: func(context.Context, *actions.Run) (string, error) {
			if path := left(); path != "" {
				return "", &estate.Failure{Kind: estate.Broken, Doing: "see the temporary files gone", Detail: path, Next: "resume, or remove it by hand: the new key may be in it"}
			}
			return "no temporary copy of the key is left", nil
		},
	}
}

// request reads the request in the folder.
func (n *renewal) request() (*x509.CertificateRequest, error) {
	data, _, err := readFile(n.file(requestFile))
	if err != nil {
		return nil, fmt.Errorf("the request is not in %s", n.folder)
	}
	csr, err := x509.ParseCertificateRequest(firstBlock(data))
	if err == nil {
		err = csr.CheckSignature()
	}
	if err != nil {
		return nil, fmt.Errorf("the request in %s is damaged", n.folder)
	}
	return csr, nil
}
