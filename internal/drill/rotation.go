package drill

import (
	_ "embed"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"warroom/internal/drill/awssim"
	"warroom/internal/drill/edge"
	"warroom/internal/drill/pgsim"
	"warroom/internal/drill/vaultsim"
)

//go:embed db-rotation.yaml
var dbRotationConfig string

// Names of the listeners of db-rotation.
const (
	srvAWS       = "aws"
	srvPrimary   = "postgres-primary"
	srvReplica   = "postgres-replica"
	srvGateway   = "api-gateway"
	srvIssuer    = "issuer"
	srvBalancer  = "load-balancer"
	srvExternal  = "external-api"
	srvPaying    = "payment-api"
	srvUsers     = "user-service"
	srvPayment   = "payment-service"
	srvAnalytics = "analytics-service"
)

// dbRotation is the architecture diagram and Scenario 1 of the guide.
//
// The story: app_user's password is rotated every 14 days by a Lambda function,
// and the last rotation also set VALID UNTIL, to the end of those 14 days. Two
// days ago the database's security group was changed: the function reaches it no
// more. The rotation that was due 30 hours ago stored a new password under
// AWSPENDING and then timed out, as has every attempt since. VALID UNTIL passed:
// the primary lets app_user in no more. The replica still does, with the previous
// password: its replay was paused for maintenance before the last rotation and
// forgotten. For the same reason the analytics service, which reads from the
// replica, cannot take over its own password of three days ago. On top, the
// gateway's client token ran out five hours ago, and the load balancer's
// certificate, which nothing renews, is close to its end.
var dbRotation = scenario{
	Scenario: Scenario{
		Name:  "db-rotation",
		Title: "Database password rotation failure",
		Summary: "The rotation of prod/db/postgres has failed. The primary refuses the application's password, " +
			"the replica takes an old one, and two thirds of the calls at the gateway are refused.",
		Alert: 4 * time.Minute,
	},
	servers: slices.Concat([]string{srvAWS, srvPrimary, srvReplica, srvGateway, srvIssuer, srvBalancer, srvExternal, srvPaying, srvUsers, srvPayment, srvAnalytics, srvKubernetes},
		vaultPrimaryNodes, vaultSecondaryNodes),
	config: rotationConfig,
	build:  buildRotation,
	env:    rotationEnv,
	examples: func(w *World) []string {
		field := `sed -n 's/.*"password": *"\([^"]*\)".*/\1/p'`
		value := "aws secretsmanager get-secret-value --secret-id prod/db/postgres --query SecretString --output text --version-stage "
		return append([]string{
			"aws secretsmanager describe-secret --secret-id prod/db/postgres",
			"aws lambda get-function-configuration --function-name " + functionName,
			"aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=RotationFailed --max-items 5",
			"aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventSource,AttributeValue=ec2.amazonaws.com",
			"aws elbv2 describe-load-balancers --names " + balancerName,
			"aws apigatewayv2 get-authorizers --api-id " + apiID,
			"aws iam simulate-principal-policy --policy-source-arn arn:aws:iam::" + account + ":role/" + functionName + " --action-names secretsmanager:PutSecretValue kms:Decrypt",
			"aws sts get-caller-identity",
			"PGPASSWORD=$(" + value + "AWSCURRENT | " + field + `) psql -c 'SELECT 1'`,
			"PGPASSWORD=$(" + value + "AWSPREVIOUS | " + field + ") psql -p " + strconv.Itoa(w.port(srvReplica)) + ` -c 'SELECT 1'`,
			"openssl x509 -in " + shellQuote(w.file(fileCert)) + " -noout -dates",
			"openssl s_client -connect " + w.address(srvBalancer) + " -servername api.company.com -CAfile " + shellQuote(w.file(fileCA)) + " </dev/null",
		}, slices.Concat(w.vaultExamples(), w.kubeExamples())...)
	},
}

// Files of the world.
const (
	fileCA             = "ca.pem"
	fileCert           = "api.company.com.crt"
	fileKey            = "api.company.com.key"
	fileAWSConfig      = "aws-config"
	fileAWSCredentials = "aws-credentials"
	fileService        = "pg_service.conf"
	fileReload         = "reload-balancer" // touched, it has the load balancer read its certificate again
)

const (
	region       = "us-west-2"
	account      = "123456789012"
	functionName = "rotate-postgres"
	keyAlias     = "alias/prod-secrets"
	audience     = "https://api.company.com"
	databaseName = "production"
)

// When what happened, before the world was opened. Those shown in days lie well
// within one, so that they read the same for hours.
const (
	day         = 24 * time.Hour
	period      = 14 * day                     // of prod/db/postgres
	rotated     = 15*day + 6*time.Hour         // its last rotation
	rotatedOnce = rotated + period             // the one before
	paused      = rotated + 3*time.Hour        // replay on the replica
	due         = rotated - period             // the rotation that failed, and VALID UNTIL
	cutOff      = 2*day + 3*time.Hour          // the security group was changed
	analytics   = 3*day + 5*time.Hour          // prod/db/analytics was rotated
	keysRotated = 2*time.Hour + 20*time.Minute // both API keys
	synced      = 2*time.Hour + 5*time.Minute  // the payment service
	tokenEnded  = 5*time.Hour + 10*time.Minute
	degraded    = 45 * retryEvery // the analytics service, retrying since
	retryEvery  = 10 * time.Minute
)

// When what will happen.
const (
	certLeft    = 12*day + 12*time.Hour
	keyRotation = 7*day + 12*time.Hour
)

func rotationConfig(w *World) []byte {
	quote := func(name string) string { return strconv.Quote(w.file(name)) }
	return []byte(strings.NewReplacer(append(slices.Concat(w.vaultConfig(), w.kubeConfig()),
		"${AWS_CONFIG}", quote(fileAWSConfig), "${AWS_CREDENTIALS}", quote(fileAWSCredentials),
		"${CA}", quote(fileCA), "${CERT}", quote(fileCert), "${KEY}", quote(fileKey), "${RELOAD}", quote(fileReload), "${ACM}", strconv.Quote(w.certificateARN()),
		"${AWS}", w.address(srvAWS), "${PRIMARY}", strconv.Itoa(w.port(srvPrimary)), "${REPLICA}", strconv.Itoa(w.port(srvReplica)),
		"${GATEWAY}", w.address(srvGateway), "${ISSUER}", w.address(srvIssuer), "${BALANCER}", w.address(srvBalancer), "${EXTERNAL}", w.address(srvExternal), "${PAYING}", w.address(srvPaying),
		"${USERS}", w.address(srvUsers), "${PAYMENT}", w.address(srvPayment), "${ANALYTICS}", w.address(srvAnalytics),
	)...).Replace(dbRotationConfig))
}

func rotationEnv(w *World) []string {
	id, secret := w.awsKey()
	return append([]string{
		"AWS_ENDPOINT_URL=http://" + w.address(srvAWS),
		"AWS_ACCESS_KEY_ID=" + id,
		"AWS_SECRET_ACCESS_KEY=" + secret,
		"AWS_DEFAULT_REGION=" + region,
		"AWS_CONFIG_FILE=" + w.file(fileAWSConfig), // for the profile that may change things
		"AWS_SHARED_CREDENTIALS_FILE=" + w.file(fileAWSCredentials),
		"AWS_EC2_METADATA_DISABLED=true",
		"PGHOST=127.0.0.1",
		"PGPORT=" + strconv.Itoa(w.port(srvPrimary)),
		"PGDATABASE=" + databaseName,
		"PGUSER=app_user",
		"PGSSLMODE=verify-full",
		"PGSSLROOTCERT=" + w.file(fileCA),
	}, slices.Concat(w.vaultEnv(), w.kubeEnv())...)
}

// awsKey is the access key with which the world is read. It opens nothing else.
func (w *World) awsKey() (id, secret string) {
	return "AKIA" + strings.ToUpper(w.text("access key id", 16)), w.text("secret access key", 40)
}

// certificateARN is what ACM calls the load balancer's certificate.
func (w *World) certificateARN() string {
	return "arn:aws:acm:" + region + ":" + account + ":certificate/" + w.uuid("load balancer's certificate")
}

// shellQuote makes one word of a path for a POSIX shell.
func shellQuote(s string) string {
	if strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-", r))
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// estate is what a world of db-rotation is made of.
type estate struct {
	*World
	pki      *pki
	aws      *awssim.Sim
	postgres *pgsim.Cluster
	issuer   *edge.Issuer
	balancer *edge.Balancer
	external *edge.Provider
	paying   *edge.Provider
	traffic  *traffic
	logins   *crisis // of app_user on the primary, as the database's log has them
	users    *login  // how the user service logs in
	kube     *kube

	vault, vaultSecondary *vaultsim.Cluster
}

func buildRotation(w *World) error {
	_, err := makeRotation(w)
	return err
}

func makeRotation(w *World) (*estate, error) {
	credentials, err := w.credentials()
	if err != nil {
		return nil, err
	}
	e := &estate{World: w, aws: awssim.New(awssim.Options{Region: region, Account: account, Seed: w.seed, Clock: w.now, Credentials: credentials})}
	e.kube = e.newKube()
	// The cluster's story takes the longest, and what comes after it waits for
	// nothing in it.
	var cluster error
	var telling sync.WaitGroup
	defer telling.Wait()
	tell := func() error {
		telling.Go(func() { cluster = e.makeKubernetes() })
		return nil
	}
	for _, step := range []func() error{e.makeCertificates, e.makePostgres, e.makeEdge, e.makeAWS, tell, e.makeApps, e.makeVault} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if telling.Wait(); cluster != nil {
		return nil, cluster
	}
	e.run(e.live())
	return e, nil
}

// web serves a handler on one of the world's listeners.
func (e *estate) web(server string, h http.Handler, secure bool) {
	s := edge.NewServer(h, nil)
	l := e.listeners[server]
	serve := func() { _ = s.Serve(l) } // ends with Close
	if secure {
		s.TLSConfig = e.pki.server.Clone()
		serve = func() { _ = s.ServeTLS(l, "", "") }
	}
	e.run(serve, func() { _ = s.Close() })
}

func (e *estate) makeCertificates() (err error) {
	valid := broad(e.began)
	if e.pki, err = newPKI(valid); err != nil {
		return err
	}
	if err = e.pki.equip(valid, "localhost", "db.company.com", "auth.company.com", "api.external.com"); err != nil {
		return err
	}
	end := e.began.Add(certLeft)
	serial := e.source("certificate serial").Uint64() | 1<<62
	certificate, key, _, err := e.pki.issue(bigInt(serial), span{end.Add(-365 * day), end}, "api.company.com")
	if err != nil {
		return err
	}
	awsConfig, awsCredentials := e.awsFiles()
	for _, f := range []struct {
		name string
		data []byte
	}{
		{fileCA, e.pki.pem()}, {fileCert, certificate}, {fileKey, key},
		{fileService, []byte("[drill]\n")},
		{fileAWSConfig, awsConfig}, {fileAWSCredentials, awsCredentials},
	} {
		if err := e.write(f.name, f.data); err != nil {
			return err
		}
	}
	return nil
}
