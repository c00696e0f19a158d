package certificate

import (
	"context"
	"fmt"
	"path/filepath"

	"warroom/actions"
	"warroom/internal/estate"
	"warroom/internal/plan"
)

// objectWork updates the Secret.
func (n *renewal) objectWork() actions.Step {
	if n.e.rot.Object == "" {
		return actions.Step{}
	}
	holdsSerial := func(ctx context.Context, want string) (string, error) {
		is, err := n.objectSerial(ctx)
		if err != nil {
			return "", err
		}
		if is != want {
			return "", &estate.Failure{Kind: estate.BadAnswer, Doing: "read Secret " + n.e.rot.Object + " back", Detail: "it holds serial " + brief(is) + ", not " + brief(want), Next: "see who else writes it, then resume or roll back"}
		}
		return "Secret " + n.e.rot.Object + " holds serial " + want + " and its key", nil
	}
	return actions.Step{
		Do: func(ctx context.Context, r *actions.Run) error {
			b, key, err := n.issued()
			if err != nil {
				return changeError("update Secret "+n.e.rot.Object, err)
			}
			return n.writeObject(ctx, b.pem, key)
		},
		Probe: func(ctx context.Context, r *actions.Run) (plan.Effect, string, error) {
			return n.held(ctx, r, n.objectSerial)
		},
		Verify: func(ctx context.Context, r *actions.Run) (string, error) {
			want, err := n.newSerial(r)
			if err != nil {
				return "", changeError("read Secret "+n.e.rot.Object+" back", err)
			}
			return holdsSerial(ctx, want)
		},
		Undo: func(ctx context.Context, r *actions.Run) error {
			is, err := n.objectSerial(ctx)
			if err == nil {
				err = n.ours(r, "Secret "+n.e.rot.Object, is, n.facts[factObject])
			}
			if err != nil {
				return err
			}
			return n.objectBack(ctx)
		},
		VerifyUndo: func(ctx context.Context, r *actions.Run) (string, error) {
			seen, err := holdsSerial(ctx, n.facts[factObject])
			if err != nil || n.where.kind != inNothing {
				return seen, err
			}
			served, err := n.servesOld(ctx, r)
			return seen + "; " + served, err
		},
	}
}

// held is a probe of a store that holds one serial number.
func (n *renewal) held(ctx context.Context, r *actions.Run, read func(context.Context) (string, error)) (plan.Effect, string, error) {
	want, err := n.newSerial(r)
	if err != nil {
		return plan.Unclear, err.Error(), nil
	}
	is, err := read(ctx)
	switch {
	case err != nil:
		return plan.Unclear, "", err
	case is == want:
		return plan.Took, "it holds serial " + want, nil
	}
	return plan.NotDone, "it holds serial " + brief(is), nil
}

// acmWork imports into ACM.
func (n *renewal) acmWork() actions.Step {
	if n.e.rot.ACM == "" {
		return actions.Step{}
	}
	s := actions.Step{
		Check: func(ctx context.Context, _ *actions.Run) error {
			_, err := n.acmSerial(ctx)
			return err
		},
		Do: func(ctx context.Context, _ *actions.Run) error {
			b, key, err := n.issued()
			if err != nil {
				return changeError("import into ACM", err)
			}
			return n.importACM(ctx, b, key)
		},
		Probe: func(ctx context.Context, r *actions.Run) (plan.Effect, string, error) {
			return n.held(ctx, r, n.acmSerial)
		},
		Verify: func(ctx context.Context, r *actions.Run) (string, error) {
			want, err := n.newSerial(r)
			if err != nil {
				return "", changeError("look at the import", err)
			}
			return n.acmHas(ctx, want)
		},
	}
	if n.acmReturns() {
		s.Undo = func(ctx context.Context, r *actions.Run) error {
			is, err := n.acmSerial(ctx)
			if err == nil {
				err = n.ours(r, n.e.rot.ACM, is, n.facts[factACM])
			}
			if err != nil {
				return err
			}
			chain, key, err := n.oldPair()
			if err != nil {
				return changeError("import the old certificate into ACM", err)
			}
			return n.importACM(ctx, chain, key)
		}
		s.VerifyUndo = func(ctx context.Context, _ *actions.Run) (string, error) { return n.acmHas(ctx, n.facts[factACM]) }
	}
	return s
}

// oldPair is the certificate and key of the back-up.
func (n *renewal) oldPair() (*bundle, []byte, error) {
	b, err := n.saved()
	if err != nil {
		return nil, nil, err
	}
	var chain *bundle
	var key []byte
	for _, one := range b.Files {
		data, _, err := readFile(filepath.Join(n.oldDir(), one.Copy))
		if err != nil {
			return nil, nil, err
		}
		if one.Path == n.where.cert {
			if chain, err = parseBundle(data); err != nil {
				return nil, nil, err
			}
		}
		if one.Path == n.where.key {
			register(n.p.systems.Act.Net(), data)
			parsed, err := parseKey(data)
			if err != nil {
				return nil, nil, err
			}
			if key, err = keyPEM(parsed); err != nil {
				return nil, nil, err
			}
		}
	}
	if chain == nil || key == nil {
		return nil, nil, fmt.Errorf("the back-up lacks certificate or key")
	}
	register(n.p.systems.Act.Net(), key)
	return chain, key, nil
}
