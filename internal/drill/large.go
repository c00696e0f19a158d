package drill

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"warroom/internal/drill/awssim"
	"warroom/internal/drill/edge"
	"warroom/internal/drill/kubesim"
	"warroom/internal/drill/vaultsim"
)

// The size of large-estate: that of the incident of which the guide tells.
const (
	largeSecrets  = 3000
	largeServices = 89
	largeStuck    = 12 // secrets whose rotation hangs
	largeReplicas = 3  // of a service
)

// Names of its listeners, and its files beside those of every world.
const (
	srvHealth = "health"
	srvVault  = "vault"

	fileVaultToken = "vault.token"
	largeFunction  = "rotate-database"
)

// largeEstate is an estate of thousands of secrets: what the console costs there,
// and how it is to find the twelve that matter.
//
// The story: the policy of the rotation role was tightened three days ago, and
// with it went the permission to write the secrets of one team. Twelve rotations
// since then hang; the services still run on what they have.
var largeEstate = scenario{
	Scenario: Scenario{
		Name:    "large-estate",
		Title:   "Twelve of three thousand",
		Summary: "An estate of 3,000 secrets and 89 services. The rotations of twelve secrets hang, and nothing is down yet.",
		Alert:   6 * time.Minute,
	},
	servers: []string{srvAWS, srvVault, srvKubernetes, srvHealth, srvBalancer, srvUsage},
	config:  func(w *World) []byte { return []byte(w.largeConfig()) },
	build:   buildLarge,
	env: func(w *World) []string {
		id, secret := w.awsKey()
		return []string{
			"AWS_ENDPOINT_URL=http://" + w.address(srvAWS), "AWS_ACCESS_KEY_ID=" + id, "AWS_SECRET_ACCESS_KEY=" + secret,
			"AWS_DEFAULT_REGION=" + region, "AWS_EC2_METADATA_DISABLED=true",
			"VAULT_ADDR=https://" + w.address(srvVault), "VAULT_CACERT=" + w.file(fileCA), "VAULT_TOKEN=" + w.vaultToken(fileVaultToken),
			"KUBECONFIG=" + w.file(fileKubeconfig),
			"WARROOM_DRILL_USAGE=http://" + w.address(srvUsage),
		}
	},
	examples: func(*World) []string {
		return []string{
			"aws secretsmanager list-secrets --filters Key=name,Values=prod/team-00/ --query 'SecretList[].[Name,NextRotationDate]' --output text",
			"aws secretsmanager describe-secret --secret-id " + largeName(0),
			"vault status",
			"curl $WARROOM_DRILL_USAGE # what was asked of the APIs, beside what they allow",
			"kubectl -n " + kubeNamespace + " get deployments",
		}
	},
}

// largeName is the name of one of the secrets: a dozen for each of the teams.
func largeName(i int) string { return fmt.Sprintf("prod/team-%03d/secret-%02d", i/12, i%12) }

func largeService(i int) string { return fmt.Sprintf("service-%02d", i) }

// large is what a world of large-estate is made of.
type large struct {
	estate
	cluster *kubesim.Sim
}

func buildLarge(w *World) error {
	l := &large{estate: estate{World: w}}
	for _, step := range []func() error{l.makeCertificates, l.makeStore, l.makeLargeVault, l.makeCluster, l.makeHealth, l.serveUsage} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// makeStore makes the secrets, all on one function and one key.
func (l *large) makeStore() error {
	credentials, err := l.credentials()
	if err != nil {
		return err
	}
	l.aws = awssim.New(awssim.Options{Region: region, Account: account, Seed: l.seed, Clock: l.now, Credentials: credentials})
	l.addUsers(l.aws)
	l.aws.AddKey(awssim.Key{ID: l.uuid("kms key"), Alias: keyAlias, Created: l.ago(400 * day), Rotation: true, PeriodDays: 90, NextRotation: l.began.Add(keyRotation)})
	l.aws.AddFunction(awssim.Function{Name: largeFunction, Timeout: lambdaTimeout, LastModified: l.ago(200 * day), Policy: l.aws.InvokePolicy(largeFunction)})
	draw := l.source("large estate")
	for i := range largeSecrets {
		last := time.Duration(1+draw.IntN(27))*day + time.Duration(draw.IntN(86400))*time.Second
		s := awssim.Secret{
			Name: largeName(i), KMSKey: keyAlias, RotationLambda: largeFunction, RotateAfterDays: 30, Created: l.ago(300 * day),
			LastRotated: l.ago(last), NextRotation: l.began.Add(30*day - last), LastAccessed: l.ago(time.Duration(draw.IntN(5)) * day),
			Tags: map[string]string{"environment": "production", "team": fmt.Sprintf("team-%03d", i/12)},
		}
		version := func(what string, ago time.Duration, stages ...string) awssim.Version {
			return awssim.Version{ID: l.uuid("version " + s.Name + " " + what), Value: `{"username":"app","password":"` + l.text(s.Name+what, 24) + `"}`, Stages: stages, Created: l.ago(ago)}
		}
		if i < largeStuck {
			late := time.Duration(3+i*5) * time.Hour
			s.LastRotated, s.NextRotation = l.ago(30*day+late), l.ago(late)
			s.Versions = append(s.Versions, version("pending", late-time.Minute, "AWSPENDING"))
			last = 30*day + late
		}
		s.Versions = append(s.Versions, version("current", last, "AWSCURRENT"), version("previous", last+30*day, "AWSPREVIOUS"))
		l.aws.AddSecret(s)
	}
	l.web(srvAWS, l.aws, false)
	return nil
}

// makeLargeVault makes one cluster in which all is well.
func (l *large) makeLargeVault() error {
	l.vault = vaultsim.New(vaultsim.Options{
		Clock: l.now, Seed: l.seed, Name: "company", Nodes: []vaultsim.NodeOptions{{Name: srvVault, Host: "vault.company.com", API: "https://" + l.address(srvVault), Cluster: "https://vault.company.com:8201"}},
		Began: l.ago(vaultAge), Active: l.ago(19 * day),
	})
	l.vault.Mount(vaultsim.Mount{Path: "secret/", Type: "kv", Version: 2})
	l.vault.AddAudit(vaultsim.Audit{Path: "file/", Type: "file", Options: map[string]string{"file_path": "/var/log/vault/audit.log"}})
	if err := errors.Join(l.vault.SetPolicy("warroom-read", vaultPolicy), l.vault.SetPolicy("warroom-act", vaultActPolicy)); err != nil {
		return err
	}
	paths := make([]string, largeSecrets)
	for i := range paths {
		paths[i] = strings.TrimPrefix(largeName(i), "prod/")
	}
	l.vault.AddSecrets("secret/", l.written(l.source("vault tree"), paths))
	if err := l.vaultFiles(l.vault, fileVaultToken, fileVaultPrimaryAct, ""); err != nil {
		return err
	}
	l.web(srvVault, l.vault.Node(0), true)
	return nil
}

// makeHealth serves the health of every service under its own path.
func (l *large) makeHealth() error {
	synced := l.ago(2 * time.Hour)
	mux := http.NewServeMux()
	for i := range largeServices {
		report := edge.Report{Status: "healthy", Connection: "connected", LastSync: &synced, Secret: largeName(i * 12)}
		if v, err := l.staged(report.Secret, "AWSCURRENT"); err == nil {
			report.SecretVersion = v.ID
		}
		mux.Handle("/"+largeService(i)+"/health", edge.Health(func() edge.Report { return report }))
	}
	l.web(srvHealth, mux, true)
	l.balancer = &edge.Balancer{CertFile: l.file(fileCert), KeyFile: l.file(fileKey)}
	if err := l.balancer.Reload(); err != nil {
		return err
	}
	front := edge.NewServer(l.balancer, l.balancer.TLS())
	l.run(func() { _ = front.ServeTLS(l.listeners[srvBalancer], "", "") }, func() { _ = front.Close() })
	return nil
}

// largeConfig writes the estate: every secret, every service, and what watches
// them.
func (w *World) largeConfig() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	quote := func(file string) string { return strconv.Quote(w.file(file)) }
	line("# The estate of the drill large-estate: everything in it is simulated on this\n# machine.\n")
	line("version: 1\nenvironment: production\ndrill: large-estate\n")
	line("aws:\n  - name: main\n    region: %s\n    profile: drill\n    shared_files: [%s, %s]\n    endpoint: http://%s\n    act: {profile: drill-act}\n", region, quote(fileAWSConfig), quote(fileAWSCredentials), w.address(srvAWS))
	line("vaults:\n  - {name: main, address: %q, ca_cert: %s, token_file: %s, act: {token_file: %s}}\n", "https://"+w.address(srvVault), quote(fileCA), quote(fileVaultToken), quote(fileVaultPrimaryAct))
	line("kubernetes:\n  - {name: main, kubeconfig: %s, act: {context: %s}}\n", quote(fileKubeconfig), kubeActor)
	line("components:")
	line("  - id: load-balancer\n    name: Load Balancer\n    plane: edge\n    subtitle: SSL certificates\n    expiry: not_after\n    balancer:\n      renewal: manual\n      ca_cert: %s\n      endpoints: [{address: %q, server_name: api.company.com}]\n", quote(fileCA), w.address(srvBalancer))
	line("  - id: secrets-manager\n    name: Secrets Manager\n    plane: service\n    group: Secret Management\n    expiry: rotation\n    secrets_manager:\n      account: main\n      secrets:")
	for i := range largeSecrets {
		line("        - {id: %s}", largeName(i))
	}
	line("\n  - id: rotation-lambda\n    name: Rotation Lambda\n    plane: service\n    group: Secret Management\n    rotation_function: {account: main, function: %s}", largeFunction)
	line("\n  - id: key-management\n    name: Key Management\n    plane: service\n    group: Secret Management\n    keys: {account: main, keys: [%s]}\n", keyAlias)
	for i := range largeServices {
		line("  - id: %s\n    name: Service %02d\n    plane: service\n    group: Application Services\n    application:\n      secrets: [%s]\n      cluster: main\n      workload: %s/deployment/%s\n      health: {url: %q, ca_cert: %s}", largeService(i), i, largeName(i*12), kubeNamespace, largeService(i), "https://"+w.address(srvHealth)+"/"+largeService(i)+"/health", quote(fileCA))
	}
	line("\n  - id: vault\n    name: Vault\n    plane: state\n    group: Secret Storage\n    vault: {cluster: main}")
	line("\n  - id: secret-store\n    name: Secret Store\n    plane: state\n    group: Secret Storage\n    secret_store: {account: main, cluster: main}")
	line("\n  - id: rotation-monitor\n    name: Rotation Monitor\n    plane: control\n    rotation_monitor: {}")
	line("\n  - id: secret-monitor\n    name: Secret Monitor\n    plane: control\n    secret_monitor: {}")
	line("\nflows:\n  - {from: secrets-manager, to: rotation-lambda, kind: secret}\n  - {from: rotation-monitor, to: rotation-lambda, kind: monitoring, label: monitors}")
	for i := range largeServices {
		line("  - {from: %s, to: secrets-manager, kind: access}", largeService(i))
	}
	return b.String()
}
