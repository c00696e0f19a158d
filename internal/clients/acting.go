package clients

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	authentication "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"warroom/internal/config"
	"warroom/internal/estate"
)

// NewActing is New for what changes something: it uses the act identities of cfg,
// and where none is configured that of reading. Like any Set it sends no change
// without a permit.
func NewActing(cfg *config.Config) *Set {
	c := *cfg
	c.AWS = append([]config.AWSAccount(nil), cfg.AWS...)
	for i := range c.AWS {
		if act := c.AWS[i].Act; act != nil {
			c.AWS[i].Profile = cmp.Or(act.Profile, c.AWS[i].Profile)
			if len(act.SharedFiles) > 0 {
				c.AWS[i].SharedFiles = act.SharedFiles
			}
			// The reading role is not assumed on the way: it may change nothing.
			c.AWS[i].RoleARN = act.RoleARN
		}
	}
	c.Vaults = append([]config.VaultCluster(nil), cfg.Vaults...)
	for i := range c.Vaults {
		if act := c.Vaults[i].Act; act != nil {
			c.Vaults[i].TokenFile = act.TokenFile
		}
	}
	c.Kubernetes = append([]config.KubernetesCluster(nil), cfg.Kubernetes...)
	for i := range c.Kubernetes {
		if act := c.Kubernetes[i].Act; act != nil {
			c.Kubernetes[i].Context = cmp.Or(act.Context, c.Kubernetes[i].Context)
			c.Kubernetes[i].Kubeconfig = cmp.Or(act.Kubeconfig, c.Kubernetes[i].Kubeconfig)
		}
	}
	return makeSet(&c, true)
}

// Identity is as whom a Set calls a system.
type Identity struct {
	Name    string    // an ARN, a user, a token's name and policies
	Expires time.Time // zero where it does not end, or does not say when
	Err     error     // *estate.Failure: why it cannot be had
}

// Identity asks a system who we are to it. It is called as in Call: "aws:main",
// "vault:primary", "kubernetes:prod". On what has no identity of its own ("files",
// "systemd:system") it is the user of this process; PostgreSQL and HTTP endpoints
// know us by the credentials of each call.
func (s *Set) Identity(ctx context.Context, system string) Identity {
	kind, name, _ := strings.Cut(system, ":")
	switch kind {
	case "aws":
		return s.awsIdentity(ctx, name)
	case "vault":
		return s.vaultIdentity(ctx, name)
	case "kubernetes":
		return s.kubernetesIdentity(ctx, name)
	case "systemd", "files", "file", "command":
		return localIdentity()
	case "postgres", "http":
		return Identity{Name: "the stored credentials that each step names"}
	}
	return Identity{Err: &estate.Failure{Kind: estate.Misconfigure, Doing: "find out as whom we act", Detail: "there is no system called " + Strip(system, 80)}}
}

func (s *Set) awsIdentity(ctx context.Context, name string) Identity {
	account, err := s.AWS(name)
	if err != nil {
		return Identity{Err: err}
	}
	doing := "ask who we are in " + account.Place()
	services, err := account.Services(ctx)
	if err != nil {
		return Identity{Err: account.Failure(err, doing)}
	}
	out, err := services.STS.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return Identity{Err: account.Failure(err, doing)}
	}
	id := Identity{Name: s.Text(aws.ToString(out.Arn), DetailLimit)}
	id.Expires, _ = account.Expires(ctx) // it was just used
	return id
}

func (s *Set) vaultIdentity(ctx context.Context, name string) Identity {
	cluster, err := s.Vault(name)
	if err != nil {
		return Identity{Err: err}
	}
	var token struct {
		DisplayName string    `json:"display_name"`
		Policies    []string  `json:"policies"`
		Identity    []string  `json:"identity_policies"`
		Expires     time.Time `json:"expire_time"`
	}
	if err := cluster.Read(ctx, VaultNamespace, VaultLookupSelf, &token); err != nil {
		return Identity{Err: err}
	}
	policies := strings.Join(append(token.Policies, token.Identity...), ", ")
	return Identity{Name: s.Text(fmt.Sprintf("%s (policies %s)", cmp.Or(token.DisplayName, "token"), cmp.Or(policies, "none")), DetailLimit), Expires: token.Expires}
}

func (s *Set) kubernetesIdentity(ctx context.Context, name string) Identity {
	cluster, err := s.Kubernetes(name)
	if err != nil {
		return Identity{Err: err}
	}
	doing := "ask who we are in Kubernetes cluster " + name
	all, err := cluster.Clients()
	if err != nil {
		return Identity{Err: cluster.Failure(err, doing)}
	}
	cfg, err := cluster.Config()
	if err != nil {
		return Identity{Err: cluster.Failure(err, doing)}
	}
	id := Identity{Expires: certificateEnds(cfg)}
	review, err := all.Typed.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authentication.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		f := cluster.Failure(err, doing)
		if f.Kind != estate.NotSupported {
			return Identity{Err: f}
		}
		// Before Kubernetes 1.28 it cannot be asked.
		id.Name = "the user of the kubeconfig's context (the cluster is too old to say who that is)"
		return id
	}
	id.Name = s.Text(review.Status.UserInfo.Username, DetailLimit)
	return id
}

// certificateEnds is when the client certificate of a kubeconfig ends; zero where it
// has none that can be read.
func certificateEnds(cfg *rest.Config) time.Time {
	data := cfg.CertData
	if len(data) == 0 && cfg.CertFile != "" {
		var err error
		if data, err = readPEM(cfg.CertFile); err != nil {
			return time.Time{}
		}
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return time.Time{}
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return time.Time{}
	}
	return cert.NotAfter
}

// localIdentity is the user of this process.
func localIdentity() Identity {
	u, err := user.Current()
	if err != nil {
		return Identity{Err: &estate.Failure{Kind: estate.NoIdentity, Doing: "find out who runs this", Detail: Strip(err.Error(), DetailLimit)}}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "this host"
	}
	return Identity{Name: Strip(u.Username+" on "+host, DetailLimit)}
}
