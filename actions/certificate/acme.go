package certificate

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"crypto"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// factOrder is the fact that keeps the URL of an order, so that it is taken up again
// after a crash and not placed twice.
const factOrder = "order"

// acmePoll bounds how long an ACME server is waited for.
const acmePoll = 3 * time.Minute

// acmeIssuer is an account at an ACME server.
type acmeIssuer struct {
	n      *renewal
	of     *config.ACMEIssuer
	client *acme.Client
	close  func()
}

// acme makes the client of an ACME server.
func (n *renewal) acme() *acmeIssuer {
	a := &acmeIssuer{n: n, of: n.e.rot.ACME}
	web, end := n.p.web(a.of.CACert)
	a.close = end
	a.client = &acme.Client{Directory: a.of.Directory, HTTPClient: web, UserAgent: clients.UserAgent, PollInterval: n.p.poll, PollTimeout: acmePoll}
	return a
}

func (a *acmeIssuer) about() string { return "the ACME server " + a.of.Directory }

func (a *acmeIssuer) calls() []string {
	how := "answer the http-01 challenge of each name by a file in " + a.of.Webroot
	if a.of.Webroot == "" {
		how = "answer the http-01 challenge of each name on " + a.of.Listen
	}
	return []string{"POST each authorization of the order", how, "POST the request to finalize the order", "POST to download the certificate"}
}

// errWildcard refuses what http-01 cannot prove.
func errWildcard(id string) error {
	return &actions.Refusal{
		What: "renewing the certificate of " + id, Why: "it has a wildcard name, which an ACME server gives only for a challenge in DNS",
		Next: "list single names in rotation, or renew it with a client that can write your DNS",
	}
}

// failure is an error of the ACME server or of the way to it.
func (a *acmeIssuer) failure(err error, doing string) error {
	var known *estate.Failure
	if errors.As(err, &known) {
		return known
	}
	doing += " at " + a.of.Directory
	var problem acme.Problem
	if !errors.As(err, &problem) {
		return a.n.p.systems.Act.Failure(err, doing)
	}
	f := &estate.Failure{Kind: estate.BadAnswer, Doing: doing, Detail: a.n.p.systems.Act.Text(problem.Error(), clients.DetailLimit), Next: "see to what it says, then resume or roll back"}
	switch problem.Type {
	case acme.ProblemTypeRateLimited:
		f.Kind, f.Next = estate.Throttled, "wait until the server gives certificates for these names again, or use another issuer"
	case acme.ProblemTypeUnauthorized, acme.ProblemTypeUserActionRequired, acme.ProblemTypeExternalAccountRequired:
		f.Kind = estate.Denied
	case acme.ProblemTypeConnection, acme.ProblemTypeDNS, acme.ProblemTypeIncorrectResponse:
		f.Next = "the server must reach http://NAME/.well-known/acme-challenge/ of each name, and find there what we put: see webroot or listen, and the way to them"
	case acme.ProblemTypeServerInternal:
		f.Kind = estate.ServerError
	}
	return f
}

// account is ours at the server: found by its key, which with make is made when there
// is none yet.
func (a *acmeIssuer) account(ctx context.Context, make bool) (acme.Account, error) {
	key, err := a.accountKey(ctx, make)
	if err != nil {
		return acme.Account{}, err
	}
	wish := acme.Account{PrivateKey: key, TermsOfServiceAgreed: true}
	if a.of.Email != "" {
		wish.Contact = []string{"mailto:" + a.of.Email}
	}
	found, err := a.client.NewAccount(ctx, wish)
	if err != nil {
		return found, a.failure(err, "open the account")
	}
	found.PrivateKey = key
	return found, nil
}

// accountKey reads the key of the account, or makes it.
func (a *acmeIssuer) accountKey(ctx context.Context, make bool) (crypto.Signer, error) {
	doing := "read the key of the ACME account"
	data, m, err := readFile(a.of.Account)
	switch {
	case err == nil && m.UID >= 0 && m.Mode.Perm()&0o077 != 0:
		return nil, &estate.Failure{Kind: estate.Misconfigure, Doing: doing, Detail: a.of.Account + " can be read by others", Next: "chmod 600 " + a.of.Account}
	case err == nil:
		register(a.n.p.systems.Act.Net(), data)
		key, err := parseKey(data)
		if err != nil {
			return nil, &estate.Failure{Kind: estate.Misconfigure, Doing: doing, Detail: a.of.Account + ": " + err.Error(), Next: "correct account_key in warroom.yaml"}
		}
		return key, nil
	case !errors.Is(err, fs.ErrNotExist) || !make:
		return nil, &estate.Failure{Kind: estate.NoIdentity, Doing: doing, Detail: clients.Strip(err.Error(), clients.DetailLimit), Next: "correct account_key in warroom.yaml"}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of the ACME account: %w", err)
	}
	text, err := keyPEM(key)
	if err != nil {
		return nil, err
	}
	register(a.n.p.systems.Act.Net(), text)
	if err := makeParent(ctx, filepath.Dir(a.of.Account)); err != nil {
		return nil, err
	}
	return key, put(ctx, a.of.Account, text, private)
}

// place orders the certificate, and notes the order. It says whether the server was
// told which certificate it replaces.
func (a *acmeIssuer) place(ctx context.Context, r *actions.Run, want subject, replaces string) error {
	account, err := a.account(ctx, true)
	if err != nil {
		return err
	}
	o := acme.Order{Replaces: replaces}
	dns, ips, uris, mails, err := want.split()
	if err != nil {
		return err
	}
	if len(uris)+len(mails) > 0 {
		return &estate.Failure{Kind: estate.Misconfigure, Doing: "order a certificate for " + a.n.e.id, Detail: "ACME servers give none for URIs and mail addresses", Next: "leave them out in names of the rotation block"}
	}
	for _, name := range dns {
		o.Identifiers = append(o.Identifiers, acme.Identifier{Type: "dns", Value: name})
	}
	for _, ip := range ips {
		o.Identifiers = append(o.Identifiers, acme.Identifier{Type: "ip", Value: net.IP.String(ip)})
	}
	if life := a.n.e.rot.ValidFor; life > 0 {
		end := a.n.p.now().Add(life).Truncate(time.Second)
		o.NotAfter = &end
	}
	placed, err := a.client.NewOrder(ctx, account, o)
	var problem acme.Problem
	if err != nil && replaces != "" && errors.As(err, &problem) && (problem.Type == acme.ProblemTypeAlreadyReplaced || problem.Type == acme.ProblemTypeMalformed || problem.Type == acme.ProblemTypeUnauthorized) {
		// Another order has replaced it already, or it was not this account's: the
		// certificate is needed all the same.
		r.Say("info", "the server does not take the order as a replacement ("+a.n.p.systems.Act.Text(problem.Detail, 120)+"): ordered without")
		o.Replaces = ""
		placed, err = a.client.NewOrder(ctx, account, o)
	}
	if err != nil {
		return a.failure(err, "order a certificate for "+a.n.e.id)
	}
	if u, err := url.Parse(placed.Location); err != nil || u.Host == "" || len(placed.Location) > 1024 {
		return &estate.Failure{Kind: estate.BadAnswer, Doing: "order a certificate for " + a.n.e.id, Detail: "the server names no place of the order"}
	}
	r.Note(factOrder, placed.Location)
	return nil
}

// standing reads how the noted order stands.
func (a *acmeIssuer) standing(ctx context.Context, location string) (acme.Order, acme.Account, error) {
	account, err := a.account(ctx, false)
	if err != nil {
		return acme.Order{}, account, err
	}
	o, err := a.client.GetOrder(ctx, account, acme.Order{Location: location})
	if err != nil {
		return o, account, a.failure(err, "read the order of "+a.n.e.id)
	}
	o.Location = location
	return o, account, nil
}

// issue carries the noted order through: what of it was done before a crash is not
// done again.
func (a *acmeIssuer) issue(ctx context.Context, r *actions.Run, want order) ([]byte, error) {
	location := r.Fact(factOrder)
	if location == "" {
		return nil, &estate.Failure{Kind: estate.Broken, Doing: "issue the certificate of " + a.n.e.id, Detail: "its order is not known", Next: "roll back and plan again"}
	}
	o, account, err := a.standing(ctx, location)
	if err != nil {
		return nil, err
	}
	if o.Status == acme.StatusPending {
		if err := a.prove(ctx, r, account, o); err != nil {
			return nil, err
		}
	}
	if o.Status == acme.StatusInvalid {
		detail := "the server has given the order up"
		if o.Error != nil {
			detail += ": " + a.n.p.systems.Act.Text(o.Error.Error(), 160)
		}
		return nil, &estate.Failure{Kind: estate.BadAnswer, Doing: "issue the certificate of " + a.n.e.id, Detail: detail, Next: "roll back and plan again"}
	}
	if o.Status != acme.StatusValid {
		if o, err = a.client.FinalizeOrder(ctx, account, o, want.request); err != nil {
			return nil, a.failure(err, "finalize the order of "+a.n.e.id)
		}
	}
	chains, err := a.client.GetCertificateChain(ctx, account, o.Certificate)
	if err != nil || len(chains) == 0 {
		return nil, a.failure(err, "download the certificate of "+a.n.e.id)
	}
	// The server may offer several ways to a root: the first that the endpoint's
	// clients can follow.
	for _, one := range chains {
		if b, err := parseBundle(one.ChainPEM); err == nil && a.n.builds(b) {
			return one.ChainPEM, nil
		}
	}
	return chains[0].ChainPEM, nil
}

// prove answers one http-01 challenge for each name that is not proven yet.
func (a *acmeIssuer) prove(ctx context.Context, r *actions.Run, account acme.Account, o acme.Order) error {
	answers, err := a.answers()
	if err != nil {
		return err
	}
	defer answers.close()
	for _, at := range o.Authorizations {
		one, err := a.client.GetAuthorization(ctx, account, at)
		if err != nil {
			return a.failure(err, "read an authorization")
		}
		if one.Status == acme.StatusValid {
			continue
		}
		name := a.n.p.systems.Act.Text(one.Identifier.Value, 120)
		var chosen *acme.Challenge
		for i := range one.Challenges {
			if one.Challenges[i].Type == acme.ChallengeTypeHTTP01 {
				chosen = &one.Challenges[i]
			}
		}
		if chosen == nil {
			return &estate.Failure{Kind: estate.NotSupported, Doing: "prove " + name, Detail: "the server offers no http-01 challenge for it", Next: "renew it with a client that knows the ones it offers"}
		}
		if err := answers.present(ctx, *chosen); err != nil {
			return err
		}
		_, err = a.client.InitiateChallenge(ctx, account, *chosen)
		if err == nil {
			_, err = a.client.PollAuthorization(ctx, account, one)
		}
		if gone := answers.withdraw(ctx, *chosen); err == nil {
			err = gone
		}
		if err != nil {
			return a.failure(err, "prove "+name)
		}
		r.Say("ok", name+" was proven to the ACME server")
	}
	return nil
}

// advice asks the server when the certificate should be renewed, and how an order
// names it as the one that is replaced.
func (a *acmeIssuer) advice(ctx context.Context, c *x509.Certificate) (due, replaces, note string) {
	ctx, cancel := context.WithTimeout(ctx, a.n.p.limit())
	defer cancel()
	info, err := a.client.GetRenewalInfo(ctx, c)
	if errors.Is(err, acme.ErrUnsupported) {
		return "", "", ""
	}
	if err != nil {
		return "", "", "the ACME server's advice on renewal could not be read: " + a.n.p.systems.Read.Text(err.Error(), 120)
	}
	if id, err := acme.ARIUniqueIdentifier(c); err == nil {
		replaces = id
	}
	if window := info.SuggestedWindow; !window.Start.After(a.n.p.now()) {
		due = "the ACME server asks to renew it from " + window.Start.UTC().Format("2006-01-02 15:04Z") + " on"
		if info.ExplanationURL != "" {
			due += ", see " + a.n.p.systems.Read.Text(info.ExplanationURL, 120)
		}
	}
	return due, replaces, ""
}

// accountFile and directory are of the ACME account; empty for another issuer.
func (n *renewal) accountFile() string {
	if n.e.rot.ACME == nil {
		return ""
	}
	return n.e.rot.ACME.Account
}

func (n *renewal) directory() string {
	if n.e.rot.ACME == nil {
		return ""
	}
	return n.e.rot.ACME.Directory
}
