package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/estate"
)

// A KV engine has no labels. A pending value lies beside the secret, at
// PATH.warroom-pending, which check-and-set lets exactly one write; its version is the
// number that the secret gets by it. claimKey is a key in it that names the run, and
// holderKey one of its custom metadata that says who that is.
const (
	claimKey  = "warroom_claim"
	holderKey = "warroom_rotation"
)

// kvPlace is a secret of Vault's KV engine, version 2.
type kvPlace struct {
	systems                    actions.Systems
	cluster, mount, path, name string
}

func (p *kvPlace) Name() string   { return p.name }
func (p *kvPlace) System() string { return "vault:" + p.cluster }
func (p *kvPlace) beside() string { return p.path + clients.PendingSuffix }

// vault is the cluster as whoever acts: the policy of reading need not let values be
// read, and the permit of a plan refuses changes whoever asks.
func (p *kvPlace) vault() (*clients.Vault, error) { return p.systems.Act.Vault(p.cluster) }

// absent reports whether a system says that there is no such thing.
func absent(err error) bool {
	var none *clients.NoVersionError
	var f *estate.Failure
	return errors.As(err, &none) || errors.As(err, &f) && f.Kind == estate.Missing
}

// Look reads the pending value too, because the claim of its run stands in it.
func (p *kvPlace) Look(ctx context.Context) (State, error) {
	v, err := p.vault()
	if err != nil {
		return State{}, err
	}
	meta, err := v.KVMetadata(ctx, p.mount, p.path)
	if err != nil {
		return State{}, err
	}
	now, before := meta.Labels(time.Now())
	s := State{Exact: p.cluster + "/" + p.mount + "/" + p.path, Stages: map[string][]string{}, Created: meta.Created, Changed: meta.Updated}
	if now == 0 || now != meta.Current {
		return s, &estate.Failure{
			Kind: estate.BadSecret, Doing: "look at secret " + p.name, Detail: "its latest version is deleted",
			Next: "take the deletion back (vault kv undelete), or store a value first",
		}
	}
	s.Current = strconv.Itoa(now)
	s.Stages[s.Current] = []string{current}
	if before != 0 {
		s.Previous = strconv.Itoa(before)
		s.Stages[s.Previous] = []string{previous}
	}
	aside, err := v.ReadKV(ctx, p.mount, p.beside(), 0)
	switch {
	case absent(err):
		return s, nil
	case err != nil:
		return s, err
	}
	know(p.systems, aside.Value)
	if claim, err := aside.Field(claimKey); err == nil {
		s.Claim = clients.Strip(claim.Reveal(), 64)
	}
	s.Holder = v.Text(aside.Custom[holderKey], 256)
	same, err := p.equal(ctx, v, aside.Value, now)
	if err != nil {
		return s, err
	}
	if same {
		s.Done = s.Current
	} else {
		s.Pending = strconv.Itoa(now + 1)
	}
	at := s.Done + s.Pending
	s.Stages[at] = append(s.Stages[at], pending, claimMark+s.Claim)
	return s, nil
}

// equal reports whether a pending value is what a version of the secret holds.
func (p *kvPlace) equal(ctx context.Context, v *clients.Vault, aside clients.Value, version int) (bool, error) {
	have, err := v.ReadKV(ctx, p.mount, p.path, version)
	if absent(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	know(p.systems, have.Value)
	want, err := bare(aside)
	if err != nil {
		return false, nil // it is none of ours, and no JSON object
	}
	is, err := bare(have.Value)
	return err == nil && want.Reveal() == is.Reveal(), nil
}

// bare is a value without the claim, its keys in order.
func bare(v clients.Value) (estate.Secret, error) {
	text, err := v.Text()
	if err != nil {
		return estate.Secret{}, err
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(text.Reveal()), &fields) != nil || fields == nil {
		return estate.Secret{}, &estate.Failure{Kind: estate.BadSecret, Doing: "use secret " + v.SecretID, Detail: "it is not a JSON object", Next: "store an object"}
	}
	delete(fields, claimKey)
	raw, err := json.Marshal(fields)
	if err != nil {
		return estate.Secret{}, &estate.Failure{Kind: estate.Broken, Doing: "use secret " + v.SecretID, Detail: "it cannot be written as JSON again"}
	}
	return estate.NewSecret(string(raw)), nil
}

func (p *kvPlace) Read(ctx context.Context, version string) (clients.Value, error) {
	v, err := p.vault()
	if err != nil {
		return clients.Value{}, err
	}
	n, err := strconv.Atoi(version)
	if err != nil {
		return clients.Value{}, &estate.Failure{Kind: estate.Misconfigure, Doing: "read secret " + p.name, Detail: "a version of a KV engine is a number"}
	}
	kv, err := v.ReadKV(ctx, p.mount, p.path, n)
	if absent(err) {
		// It is the one that is pending, or gone.
		kv, err = v.ReadKV(ctx, p.mount, p.beside(), 0)
		kv.VersionID = version
	}
	if absent(err) {
		return clients.Value{}, &Empty{Secret: p.name, Version: version}
	}
	if err == nil {
		know(p.systems, kv.Value)
	}
	return kv.Value, err
}

// Token is the number that the next version of the secret gets.
func (p *kvPlace) Token(s State) string {
	n, _ := strconv.Atoi(s.Current) // of Look
	return strconv.Itoa(n + 1)
}

func (p *kvPlace) Put(ctx context.Context, d Draft) error {
	v, err := p.vault()
	if err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(d.Value.Reveal()), &fields) != nil || fields == nil {
		return &estate.Failure{Kind: estate.BadSecret, Doing: "store the pending value of secret " + p.name, Detail: "it is not a JSON object, which is all that a KV engine holds"}
	}
	fields[claimKey], _ = json.Marshal(d.Claim) // a text
	raw, err := json.Marshal(fields)
	if err != nil {
		return &estate.Failure{Kind: estate.Broken, Doing: "store the pending value of secret " + p.name, Detail: "it cannot be written as JSON"}
	}
	_, err = v.WriteKV(ctx, p.mount, p.beside(), estate.NewSecret(string(raw)), 0)
	var conflict *clients.KVConflictError
	if !errors.As(err, &conflict) {
		return err
	}
	for tries := 0; ; tries++ {
		s, err := p.Look(ctx)
		switch {
		case err != nil:
			return err
		case s.Claim == d.Claim:
			return nil
		case s.Holder != "" || tries == signTries:
			return &Taken{Secret: p.name, Holder: s.Holder}
		}
		if err := pause(ctx, signPause); err != nil {
			return err
		}
	}
}

// Sign writes beside the pending value; without one there is nothing to sign.
func (p *kvPlace) Sign(ctx context.Context, holder string) error {
	if holder == "" {
		return nil // it goes with the pending value
	}
	v, err := p.vault()
	if err != nil {
		return err
	}
	return v.WriteKVMetadata(ctx, p.mount, p.beside(), map[string]string{holderKey: tagText(holder)})
}

// Promote writes what is pending as the next version, if the latest is from.
func (p *kvPlace) Promote(ctx context.Context, from, to string) error {
	v, err := p.vault()
	if err != nil {
		return err
	}
	s, err := p.Look(ctx)
	if err != nil {
		return err
	}
	if done, err := p.Promoted(ctx, s, from, to); err != nil || done {
		return err
	}
	aside, err := p.Read(ctx, to)
	if err != nil {
		return err
	}
	value, err := bare(aside)
	if err != nil {
		return err
	}
	return p.write(ctx, v, value, from, to)
}

func (p *kvPlace) write(ctx context.Context, v *clients.Vault, value estate.Secret, latest, to string) error {
	cas, err := strconv.Atoi(latest)
	if err != nil {
		return &estate.Failure{Kind: estate.Broken, Doing: "write secret " + p.name, Detail: "its version is no number"}
	}
	_, err = v.WriteKV(ctx, p.mount, p.path, value, cas)
	var conflict *clients.KVConflictError
	if errors.As(err, &conflict) {
		return &actions.Refusal{
			What: fmt.Sprintf("making version %s of %s current", to, p.name), Why: fmt.Sprintf("version %s is no longer its latest: somebody else wrote it", latest),
			Next: "find out who wrote it, then plan again",
		}
	}
	return err
}

// Promoted looks whether the number was given to the value that is pending; what is
// no longer pending was.
func (p *kvPlace) Promoted(_ context.Context, s State, _, to string) (bool, error) {
	return s.Current == to && s.Pending == "", nil
}

// Demote writes an earlier version again: a KV engine only goes forward.
func (p *kvPlace) Demote(ctx context.Context, from, to string) error {
	v, err := p.vault()
	if err != nil {
		return err
	}
	s, err := p.Look(ctx)
	if err != nil {
		return err
	}
	if back, err := p.Restored(ctx, s, to); err != nil || back {
		return err
	}
	if s.Current != from {
		return &actions.Refusal{
			What: fmt.Sprintf("going back to version %s of %s", to, p.name), Why: fmt.Sprintf("its latest version is %s and not %s: somebody else wrote it since", s.Current, from),
			Next: "find out who wrote it, then plan again",
		}
	}
	earlier, err := p.Read(ctx, to)
	if err != nil {
		return err
	}
	value, err := bare(earlier)
	if err != nil {
		return err
	}
	return p.write(ctx, v, value, s.Current, to)
}

// Restored compares values: the number is another.
func (p *kvPlace) Restored(ctx context.Context, s State, to string) (bool, error) {
	if s.Current == to {
		return true, nil
	}
	v, err := p.vault()
	if err != nil {
		return false, err
	}
	was, err := p.Read(ctx, to)
	if err != nil {
		return false, err
	}
	n, err := strconv.Atoi(s.Current)
	if err != nil {
		return false, nil
	}
	return p.equal(ctx, v, was, n)
}

// Drop removes what lies beside the secret, if it is of that claim.
func (p *kvPlace) Drop(ctx context.Context, _, claim string) error {
	s, err := p.Look(ctx)
	if err != nil {
		return err
	}
	if s.Pending+s.Done == "" {
		return nil
	}
	if claim != "" && s.Claim != claim {
		return &Taken{Secret: p.name, Holder: s.Holder}
	}
	v, err := p.vault()
	if err != nil {
		return err
	}
	return v.RemoveKV(ctx, p.mount, p.beside())
}

func (p *kvPlace) Calls(method string, s State, version string) []string {
	data, aside := p.mount+"/data/"+p.path, p.mount+"/metadata/"+p.beside()
	switch method {
	case "put":
		return []string{"PUT " + p.mount + "/data/" + p.beside() + " cas=0", "PUT " + aside + " (who rotates it)"}
	case "promote":
		return []string{"PUT " + data + " cas=" + s.Current}
	case "drop":
		return []string{"DELETE " + aside}
	}
	return nil
}
