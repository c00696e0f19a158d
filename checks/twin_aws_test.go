package checks

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"warroom/internal/estate"
)

// motoDiffers are the ways in which moto is not like AWS. The drill follows AWS. Each
// is a line of the story; where both come to tell the same, the entry has to go.
var motoDiffers = []difference{
	{"rotator, permissions", "Decision=allowed", motoFails, "IAM API Reference, SimulatePrincipalPolicy: moto does not have it"},
	{"keys, key-rotation alias/rotates", "PeriodDays=365 Next=then", "PeriodDays=0 Next=never", "KMS API Reference, GetKeyRotationStatus: RotationPeriodInDays and NextRotationDate"},
	{"edge, listeners", "Names=[localhost] ", "Names=[localhost 127.0.0.1] ", "ACM API Reference, CertificateDetail: SubjectAlternativeNames are domain names, Serial is hexadecimal"},
	{"noedge, listeners", "Load balancers '[absent]' not found", "The specified load balancer does not exist", "the words of LoadBalancerNotFound when names are asked for"},
	{"rest, authorizers", "Type=TOKEN", motoFails, "API Gateway: GetAuthorizers of version 2 is asked first, and answers 404 for an API of version 1"},
	{"http, authorizers", "Type=JWT", motoFails, "API Gateway version 2 API Reference, GetAuthorizers: moto does not have it"},
	{"monitor, rotation-events main", "Started=0", motoFails, "CloudTrail API Reference, LookupEvents: moto does not have it"},
	{"monitor, changes main", "What=RestoreSecret Target=back", motoFails, "CloudTrail API Reference, LookupEvents: moto does not have it"},
	{"rotating what is pending", "refused", "begun", "Secrets Manager API Reference, RotateSecret: a version under AWSPENDING that is not current is a rotation under way"},
	{"scheduled, describe plain", "RotationEnabled=true", "RotationEnabled=false", "Secrets Manager API Reference, RotationRules: ScheduleExpression; RotateImmediately=false rotates nothing"},
	{"another value under the same token", "refused", "taken", "Secrets Manager API Reference, PutSecretValue: ClientRequestToken makes it idempotent, another value is refused"},
}

// motoFails is how a call reads that moto does not know.
const motoFails = "HTTP 500 Internal Server Error"

// awsNames takes out what AWS draws by lot: the ends of ARNs and names of hosts.
var awsNames = regexps{
	{regexp.MustCompile(`(secret:[a-z]+)-[A-Za-z0-9]{6}`), "$1-RANDOM"},
	{regexp.MustCompile(`(loadbalancer/app/edge)/[0-9a-f]+`), "$1/RANDOM"},
	{regexp.MustCompile(`(edge)-[0-9a-z]+(\.us-east-1\.elb\.amazonaws\.com)`), "$1-RANDOM$2"},
}

// TestTwinAWS reads one account of both.
func TestTwinAWS(t *testing.T) {
	twinnedBut(t, []string{"moto"}, newSimAWS, newMoto, func(t *testing.T, w *twinAWS, s *story) {
		s.same(w.account, "ACCOUNT")
		s.same(strings.TrimPrefix(w.endpoint, "http://"), "ENDPOINT")
		s.short = awsNames
		function := w.function(t, "rotate")
		keys := w.keys(t)
		s.same(keys[0], "KEY1")
		s.same(keys[1], "KEY2")
		make := func(name string, change func(*secretsmanager.CreateSecretInput)) {
			in := &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String(`{"username":"app","password":"canary-current"}`), Tags: []smtypes.Tag{{Key: aws.String("ends"), Value: aws.String("2031-12-31")}}}
			if change != nil {
				change(in)
			}
			must[*secretsmanager.CreateSecretOutput](t, "make "+name)(w.SecretsManager.CreateSecret(changing(t), in))
		}
		put := func(name, stage string) {
			must[*secretsmanager.PutSecretValueOutput](t, "put "+name)(w.SecretsManager.PutSecretValue(changing(t), &secretsmanager.PutSecretValueInput{
				SecretId: &name, SecretString: aws.String(`{"password":"canary-` + stage + `"}`), VersionStages: []string{stage}}))
		}
		make("plain", nil)
		make("twice", func(in *secretsmanager.CreateSecretInput) { in.KmsKeyId = &keys[0] })
		put("twice", "AWSCURRENT")
		make("pending", nil)
		put("pending", "AWSPENDING")
		make("gone", nil)
		must[*secretsmanager.DeleteSecretOutput](t, "delete")(w.SecretsManager.DeleteSecret(changing(t), &secretsmanager.DeleteSecretInput{SecretId: aws.String("gone"), RecoveryWindowInDays: aws.Int64(7)}))
		make("back", nil)
		must[*secretsmanager.DeleteSecretOutput](t, "delete")(w.SecretsManager.DeleteSecret(changing(t), &secretsmanager.DeleteSecretInput{SecretId: aws.String("back"), RecoveryWindowInDays: aws.Int64(7)}))
		must[*secretsmanager.RestoreSecretOutput](t, "restore")(w.SecretsManager.RestoreSecret(changing(t), &secretsmanager.RestoreSecretInput{SecretId: aws.String("back")}))

		for name, n := range map[string]float64{"Invocations": 4, "Errors": 3, "Throttles": 2, "Duration": 1500} {
			w.metric(t, "AWS/Lambda", name, "FunctionName", "rotate", n)
		}
		w.metric(t, "Twin/Gateway", "4xx", "ApiId", "x", 25)
		w.metric(t, "Twin/Gateway", "Count", "ApiId", "x", 60)
		w.metric(t, "Twin/Gateway", "Count", "ApiId", "x", 40)
		w.log(t, "/aws/lambda/rotate", "START", "[ERROR] one", "[ERROR] two", "Task timed out after 30.00 seconds", "END")
		w.balancer(t, "edge")
		rest, web := w.apis(t, function)
		s.same(rest, "REST")
		s.same(web, "HTTP")
		w.trail(t)
		const store, rotator = `- {id: store, name: Store, plane: state, secrets_manager: {account: main, secrets: [{id: plain}]}}
`, `- {id: function, name: Rotator, plane: state, rotation_function: {account: main, function: rotate}}
`
		cfg := w.config(t, fmt.Sprintf(`- {id: store, name: Store, plane: state, secrets_manager: {account: main, expiry_tag: ends, secrets: [{id: plain}, {id: twice}, {id: pending}, {id: gone}, {id: back}, {id: absent}]}}
- {id: rotator, name: Rotator, plane: state, rotation_function: {account: main, function: rotate}}
- {id: nobody, name: Nobody, plane: state, rotation_function: {account: main, function: nobody}}
- {id: keys, name: Keys, plane: state, keys: {account: main, keys: [alias/rotates, alias/ends, alias/absent]}}
- {id: edge, name: Edge, plane: edge, balancer: {account: main, load_balancer: edge}}
- {id: noedge, name: No edge, plane: edge, balancer: {account: main, load_balancer: absent}}
- {id: rest, name: Rest, plane: edge, gateway: {url: "https://127.0.0.1:1", account: main, api_id: %s, failures: {namespace: Twin/Gateway, dimensions: {ApiId: x}}}}
- {id: http, name: HTTP, plane: edge, gateway: {url: "https://127.0.0.1:1", account: main, api_id: %s, failures: {namespace: Twin/Gateway, dimensions: {ApiId: y}}}}
- {id: protection, name: Protection, plane: control, secret_store: {account: main}}
- {id: monitor, name: Monitor, plane: control, rotation_monitor: {accounts: [main]}}
`, rest, web))
		r := twinCheck(t, cfg)
		for _, id := range []estate.ID{"store", "rotator", "nobody", "keys", "edge", "noedge", "rest", "http", "protection", "monitor"} {
			for _, slot := range r.Snapshot.Slots(id) {
				if slot.Last.Key.Check != estate.CheckProbe { // of nobody's gateway
					s.tellSlot(string(id), slot.Last)
				}
			}
		}
		for item, want := range map[string]estate.FailureKind{"absent": estate.Missing} {
			slot, _ := r.Snapshot.Slot(estate.Key{Component: "store", Check: estate.CheckDescribe, Item: item})
			if f := slot.Last.Failure; f == nil || f.Kind != want {
				t.Errorf("%s: %v", item, f)
			}
		}
		inventory := twinData[estate.SecretInventory](t, r, "store", estate.CheckInventory)
		if inventory.Total != 4 || inventory.Deleted != 1 || inventory.Rotating != 0 || len(inventory.Lives) != 4 {
			t.Errorf("inventory %+v", inventory)
		}
		w.invocable(t, "rotate")
		r = twinCheck(t, w.config(t, rotator))
		for _, check := range []string{estate.CheckPolicy, estate.CheckConcurrency} {
			s.tellSlot("barred", twinSlot(t, r, "function", check))
		}

		// AWS refuses a rotation while a pending version is left, moto begins one.
		_, err := w.SecretsManager.RotateSecret(changing(t), &secretsmanager.RotateSecretInput{SecretId: aws.String("pending"), RotationLambdaARN: &function, RotationRules: &smtypes.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)}})
		s.tell("rotating what is pending", map[bool]string{true: "refused", false: "begun"}[err != nil])
		_, err = w.SecretsManager.RotateSecret(changing(t), &secretsmanager.RotateSecretInput{SecretId: aws.String("plain"), RotationLambdaARN: &function, RotateImmediately: aws.Bool(false), RotationRules: &smtypes.RotationRulesType{ScheduleExpression: aws.String("rate(30 days)")}})
		s.tell("a schedule", fmt.Sprint(err == nil))
		r = twinCheck(t, w.config(t, store))
		slot, _ := r.Snapshot.Slot(estate.Key{Component: "store", Check: estate.CheckDescribe, Item: "plain"})
		s.tellSlot("scheduled", slot.Last)
		token := strings.Repeat("token-", 6)
		for _, value := range []string{"canary-a", "canary-b"} {
			_, err = w.SecretsManager.PutSecretValue(changing(t), &secretsmanager.PutSecretValueInput{SecretId: aws.String("back"), ClientRequestToken: &token, SecretString: &value, VersionStages: []string{"AWSPENDING"}})
		}
		s.tell("another value under the same token", map[bool]string{true: "refused", false: "taken"}[err != nil])
	}, motoDiffers)
}
