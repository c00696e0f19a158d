package certificate

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/estate"
)

// object is what a kubernetes.io/tls Secret holds.
type object struct {
	cert, key []byte
	version   string // resourceVersion
}

func (n *renewal) objectName() (namespace, name string) {
	namespace, name, _ = strings.Cut(n.e.rot.Object, "/")
	return namespace, name
}

// readObject reads the Secret, and refuses one that we must not write.
func (n *renewal) readObject(ctx context.Context) (*object, error) {
	doing := "read Secret " + n.e.rot.Object + " of Kubernetes cluster " + n.e.rot.Cluster
	cluster, err := n.p.systems.Act.Kubernetes(n.e.rot.Cluster)
	if err != nil {
		return nil, err
	}
	client, err := cluster.Client()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, cluster.Limit())
	defer cancel()
	namespace, name := n.objectName()
	s, err := client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, n.p.systems.Act.Failure(err, doing)
	}
	register(n.p.systems.Act.Net(), s.Data[corev1.TLSPrivateKeyKey])
	no := func(why, next string) error {
		return &actions.Refusal{What: "updating Secret " + n.e.rot.Object, Why: why, Next: next}
	}
	switch {
	case s.Type != corev1.SecretTypeTLS:
		return nil, no("it is of type "+clients.Strip(string(s.Type), 60)+", not kubernetes.io/tls", "correct object in warroom.yaml")
	case s.Immutable != nil && *s.Immutable:
		return nil, no("it is immutable", "make a new one and have its consumers use that")
	case s.Annotations["cert-manager.io/certificate-name"] != "":
		return nil, no("cert-manager keeps it and would write over ours", "renew it there: cmctl renew "+clients.Strip(s.Annotations["cert-manager.io/certificate-name"], 120)+" -n "+namespace)
	}
	for _, owner := range s.OwnerReferences {
		if owner.Kind == "ExternalSecret" {
			return nil, no("ExternalSecret "+clients.Strip(owner.Name, 120)+" keeps it and would write over ours", "renew what that reads")
		}
	}
	return &object{cert: s.Data[corev1.TLSCertKey], key: s.Data[corev1.TLSPrivateKeyKey], version: s.ResourceVersion}, nil
}

// writeObject replaces both keys of the Secret in one request, unless it was changed
// since it was read.
func (n *renewal) writeObject(ctx context.Context, cert, key []byte) error {
	doing := "update Secret " + n.e.rot.Object + " of Kubernetes cluster " + n.e.rot.Cluster
	is, err := n.readObject(ctx)
	if err != nil {
		return err
	}
	if string(is.cert) == string(cert) && string(is.key) == string(key) {
		return nil
	}
	cluster, err := n.p.systems.Act.Kubernetes(n.e.rot.Cluster)
	if err != nil {
		return err
	}
	client, err := cluster.Client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, cluster.Limit())
	defer cancel()
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]string{"resourceVersion": is.version},
		"data":     map[string][]byte{corev1.TLSCertKey: cert, corev1.TLSPrivateKeyKey: key},
	})
	if err != nil {
		return changeError(doing, err)
	}
	namespace, name := n.objectName()
	if _, err := client.CoreV1().Secrets(namespace).Patch(ctx, name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: "warroom"}); err != nil {
		return n.p.systems.Act.Failure(err, doing)
	}
	return nil
}

// objectSerial is the serial number in the Secret; empty where it holds none.
func (n *renewal) objectSerial(ctx context.Context) (string, error) {
	is, err := n.readObject(ctx)
	if err != nil {
		return "", err
	}
	b, err := parseBundle(is.cert)
	if err != nil {
		return "", nil
	}
	if key, err := parseKey(is.key); err != nil || !belongs(key, b.leaf) {
		return mismatched + serial(b.leaf), nil
	}
	return serial(b.leaf), nil
}

// objectBack is what the Secret held before.
func (n *renewal) objectBack(ctx context.Context) error {
	b, err := n.saved()
	if err != nil {
		return changeError("put Secret "+n.e.rot.Object+" back", err)
	}
	data, _, err := readFile(filepath.Join(n.oldDir(), b.Object))
	if err != nil {
		return changeError("put Secret "+n.e.rot.Object+" back", err)
	}
	var held map[string][]byte
	if err := json.Unmarshal(data, &held); err != nil {
		return changeError("put Secret "+n.e.rot.Object+" back", fmt.Errorf("its back-up is damaged"))
	}
	register(n.p.systems.Act.Net(), held["tls.key"])
	return n.writeObject(ctx, held["tls.crt"], held["tls.key"])
}

// ACM is asked and waited for no longer than acmWait, and no oftener than once in
// acmPause: its quotas are low.
const (
	acmWait  = time.Minute
	acmPause = time.Second
)

// importACM imports a certificate over the configured ARN.
func (n *renewal) importACM(ctx context.Context, chain *bundle, key []byte) error {
	doing := "import the certificate over " + n.e.rot.ACM
	account, err := n.p.systems.Act.AWS(n.e.rot.Account)
	if err != nil {
		return err
	}
	services, err := account.Services(ctx)
	if err != nil {
		return err
	}
	in := &acm.ImportCertificateInput{CertificateArn: aws.String(n.e.rot.ACM), Certificate: leafPEM(chain), PrivateKey: key}
	if more := chain.between(); len(more) > 0 {
		in.CertificateChain = more
	}
	ctx, cancel := context.WithTimeout(ctx, acmWait)
	defer cancel()
	for {
		once, cancel := context.WithTimeout(ctx, 2*n.p.limit())
		_, err := services.ACM.ImportCertificate(once, in)
		cancel()
		if err == nil {
			return nil
		}
		// One import a second is its quota. To import the same again does no harm.
		f := account.Failure(err, doing)
		if f.Kind != estate.Throttled {
			return f
		}
		select {
		case <-ctx.Done():
			return f
		case <-time.After(acmPause):
		}
	}
}

// acmSerial is the serial number that ACM holds under the ARN.
func (n *renewal) acmSerial(ctx context.Context) (string, error) {
	doing := "describe " + n.e.rot.ACM
	account, err := n.p.systems.Read.AWS(n.e.rot.Account)
	if err != nil {
		return "", err
	}
	services, err := account.Services(ctx)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, n.p.limit())
	defer cancel()
	out, err := services.ACM.DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: aws.String(n.e.rot.ACM)})
	if err != nil {
		return "", account.Failure(err, doing)
	}
	c := out.Certificate
	if c == nil {
		return "", &estate.Failure{Kind: estate.BadAnswer, Doing: doing, Detail: "the answer holds no certificate"}
	}
	if c.Type != acmtypes.CertificateTypeImported {
		return "", &actions.Refusal{What: "importing over " + n.e.rot.ACM, Why: "it was not imported: ACM issues and renews it itself", Next: "take acm out of the rotation block, and see in ACM why it is not renewed"}
	}
	return plainSerial(aws.ToString(c.Serial)), nil
}

// acmHas waits until ACM holds a serial number: what it is told shows a little later.
func (n *renewal) acmHas(ctx context.Context, want string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, acmWait)
	defer cancel()
	for {
		is, err := n.acmSerial(ctx)
		if err == nil && is == want {
			return n.e.rot.ACM + " holds serial " + want, nil
		}
		select {
		case <-ctx.Done():
			if err == nil {
				err = &estate.Failure{Kind: estate.BadAnswer, Doing: "see serial " + brief(want) + " in " + n.e.rot.ACM, Detail: "it holds serial " + brief(is), Next: "look at it in ACM, then resume or roll back"}
			}
			return "", err
		case <-time.After(acmPause):
		}
	}
}

// plainSerial is a serial number without colons and leading zeros.
func plainSerial(s string) string {
	s = strings.TrimLeft(strings.ToLower(strings.ReplaceAll(s, ":", "")), "0")
	return clients.Strip(s, 80)
}
