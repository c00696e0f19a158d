package drill

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"warroom/internal/drill/awssim"
	"warroom/internal/drill/kubesim"
	"warroom/internal/drill/vaultsim"
)

// As whom the world is read, and as whom it is changed: what docs/permissions.md says
// that each needs, and nothing more.
var (
	//go:embed aws-read-policy.json
	awsReadPolicy string
	//go:embed aws-act-policy.json
	awsActPolicy string
	//go:embed vault-act-policy.hcl
	vaultActPolicy string
	//go:embed kubernetes-act-role.yaml
	kubernetesActRole []byte
)

// Names of those who read and act.
const (
	reader = "warroom"
	actor  = "drill-act" // its profile in AWS, its user in Kubernetes and its token's name in Vault
)

// Files of the tokens with which each cluster of Vault is changed, and of the shares
// that unseal it, which stand for the people who hold them.
const (
	fileVaultPrimaryAct      = "vault-primary-act.token"
	fileVaultSecondaryAct    = "vault-secondary-act.token"
	fileVaultPrimaryShares   = "vault-primary.shares"
	fileVaultSecondaryShares = "vault-secondary.shares"
)

// kubeActor is the context with which the cluster is changed.
const kubeActor = kubeCluster + "-act"

// actKey is the access key with which the world is changed. It opens nothing else.
func (w *World) actKey() (id, secret string) {
	return "AKIA" + strings.ToUpper(w.text("access key id of "+actor, 16)), w.text("secret access key of "+actor, 40)
}

// awsFiles are the shared files of the AWS tools: a profile to read and one to act.
func (w *World) awsFiles() (config, credentials []byte) {
	id, secret := w.awsKey()
	actID, actSecret := w.actKey()
	config = fmt.Appendf(nil, "[profile drill]\nregion = %[1]s\n\n[profile %[2]s]\nregion = %[1]s\n", region, actor)
	credentials = fmt.Appendf(nil, "[drill]\naws_access_key_id = %s\naws_secret_access_key = %s\n\n[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", id, secret, actor, actID, actSecret)
	return config, credentials
}

// user is the ARN of a user of the account.
func user(name string) string { return "arn:aws:iam::" + account + ":user/" + name }

// credentials are those of the account's users.
func (w *World) credentials() (map[string]awssim.Credential, error) {
	id, secret := w.awsKey()
	actID, actSecret := w.actKey()
	read, err := w.permissions(awsReadPolicy)
	if err != nil {
		return nil, err
	}
	act, err := w.permissions(awsActPolicy)
	if err != nil {
		return nil, err
	}
	// What reads may also see what they may do who act: it is asked before anything is
	// changed.
	read = append(read, awssim.Permission{Action: "iam:SimulatePrincipalPolicy", Resource: user(actor)})
	return map[string]awssim.Credential{
		id:    {SecretKey: secret, Principal: user(reader), Allow: read},
		actID: {SecretKey: actSecret, Principal: user(actor), Allow: act},
	}, nil
}

// placed is a policy of the docs with the names of this account.
func (w *World) placed(policy string) string {
	return strings.NewReplacer(
		"KEY-OF-THE-SECRETS", w.uuid("kms key"), "ROLE-OF-THE-ROTATION-FUNCTION", functionName, "ROTATION-FUNCTION", functionName,
		"API-ID", apiID, "REGION", region, "ACCOUNT", account,
	).Replace(policy)
}

// permissions are a policy in the form of the simulation.
func (w *World) permissions(policy string) ([]awssim.Permission, error) {
	var document struct {
		Statement []struct {
			Effect   string
			Action   []string
			Resource any
		}
	}
	if err := json.Unmarshal([]byte(w.placed(policy)), &document); err != nil {
		return nil, fmt.Errorf("read a policy of the drill's AWS account: %w", err)
	}
	var out []awssim.Permission
	for _, s := range document.Statement {
		resources := []string{"*"}
		if list, ok := s.Resource.([]any); ok {
			resources = nil
			for _, one := range list {
				text, _ := one.(string)
				resources = append(resources, text)
			}
		}
		for _, action := range s.Action {
			for _, resource := range resources {
				out = append(out, awssim.Permission{Action: action, Resource: resource})
			}
		}
	}
	return out, nil
}

// addUsers lets IAM tell what those may do who read and who act.
func (w *World) addUsers(a *awssim.Sim) {
	a.AddUser(awssim.Role{Name: reader, Policies: []awssim.Policy{{Name: "warroom-read", Document: w.placed(awsReadPolicy)}}})
	a.AddUser(awssim.Role{Name: actor, Policies: []awssim.Policy{{Name: "warroom-act", Document: w.placed(awsActPolicy)}}})
}

// addActor lets the user who acts into a cluster of Kubernetes.
func (w *World) addActor(k *kubesim.Sim) error {
	rules, err := rulesOf(kubernetesActRole)
	if err != nil {
		return err
	}
	k.AddUser(kubesim.User{Name: actor, Rules: rules}, w.kubeToken(actor))
	return nil
}

// rulesOf are the rules of a role, in the form of the simulation.
func rulesOf(text []byte) ([]kubesim.Rule, error) {
	var role rbacv1.Role
	if err := yaml.UnmarshalStrict(text, &role); err != nil {
		return nil, fmt.Errorf("read a role of the drill's Kubernetes cluster: %w", err)
	}
	var out []kubesim.Rule
	for _, r := range role.Rules {
		out = append(out, kubesim.Rule{Verbs: r.Verbs, Groups: r.APIGroups, Resources: r.Resources, Names: r.ResourceNames, Namespaces: []string{role.Namespace}})
	}
	return out, nil
}

// vaultFiles lets those who read and who act into a cluster of Vault, and leaves their
// tokens and the shares of its key in files.
func (w *World) vaultFiles(c *vaultsim.Cluster, read, act, shares string) error {
	for _, one := range []struct{ file, policy string }{{read, "warroom-read"}, {act, "warroom-act"}} {
		name := "token-" + strings.TrimPrefix(one.policy, "warroom-")
		if one.file == read {
			name = "token-warroom"
		}
		token := c.AddToken(vaultsim.Token{ID: w.vaultToken(one.file), Name: name, Policies: []string{one.policy}, Created: w.ago(vaultToken), TTL: 32 * day})
		if err := w.write(one.file, []byte(token+"\n")); err != nil {
			return err
		}
	}
	if shares == "" {
		return nil
	}
	return w.write(shares, []byte(strings.Join(slices.Clone(c.UnsealKeys()), "\n")+"\n"))
}
